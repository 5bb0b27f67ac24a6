import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { surveyFolder } from '../../../src/storage/folderSurvey.ts';
import { packFolder } from '../../../src/storage/packFolder.ts';
import { moduleAsOrdinaryUser, ordinaryUserProblem } from '../../fakes/ordinaryUser.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'own-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (...names: string[]) => path.join(root, ...names);
const never = new AbortController().signal;
const survey = (folder: string) => surveyFolder(folder, [], never);

/** Something that git takes for a repository, as far as this looks. */
function repository(...names: string[]): string {
  for (const folder of ['objects/info', 'objects/pack', 'refs']) mkdirSync(at(...names, folder), { recursive: true });
  writeFileSync(at(...names, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(at(...names, 'config'), '[core]\n\tbare = false\n');
  return at(...names);
}

async function unpacked(folder: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  const agreed = await survey(folder);
  for await (const chunk of packFolder(agreed, '/home/coder/workspace', [], never, () => {})) chunks.push(chunk);
  mkdirSync(at('copy'));
  execFileSync('tar', ['-x', '-C', at('copy')], { input: Buffer.concat(chunks) });
  return at('copy');
}

describe('what a folder has elsewhere', () => {
  test('is told before it is copied, with its size', async () => {
    repository('main', '.git');
    writeFileSync(at('main/.git/objects/pack/pack-00.pack'), 'x'.repeat(1000));
    mkdirSync(at('tree'));
    writeFileSync(at('tree/.git'), `gitdir: ${at('main/.git')}\n`);
    const { outside, bytes } = await survey(at('tree'));
    expect(outside).toEqual([at('main/.git')]);
    expect(bytes).toBeGreaterThan(1000);
  });

  test('counts against what is copied at most', async () => {
    repository('main', '.git');
    for (let count = 0; count < 30; count++) writeFileSync(at('main/.git', `file-${count}`), '');
    mkdirSync(at('tree'));
    writeFileSync(at('tree/.git'), `gitdir: ${at('main/.git')}\n`);
    const limits = { bytes: 1_000_000, files: 20, leftOut: 10, seconds: 60 };
    await expect(surveyFolder(at('tree'), [], never, limits)).rejects.toMatchObject({ code: 'folder-too-large' });
  });

  test.skipIf(ordinaryUserProblem !== undefined)('and may not be read is refused, with its name', () => {
    const umask = process.umask(0o022);
    onTestFinished(() => void process.umask(umask));
    repository('main', '.git');
    chmodSync(root, 0o755);
    chmodSync(at('main/.git/refs'), 0);
    mkdirSync(at('tree'));
    writeFileSync(at('tree/.git'), `gitdir: ${at('main/.git')}\n`);
    const code = `
      import { surveyFolder } from './src/storage/folderSurvey.ts';
      const error = await surveyFolder(process.env.FOLDER, [], new AbortController().signal).catch(error => error);
      console.log(error.code, error.message);`;
    const said = moduleAsOrdinaryUser(code, path.resolve(import.meta.dirname, '../../..'), { FOLDER: at('tree') });
    expect(said).toMatch(/^invalid-input /);
    expect(said).toContain(at('main/.git/refs'));
    chmodSync(at('main/.git/refs'), 0o755);
  });

  test.each([
    ['a folder with keys', () => writeFileSync(at('secret/id_rsa'), 'key')],
    ['one with a HEAD, too', () => writeFileSync(at('secret/HEAD'), 'key')],
    [
      'one that says that it shares its objects',
      () => {
        writeFileSync(at('secret/HEAD'), 'key');
        writeFileSync(at('secret/commondir'), '.\n');
      },
    ],
  ])('is not taken from %s that a .git file or a list of lenders names', async (_, fill) => {
    mkdirSync(at('secret'));
    fill();
    repository('tree', 'own', '.git');
    writeFileSync(at('tree/own/.git/objects/info/alternates'), `${at('secret')}\n`);
    writeFileSync(at('tree/.git'), `gitdir: ${at('secret')}\n`);
    const copy = await unpacked(at('tree'));
    expect(execFileSync('sh', ['-c', `grep -r key "$1" || true`, 'sh', copy], { encoding: 'utf8' })).toBe('');
  });

  test('has long and odd names in the copy, with what is in them', async () => {
    const name = `${'branch/'.repeat(30)}ümlaut "x"`;
    repository('main', '.git');
    mkdirSync(path.dirname(at('main/.git/refs', name)), { recursive: true });
    writeFileSync(at('main/.git/refs', name), 'abc');
    symlinkSync(at('main/.git'), at('link'));
    mkdirSync(at('tree'));
    writeFileSync(at('tree/.git'), `gitdir: ${at('link')}\n`);
    const copy = await unpacked(at('tree'));
    expect(readFileSync(path.join(copy, '.git/refs', name), 'utf8')).toBe('abc');
  });
});

test.each(['.hg/sharedpath', 'a/.sl/sharedpath', '.jj/repo', 'a/.jj/repo/store/git_target'])(
  '%s leads to no repository elsewhere in the copy, and to the copy’s own where that is in it',
  async name => {
    repository('elsewhere');
    for (const folder of ['out', 'in/own']) mkdirSync(path.dirname(at(folder, name)), { recursive: true });
    writeFileSync(at('out', name), `${at('elsewhere')}\n`);
    writeFileSync(at('in/own', name), `${at('in/own')}\n`);
    const { own } = await survey(at('out'));
    expect([own.leftOut, own.notes]).toEqual([
      [name],
      [expect.stringContaining(`${name} leads to the repository ${at('elsewhere')}`)],
    ]);
    const copy = await unpacked(at('in'));
    expect(readFileSync(path.join(copy, 'own', name), 'utf8')).toBe('/home/coder/workspace/own\n');
  },
);

test('whatever is in git’s pointers, the folder is looked at to its end', async () => {
  const pieces = ['gitdir: ', '/', '..', '.git', '\n', '\0', '\\', '"', '[', 'core', ']', 'worktree = ', 'ü', root];
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map(parts => parts.join(''));
  repository('tree', 'own', '.git');
  mkdirSync(at('tree/own/.git/worktrees/one'), { recursive: true });
  const files = ['.git', 'own/.git/config', 'own/.git/objects/info/alternates'];
  const all = [...files, 'own/.git/worktrees/one/gitdir', 'own/.git/worktrees/one/commondir'];
  await fc.assert(
    fc.asyncProperty(fc.tuple(...all.map(() => text)), async texts => {
      for (const [index, file] of all.entries()) writeFileSync(at('tree', file), texts[index] ?? '');
      expect((await survey(at('tree'))).path).toBe(at('tree'));
    }),
    { numRuns: 60 },
  );
});
