import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeTree } from '../../../src/providers/local/removeTree.ts';
import {
  asOrdinaryUser,
  giveToOrdinaryUser,
  moduleAsOrdinaryUser,
  ordinaryUserProblem,
} from '../../fakes/ordinaryUser.ts';

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

/** Trees that forbid their removal to whoever made them, as shell commands in an empty folder. */
const forbidding: Readonly<Record<string, string>> = {
  'a tree whose every part is read-only': 'mkdir -p tree/a/b && touch tree/f tree/a/f tree/a/b/f && chmod -R a-w tree',
  'folders that may be read and not be entered':
    'mkdir -p tree/a/b && touch tree/a/b/f && chmod 644 tree/a/b tree/a && chmod 600 tree',
  'folders that may be entered and not be read':
    'mkdir -p tree/a/b && touch tree/a/b/f && chmod 300 tree/a/b tree/a tree',
  'folders that forbid everything': 'mkdir -p tree/a/b && touch tree/a/b/f && chmod 0 tree/a/b tree/a tree',
  'read-only folders with paths that are too long for one':
    'mkdir tree && cd tree && d=$(printf %0200d 0) && for i in 1 2 3 4 5 6; do mkdir $d && touch f && cd -P $d; done && cd -P ../../../../../.. && chmod -R a-w .',
  'a file, and not a folder': 'touch tree && chmod 0 tree',
};

function removedByOrdinaryUser(): string {
  const code = `import { removeTree } from './removeTree.ts'; await removeTree(process.env.TREE ?? '');`;
  const folder = path.resolve(import.meta.dirname, '../../../src/providers/local');
  return moduleAsOrdinaryUser(code, folder, { TREE: path.join(directory, 'tree') });
}

describe.skipIf(ordinaryUserProblem)('whoever made it, and is not root, can remove', () => {
  test.each(Object.entries(forbidding))('%s', (_, made) => {
    giveToOrdinaryUser(directory);
    expect(asOrdinaryUser('sh', ['-c', made], { cwd: directory })).toMatchObject({ status: 0 });
    expect(removedByOrdinaryUser()).toBe('');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a link out of it, which leads where nothing is changed, and a name that is no text', () => {
    giveToOrdinaryUser(directory);
    const made =
      'mkdir -p tree/locked kept && touch "tree/locked/$(printf "x\\377\\376")" && ln -s ../../kept tree/locked/link && chmod 500 tree/locked kept';
    expect(asOrdinaryUser('sh', ['-c', made], { cwd: directory })).toMatchObject({ status: 0 });
    expect(removedByOrdinaryUser()).toBe('');
    expect(readdirSync(directory)).toEqual(['kept']);
    expect(statSync(path.join(directory, 'kept')).mode & 0o777).toBe(0o500);
  });
});
