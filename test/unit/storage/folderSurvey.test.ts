import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { surveyFolder, usualLimits } from '../../../src/storage/folderSurvey.ts';

let root: string;
const at = (...names: string[]) => path.join(root, ...names);
const put = (name: string, content: string | Buffer = '') => {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
};
beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'survey-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const never = new AbortController().signal;
const survey = (folder: string, places: string[] = [], limits = {}) =>
  surveyFolder(folder, places, never, { ...usualLimits, ...limits });
const refused = { code: 'invalid-input' };
const tooLarge = { code: 'folder-too-large' };

/** A storage with a local instance in it, and what lies around it. */
function storage() {
  for (const file of ['token', 'instance.json', 'environment.json'])
    put(`me/storage/local/k3x9--owner/reserved/${file}`);
  put('me/storage/local/k3x9--owner/home/workspace/file');
  put('me/storage/swarm.json');
  put('me/project/file', '12345');
  return at('me', 'storage');
}

describe('the storage of this extension', () => {
  test.each([
    ['itself', 'me/storage'],
    ['a folder in it', 'me/storage/local'],
    ['an instance in it', 'me/storage/local/k3x9--owner'],
    ['its reserved folder', 'me/storage/local/k3x9--owner/reserved'],
    ['a workspace deep in it', 'me/storage/local/k3x9--owner/home/workspace'],
    ['it by a way around', 'me/project/../storage/local'],
    ['a link to it', 'link'],
    ['a folder behind a link to it', 'link/local'],
    ['a link to a folder in it', 'deep'],
  ])('is refused: %s', async (_, folder) => {
    const place = storage();
    symlinkSync(place, at('link'));
    symlinkSync(at('me/storage/local/k3x9--owner/reserved'), at('deep'));
    await expect(survey(at() + path.sep + folder, [place])).rejects.toMatchObject(refused);
  });

  test('is refused by another name of it, as a mount has', async ({ skip }) => {
    const place = storage();
    mkdirSync(at('mount'));
    // Needs its own mounts, which not every machine lets one have.
    const script = `import('${path.resolve('src/storage/folderSurvey.ts')}').then(async ({ surveyFolder }) => {
      for (const folder of process.argv.slice(2)) {
        await surveyFolder(folder, [process.argv[1]], new AbortController().signal).then(
          ({ ours }) => console.log('taken', ours.join()), error => console.log(error.code));
      }
    })`;
    const run = `mount --bind "$1/local/k3x9--owner/reserved" "$2" && exec "$3" --input-type=module -e "$4" "$1" "$2" "$5"`;
    let said: string;
    try {
      const args = ['-rm', 'sh', '-c', run, 'sh', place, at('mount'), process.execPath, script, at()];
      said = execFileSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      return skip('unshare cannot mount here');
    }
    expect(said.trim().split('\n')).toEqual(['invalid-input', 'taken mount,me/storage']);
  });

  test('is left out of what lies above it, under whatever name', async () => {
    const place = storage();
    symlinkSync(place, at('link'));
    expect(await survey(at(), [at('link')])).toMatchObject({ ours: ['me/storage'], bytes: 5 });
  });

  test.each([
    ['the state of another window', 'other', ['swarm.json', 'instances/one.json']],
    ['the storage of another profile', 'other', ['swarm.json', 'local/x']],
    ['what an instance elsewhere holds as a secret', 'other/reserved', ['token', 'instance.json', 'environment.json']],
  ])('%s is refused, and left out', async (_, folder, files) => {
    for (const file of files) put(`${folder}/${file}`);
    put('file', '123');
    await expect(survey(at(folder))).rejects.toMatchObject(refused);
    expect(await survey(at())).toMatchObject({ ours: [folder], bytes: 3 });
  });
});

describe('how much it is', () => {
  test('is told in bytes and files; one of several names once', async () => {
    put('a', '12345');
    put('b/c', '123');
    linkSync(at('a'), at('b', 'again'));
    symlinkSync('/', at('root'));
    expect(await survey(at())).toMatchObject({ path: root, bytes: 8, files: 5, special: [], ours: [] });
  });

  test('the whole disk is refused at once', async () => {
    const began = performance.now();
    await expect(survey('/')).rejects.toMatchObject(refused);
    await expect(survey('/tmp/..')).rejects.toMatchObject(refused);
    await expect(survey('/proc')).rejects.toMatchObject(refused);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test.each([
    ['files', { files: 100 }, /101 files/],
    ['bytes', { bytes: 1_000 }, /At most/],
    ['seconds', { seconds: 0 }, /within 0 seconds/],
    ['pipes', { leftOut: 2 }, /3 sockets/],
  ])('too many %s are told with numbers and what to do', async (_, limits, said) => {
    for (let index = 0; index < 150; index++) put(`f${index}`, '12345678901234567890');
    if ('leftOut' in limits) execFileSync('mkfifo', [at('p1'), at('p2'), at('p3')]);
    await expect(survey(at(), [], limits)).rejects.toMatchObject({
      ...tooLarge,
      message: expect.stringMatching(said),
      hint: expect.stringContaining('clone'),
    });
  });

  test('a file with a hole counts as what tar makes of it', async () => {
    put('hole');
    truncateSync(at('hole'), 3 * 1024 ** 4);
    await expect(survey(at())).rejects.toMatchObject(tooLarge);
  });

  test('a look that is given up ends', async () => {
    put('a');
    const reason = new DOMException('Cancelled.', 'AbortError');
    await expect(surveyFolder(at(), [], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
