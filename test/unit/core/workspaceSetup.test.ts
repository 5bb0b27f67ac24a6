import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cloneScript } from '../../../src/core/cloneScript.ts';
import { usefulLines } from '../../../src/core/cloneTold.ts';
import { moveInScript, unpackScript } from '../../../src/core/setupScripts.ts';
import { type SetupSources, setUpWorkspace } from '../../../src/core/workspaceSetup.ts';
import { InstanceConfig, type InstanceConfigInput, type InstanceRecord } from '../../../src/model/instance.ts';
import { surveyFolder } from '../../../src/storage/folderSurvey.ts';
import { packFolder } from '../../../src/storage/packFolder.ts';
import { newSpec } from '../../contract/specs.ts';
import { GitServer } from '../../fakes/gitServer.ts';
import { loneContext } from '../../fakes/loneProvider.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';

const id = 'k3x9q2m7w1ab';
let root: string;
let home: string;
let place: MemoryPlace;
let provider: MemoryProvider;
let server: GitServer;
const workspace = (...names: string[]) => path.join(home, 'workspace', ...names);
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-C', path.join(root, 'origin'), ...args]);

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'setup-'));
  home = path.join(root, 'homes', id);
  mkdirSync(path.join(root, 'origin', 'src'), { recursive: true });
  writeFileSync(path.join(root, 'origin', 'src', 'main'), 'theirs');
  writeFileSync(path.join(root, 'origin', '.hidden'), '');
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '-m', 'first');
  server = await GitServer.start();
  server.publish(path.join(root, 'origin'));
  place = new MemoryPlace({ homes: path.join(root, 'homes') });
  provider = new MemoryProvider(place);
  const { identity, ...spec } = newSpec('a'.repeat(16), { name: 'one' });
  await provider.createInstance({ ...spec, identity: { ...identity, id } });
});
afterEach(async () => {
  await place.dispose();
  server.dispose();
  rmSync(root, { recursive: true, force: true });
});

const sources: SetupSources = {
  surveyFolder: (folder, signal) => surveyFolder(folder, [], signal),
  packFolder: (folder, workspace, signal, note) => packFolder(folder, workspace, [], signal, note),
  gitCredential: () => undefined,
};
const setUp = (source: InstanceConfigInput['source'], from = sources) => {
  const config = InstanceConfig.parse({ name: 'one', source });
  return setUpWorkspace(provider, { id, config } as InstanceRecord, from, loneContext);
};
const clone = (ref?: string) => setUp({ kind: 'git', url: server.url, ...(ref && { ref }) });
const copy = (from = sources) => setUp({ kind: 'folder', path: path.join(root, 'origin') }, from);
const run = (command: string) =>
  spawn('/bin/sh', ['-c', command], { env: { PATH: process.env.PATH ?? '', HOME: home }, stdio: 'ignore' });

