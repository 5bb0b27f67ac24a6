import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdsState, moveState } from '../../../src/vscode/moveState.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'remote-swarm-move-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('the state is moved, and what else lies there is left alone', async () => {
  const [from, to] = [path.join(root, 'from'), path.join(root, 'deep', 'to')];
  await mkdir(path.join(from, 'instances'), { recursive: true });
  await writeFile(path.join(from, 'swarm.json'), '{}');
  await writeFile(path.join(from, 'instances', 'a.json'), 'A');
  await writeFile(path.join(from, 'other'), 'mine');

  await moveState(['swarm.json', 'instances', 'audit'], from, to);

  expect(await readdir(from)).toEqual(['other']);
  expect((await readdir(to)).toSorted()).toEqual(['instances', 'swarm.json']);
  expect(await readFile(path.join(to, 'instances', 'a.json'), 'utf8')).toBe('A');
  expect([await holdsState(from), await holdsState(to)]).toEqual([false, true]);
});

test('what was cut off before its end can be done again', async () => {
  const [from, to] = [path.join(root, 'from'), path.join(root, 'to')];
  await mkdir(path.join(from, 'instances'), { recursive: true });
  await mkdir(path.join(to, '.instances.moving'), { recursive: true });
  await writeFile(path.join(to, '.instances.moving', 'half.json'), 'h');
  await writeFile(path.join(from, 'instances', 'a.json'), 'A');
  await writeFile(path.join(from, 'swarm.json'), '{}');

  expect(await holdsState(to)).toBe(false);
  await moveState(['swarm.json', 'instances'], from, to);
  expect(await readdir(path.join(to, 'instances'))).toEqual(['a.json']);
});
