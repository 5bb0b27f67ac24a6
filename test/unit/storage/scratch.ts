import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder of this test's own, gone when it ends. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-storage-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Another process, as another window is one: runs a script of this folder; killed at the latest when the test ends. */
export function startWindow(script: string, ...args: string[]) {
  const file = path.join(import.meta.dirname, script);
  const child = spawn(process.execPath, ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    output: () => output.trim(),
    /** The exit code; null when a signal ended it. */
    exited: once(child, 'close').then(([code]) => code as number | null),
  };
}