/** Everything below the home that this is about, but git's own. */
const files = () =>
  readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter(name => /^(workspace|\.remote-swarm-setup)\//.test(name) && !name.includes('.git'))
    .sort();
const filled = ['workspace/.hidden', 'workspace/src', 'workspace/src/main'];
const done = ['.remote-swarm-setup/done', ...filled];

describe.each([
  ['a repository', () => clone()],
  ['a folder', () => copy()],
])('a first set-up from %s', (_, first) => {
  test('fills an empty workspace, once', async () => {
    expect(await first()).toEqual({ status: 'done', problems: [] });
    expect(files()).toEqual(done);
    expect(existsSync(workspace('.git', 'HEAD'))).toBe(true);
    writeFileSync(workspace('src', 'main'), 'mine');
    rmSync(workspace('.hidden'));
    expect(await first()).toEqual({ status: 'done', problems: [] });
    expect(readFileSync(workspace('src', 'main'), 'utf8')).toBe('mine');
    expect(existsSync(workspace('.hidden'))).toBe(false);
  });

  test('touches nothing in a workspace that it did not fill, and says so', async () => {
    mkdirSync(workspace('src'));
    writeFileSync(workspace('src', 'main'), 'mine');
    expect(await first()).toEqual({ status: 'failed', problems: [expect.stringContaining('left as it is')] });
    expect(files()).toEqual(['workspace/src', 'workspace/src/main']);
    expect(readFileSync(workspace('src', 'main'), 'utf8')).toBe('mine');
  });

  test('goes on with the moving that was cut off, and writes over nothing', async () => {
    const full = path.join(home, '.remote-swarm-setup', 'full');
    mkdirSync(full, { recursive: true });
    writeFileSync(path.join(full, 'last'), 'theirs');
    symlinkSync('nowhere', path.join(full, '.link'));
    writeFileSync(workspace('first'), 'edited');
    expect(await first()).toEqual({ status: 'done', problems: [] });
    expect(files()).toEqual(['.remote-swarm-setup/done', 'workspace/.link', 'workspace/first', 'workspace/last']);
    expect(readFileSync(workspace('first'), 'utf8')).toBe('edited');
  });

  test('of what was not moved yet, leaves what somebody else has put there', async () => {
    const full = path.join(home, '.remote-swarm-setup', 'full');
    mkdirSync(full, { recursive: true });
    writeFileSync(path.join(full, 'last'), 'theirs');
    writeFileSync(workspace('last'), 'mine');
    expect(await first()).toMatchObject({ status: 'failed', problems: [expect.stringContaining('last')] });
    expect(readFileSync(workspace('last'), 'utf8')).toBe('mine');
    expect(readFileSync(path.join(full, 'last'), 'utf8')).toBe('theirs');
  });

  test('removes what an earlier try has left, and its lock', async () => {
    const left = path.join(home, '.remote-swarm-setup', 'part-old');
    mkdirSync(left, { recursive: true });
    symlinkSync('4194999', path.join(home, '.remote-swarm-setup', 'lock'));
    expect(await first()).toEqual({ status: 'done', problems: [] });
    expect(files()).toEqual(done);
  });

  test('waits for a script whose window is gone', async () => {
    const lock = path.join(home, '.remote-swarm-setup', 'lock');
    const other =
      run(`: .remote-swarm-setup; mkdir "$HOME/.remote-swarm-setup"; ln -s $$ "$HOME/.remote-swarm-setup/lock"
      until [ -e "$HOME/go" ]; do sleep 0.05; done
      echo edited >"$HOME/workspace/edited"; rm "$HOME/.remote-swarm-setup/lock"; :`);
    const ended = new Promise(resolve => other.once('close', resolve));
    await expect.poll(() => lstatSync(lock, { throwIfNoEntry: false })?.isSymbolicLink()).toBe(true);
    const waiting = first();
    await expect.poll(() => place.calls.includes('executeCommand')).toBe(true);
    writeFileSync(path.join(home, 'go'), '');
    expect(await waiting).toMatchObject({ status: 'failed', problems: [expect.stringContaining('left as it is')] });
    await ended;
    expect(files()).toEqual(['workspace/edited']);
  });
});

describe('what is cut off', () => {
  test('a clone that runs on when its window is gone fills no workspace', async () => {
    const orphan = run(cloneScript(workspace(), 'orphan', { url: server.url, withCredential: false, silence: 60 }));
    await new Promise(resolve => orphan.once('close', resolve));
    expect(readdirSync(workspace())).toEqual([]);
    writeFileSync(workspace('mine'), '');
    const late = run(moveInScript(workspace(), 'orphan'));
    expect(await new Promise(resolve => late.once('close', resolve))).not.toBe(0);
    expect(files()).toEqual(['workspace/mine']);
  });

  test('a tar whose sender is gone, cut between two files, fills no workspace', async () => {
    const tar = execFileSync('tar', ['-C', path.join(root, 'origin'), '-c', './.hidden', './src']);
    const env = { PATH: process.env.PATH ?? '', HOME: home };
    execFileSync('/bin/sh', ['-c', unpackScript(workspace(), 'orphan')], { input: tar.subarray(0, 512), env });
    expect(readdirSync(workspace())).toEqual([]);
    expect(await copy()).toEqual({ status: 'done', problems: [] });
    expect(files()).toEqual(done);
  });
});

test('a folder is unpacked by tar as it is, whatever variables the instance has', async () => {
  const instance = place.instances.get(id);
  if (instance) instance.variables = { TAR_OPTIONS: '--to-command=false', PATH: '/nowhere' };
  const config = InstanceConfig.parse({
    ...{ name: 'one', env: instance?.variables, source: { kind: 'folder', path: path.join(root, 'origin') } },
  });
  const setup = await setUpWorkspace(provider, { id, config } as InstanceRecord, sources, loneContext);
  expect(setup).toEqual({ status: 'done', problems: [] });
  expect(files()).toEqual(done);
});

describe('an instance that does nothing', () => {
  const times = { silence: 60, stall: 60, fill: 60, extension: 60 };
  const patient = (source: InstanceConfigInput['source'], extensions: string[], change: Partial<typeof times>) => {
    const config = InstanceConfig.parse({ name: 'one', source, extensions });
    const record = { id, config } as InstanceRecord;
    return setUpWorkspace(provider, record, sources, loneContext, undefined, { ...times, ...change });
  };

  test('with an extension is waited for so long and no longer', async () => {
    place.hang('executeCommand');
    const { problems } = await patient({ kind: 'empty' }, ['publisher.name'], { extension: 0.2 });
    expect(problems).toEqual([expect.stringMatching(/publisher\.name failed: it was not through after/)]);
  });

  test('with a folder is waited for so long and no longer, whether it took some of it or nothing', async () => {
    const folder = { kind: 'folder', path: path.join(root, 'origin') } as const;
    place.hang('executeCommand');
    const nothing = await patient(folder, [], { stall: 0.2 });
    writeFileSync(path.join(root, 'origin', 'big'), Buffer.alloc(8_000_000));
    const bin = path.join(root, 'bin');
    mkdirSync(bin);
    // Takes a little, and then nothing for longer than anybody waits.
    writeFileSync(path.join(bin, 'tar'), '#!/bin/sh\nhead -c 100 >/dev/null; exec sleep 300\n', { mode: 0o755 });
    const instance = place.instances.get(id);
    const PATH = `${bin}${path.delimiter}${process.env.PATH}`;
    if (instance) instance.variables = { PATH };
    const some = await patient(folder, [], { stall: 1 });
    for (const { problems } of [nothing, some])
      expect(problems).toEqual([expect.stringContaining('the instance took nothing for')]);
  });
});

describe('what is told', () => {
  test('a branch that is not there is named, and what was fetched stays', async () => {
    const { status, problems } = await clone('nope');
    expect({ status, problems }).toEqual({
      status: 'failed',
      problems: [expect.stringContaining('no branch, tag or commit "nope"')],
    });
    expect(files()).toEqual(done);
  });

  test('a branch that is there is checked out', async () => {
    git('checkout', '--quiet', '-b', 'other');
    git('rm', '--quiet', '.hidden');
    git('commit', '--quiet', '-m', 'second');
    git('checkout', '--quiet', '-');
    server.publish(path.join(root, 'origin'));
    expect(await clone('other')).toEqual({ status: 'done', problems: [] });
    expect(existsSync(workspace('.hidden'))).toBe(false);
  });

  test('files that were in motion are a note, and the copy is done', async () => {
    const noted: SetupSources = {
      ...sources,
      packFolder: (folder, at, signal, note) => {
        note('it moved');
        return sources.packFolder(folder, at, signal, note);
      },
    };
    expect(await copy(noted)).toEqual({ status: 'done', problems: ['it moved'] });
  });

  test.each([
    [
      'Host key verification failed.\nfatal: Could not read.\n\nPlease make sure\nand exists.\n',
      'Host key verification failed. fatal: Could not read.',
    ],
    ['one\ntwo\n\nthree\nfour\n', 'two three four'],
    ['', ''],
  ])('of %j the useful lines', (text, useful) => {
    expect(usefulLines(text)).toBe(useful);
  });
});
