import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../../../src/providers/local/removeTree.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-tree-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a tree whose paths are longer than the system takes is removed whole', async () => {
  const script =
    'import os\nos.chdir(os.environ["TOP"])\nfor _ in range(60):\n  os.mkdir("d" * 200)\n  open("f", "w").close()\n  os.chdir("d" * 200)';
  const made = spawnSync('python3', ['-c', script], { env: { ...process.env, TOP: directory }, encoding: 'utf8' });
  expect(made.stderr).toBe('');
  await removeTree(path.join(directory, 'd'.repeat(200)));
  expect(await readdir(directory)).toEqual(['f']);
});

test('what a link leads to stays, and nothing there is fine', async () => {
  await mkdir(path.join(directory, 'kept'));
  await writeFile(path.join(directory, 'kept', 'file'), '');
  await mkdir(path.join(directory, 'gone'));
  await symlink(path.join(directory, 'kept'), path.join(directory, 'gone', 'link'));
  await removeTree(path.join(directory, 'gone'));
  await removeTree(path.join(directory, 'gone'));
  expect(await readdir(path.join(directory, 'kept'))).toEqual(['file']);
});

test('it ends between files when it is cancelled', async () => {
  const many = path.join(directory, 'many');
  await mkdir(many);
  for (let file = 0; file < 100; file += 1) await writeFile(path.join(many, String(file)), '');
  await expect(removeTree(many, { signal: AbortSignal.abort(), report: () => {} })).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(await readdir(many)).toHaveLength(100);
});
