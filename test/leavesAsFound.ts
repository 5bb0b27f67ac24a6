// Files that share a process: each leaves it as it was found, or fails itself, in whatever order they are run.
import fs from 'node:fs';
import { afterAll, expect, vi } from 'vitest';

const seen = () => ({
  ...{ Date, setTimeout, clearTimeout, setInterval, setImmediate, fetch, umask: process.umask(), cwd: process.cwd() },
  ...{ now: Date.now, performanceNow: performance.now, random: Math.random, env: { ...process.env } },
  ...{ files: { ...fs }, filePromises: { ...fs.promises } },
});

const found = seen();
afterAll(() => {
  vi.restoreAllMocks();
  expect(seen()).toEqual(found);
});
