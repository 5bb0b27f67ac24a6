import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FolderUse } from '../../../src/model/setupConsent.ts';
import { surveyFolder } from '../../../src/storage/folderSurvey.ts';
import { packFolder } from '../../../src/storage/packFolder.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

let root: string;
let place: MemoryPlace;
const at = (...names: string[]) => path.join(root, ...names);
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' });

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'agreed-'));
  place = new MemoryPlace({ homes: at('homes') });
  for (const name of ['main', 'private']) {
    git('init', '--quiet', at(name));
    writeFileSync(at(name, 'file'), `${name}\n`);
    git('-C', at(name), 'add', '.');
    git('-C', at(name), 'commit', '--quiet', '-m', `of ${name}`);
  }
  git('-C', at('main'), 'worktree', 'add', '--quiet', at('tree'));
});
afterEach(async () => {
  await place.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** An instance of the folder `tree`, with what happens while a person reads the question, and how it ended. */
async function created(meanwhile: () => void, isLasting = false) {
  const { controller } = memorySwarm({
    place,
    surveyFolder: (folder, signal) => surveyFolder(folder, [], signal),
    packFolder: (folder, workspace, signal, note) => packFolder(folder, workspace, [], signal, note),
  });
  await controller.initialize();
  const asked: FolderUse[] = [];
  const mayCopy = async (use: FolderUse) => {
    asked.push(use);
    meanwhile();
    return true;
  };
  const consent = { isLasting, mayUse: async () => true, mayCopy };
  const config = { name: 'one', source: { kind: 'folder', path: at('tree') } } as const;
  const { id, setup } = await controller.createInstance(config, '', undefined, {}, { consent });
  await controller.dispose();
  const log = () => git('-C', at('homes', id, 'workspace'), 'log', '--all', '--format=%s');
  const files = readdirSync(at('homes', id, 'workspace'));
  return { asked, setup, files, log };
}

describe('a folder that is a part of a repository elsewhere', () => {
  test('comes with the one that was agreed to', async () => {
    const { asked, setup, log } = await created(() => {});
    expect(asked).toMatchObject([{ path: at('tree'), outside: [at('main', '.git')] }]);
    expect(setup).toEqual({ status: 'done', problems: [] });
    expect(log()).toBe('of main\n');
  });

  const private_ = () => at('private', '.git');
  test.each<[string, () => void, boolean]>([
    ['its .git', () => writeFileSync(at('tree', '.git'), `gitdir: ${private_()}\n`), false],
    ['its .git, for a person', () => writeFileSync(at('tree', '.git'), `gitdir: ${private_()}\n`), true],
    [
      'a folder in it',
      () => {
        mkdirSync(at('tree', 'sub'));
        writeFileSync(at('tree', 'sub', '.git'), `gitdir: ${private_()}\n`);
      },
      false,
    ],
    [
      'a list of lenders',
      () => writeFileSync(at('main/.git/objects/info/alternates'), `${at('private/.git/objects')}\n`),
      false,
    ],
    ['a link in that repository', () => symlinkSync(private_(), at('main/.git/more')), false],
  ])('is not copied when %s leads to another one by then', async (_, change, isLasting) => {
    const { asked, setup, files } = await created(change, isLasting);
    expect(asked).toMatchObject([{ outside: [at('main', '.git')] }]);
    expect(files).toEqual([]);
    expect(setup).toEqual({
      status: 'failed',
      problems: [expect.stringMatching(/is a part of the repository .*private.* whose copy was not agreed to.*Create/)],
    });
    expect(setup?.problems.join()).toContain(at('tree'));
  });

  test('is refused where nobody could read the names of all', async () => {
    const lenders = Array.from({ length: 21 }, (_, index) => at('lenders', `${index}`));
    for (const lender of lenders) mkdirSync(lender, { recursive: true });
    writeFileSync(at('main/.git/objects/info/alternates'), `${lenders.join('\n')}\n`);
    await expect(created(() => {})).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('at most 20'),
    });
  });
});
