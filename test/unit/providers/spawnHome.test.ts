import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { spawnHome } from '../../../src/providers/spawnHome.ts';

test('by an editor’s own program a home is read as it is, with files that are called as its archives', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'remote-swarm-home-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const program = path.join(home, 'program.mjs');
  const names = ['ELECTRON_RUN_AS_NODE', 'ELECTRON_NO_ASAR'];
  writeFileSync(
    program,
    `console.log(${JSON.stringify(names)}.map(name => process.env[name]).join()); console.error('done');`,
  );
  const { output, done } = spawnHome('abcdefabcdef', 'local', program, home, 'digest');
  expect(await text(output)).toBe('1,1\n');
  await done;
});
