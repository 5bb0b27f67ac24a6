import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statfsSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { moveInScript, unpackScript } from '../../src/core/setupScripts.ts';
import { SwarmError } from '../../src/model/errors.ts';
import { checkSaid } from '../../src/providers/homeProgram.ts';
import {
  asOrdinaryUser,
  giveToOrdinaryUser,
  moduleAsOrdinaryUser,
  ordinaryUserProblem,
} from '../fakes/ordinaryUser.ts';
import { type FieldCase, fieldSuite } from './fieldSuite.ts';

const root = path.resolve(import.meta.dirname, '../..');
const program = readFileSync(path.join(root, 'media', 'instance', 'home.mjs'));

let scratch: string;
const at = (...names: string[]) => path.join(scratch, ...names);
const home = () => at('instance', 'home');
const other = () => at('other', 'home');

beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-field-'));
  giveToOrdinaryUser(scratch);
  sh('mkdir -p instance/home instance/reserved other/home other/reserved');
});
afterEach(() => {
  execFileSync('sh', ['-c', 'chmod -R u+rwx "$0"; rm -rf "$0"', scratch], { stdio: 'ignore' });
});

/** Commands of the person whose home it is, in the folder above. */
function sh(script: string, cwd = scratch): string {
  const { status, stdout, stderr } = asOrdinaryUser('sh', ['-e', '-c', script], { cwd });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout.toString().trim();
}

const fill = (script: string) => sh(script, home());

/** `home.mjs` beside a home, as its person; answers with what it told, or why it failed. */
function beside(folder: string, task: string, input: Uint8Array = new Uint8Array()) {
  const args = ['--input-type=module', '-e', program.toString(), task];
  const env = { PATH: process.env.PATH };
  const { stdout, stderr } = asOrdinaryUser(process.execPath, args, { cwd: folder, input, env });
  const said = stderr.toString().trim();
  if (said !== 'done') throw new Error(said);
  return stdout;
}

const factsOf = (folder: string) =>
  JSON.parse(beside(folder, 'digest').toString().trim().split('\n').at(-1) ?? '') as {
    digest: string;
    skipped: { names: string[] };
    attributed: { names: string[] };
  };

/** Brings the home to where the other one is, as a migration, a restore and a reset do. */
function bring(): void {
  beside(other(), 'import', beside(home(), 'export', beside(other(), 'list')));
}

/** Whether what was brought is what was there. */
function arrives(): boolean {
  bring();
  return factsOf(other()).digest === factsOf(home()).digest;
}

function refusalOf(work: () => void) {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    const { code, message, hint } = error;
    return { code, message, hint };
  }
}

const refusal = (work: () => unknown) => {
  try {
    work();
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
};

/** Removes it for good, as its person; answers with what is left. */
function purge(): string[] {
  const code = "import { removeTree } from './removeTree.ts'; await removeTree(process.env.TREE ?? '');";
  moduleAsOrdinaryUser(code, path.join(root, 'src', 'providers', 'local'), { TREE: home() });
  return readdirSync(at('instance'));
}

/** What a workspace holds that was filled with a folder, and how that ended. */
function copyIn(folder: string) {
  const env = { PATH: process.env.PATH, HOME: at('other', 'home') };
  const tar = execFileSync('tar', ['-C', folder, '-c', '-f', '-', '.']);
  const run = (script: string, input: Uint8Array = new Uint8Array()) =>
    asOrdinaryUser('sh', ['-c', script], { cwd: scratch, env, input }).status;
  const workspace = at('other', 'home', 'workspace');
  const ends = [run(unpackScript(workspace, 'field'), tar), run(moveInScript(workspace, 'field'))];
  return { ends, holds: sh(`cd '${workspace}' && find . -printf '%P %m\\n' | sort | tail -n +2`).split('\n') };
}

const modules = 'mkdir -p go/pkg/mod/a@v1/b && touch go/pkg/mod/a@v1/f go/pkg/mod/a@v1/b/f && chmod -R a-w go/pkg/mod';
const deep = (levels: number) =>
  execFileSync('python3', [
    '-c',
    `import os\nos.chdir(${JSON.stringify(home())})\nfor _ in range(${levels}):\n  os.mkdir("d", 0o777); os.chown("d", ${statSync(home()).uid}, ${statSync(home()).gid}); os.chdir("d")`,
  ]);

/** Elsewhere all of a large file is read, however little it holds. */
const tellsHoles = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630].includes(statfsSync(tmpdir()).type);

/** What only root can make for somebody else. */
const ofRoots: FieldCase[] = [
  {
    input: 'a home in which root has left something, deleted for good by its person',
    report: 'moby/moby#7198',
    right: {
      code: 'home-not-removed',
      message: '"HOME/built/by/root" could not be removed: EACCES: permission denied, unlink \'HOME/built/by/root\'.',
      hint: 'Remove it by hand: what another user owns needs that user or root ("sudo rm -rf"), what is immutable needs "chattr -i" before. Or end what holds it. It is tried again; what was begun to be removed cannot be brought back.',
      left: ['built', 'built/by', 'built/by/root'],
    },
    found: () => {
      fill('mkdir -p built mine && touch mine/f');
      execFileSync('sh', ['-c', 'mkdir -m 755 built/by && touch built/by/root'], { cwd: home() });
      const code = `import { removeTree } from './removeTree.ts';
        const { code, message, hint } = await removeTree(process.env.TREE ?? '').catch(error => error);
        console.log(JSON.stringify({ code, message, hint }));`;
      const said = moduleAsOrdinaryUser(code, path.join(root, 'src', 'providers', 'local'), { TREE: home() });
      const left = sh("find . -mindepth 1 -printf '%P\\n' | sort", home()).split('\n');
      return { ...JSON.parse(said.replaceAll(home(), 'HOME')), left };
    },
  },
];

const cases: FieldCase[] = [
  ...(process.getuid?.() === 0 ? ofRoots : []),
  {
    input: 'a home with the read-only module cache of Go, deleted for good',
    report: 'golang/go#27161',
    right: ['reserved'],
    found: () => {
      fill(modules);
      return purge();
    },
  },
  {
    input: 'a home with folders that may be read and not be entered, deleted for good',
    report: 'elastic/beats#24284',
    right: ['reserved'],
    found: () => {
      fill('mkdir -p a/b && touch a/b/f && chmod 600 a/b && chmod 644 a');
      return purge();
    },
  },
  {
    input: 'a home with a tree of 3,000 folders in each other, deleted for good',
    report: 'moby/moby#13451',
    right: ['reserved'],
    found: () => {
      deep(3_000);
      return purge();
    },
  },
  {
    input: 'a snapshot that is restored over read-only folders, of which one became a file',
    report: 'restic/restic#22056',
    right: true,
    found: () => {
      sh(modules, other());
      fill('mkdir -p go/pkg/mod/a@v1 && touch go/pkg/mod/a@v1/b && chmod 555 go/pkg/mod/a@v1 go/pkg/mod');
      return arrives();
    },
  },
  {
    input: 'a snapshot that is restored to where a read-only tree has to go, and a folder may not be read',
    report: 'thisisnotauser/a2#24',
    right: true,
    found: () => {
      sh(`${modules} && mkdir secret && touch secret/f`, other());
      fill('mkdir secret && touch secret/g');
      const list = beside(other(), 'list');
      sh('chmod 0 secret', other());
      beside(other(), 'import', beside(home(), 'export', list));
      return factsOf(other()).digest === factsOf(home()).digest;
    },
  },
  {
    input: 'a source folder with a read-only folder in it',
    report: 'python/cpython#24001',
    right: { ends: [0, 0], holds: ['.hidden 555', 'after 644', 'closed 555', 'closed/f 444'] },
    found: () => {
      fill('umask 022; mkdir closed .hidden && touch closed/f after && chmod 444 closed/f && chmod 555 closed .hidden');
      return copyIn(home());
    },
  },
  {
    input: 'a file that may not be read',
    report: 'bit-team/backintime#363',
    right: {
      code: 'home-task-failed',
      message:
        'The home of the instance "k3x9q2m7w1ab" on "host" could not be read or written: EACCES: permission denied, open "secrets/key".',
      hint: 'Mend what it names: what its owner may not read needs "chmod u+r", and a folder "chmod u+rx"; a disk that is full needs room. Then try again. Nothing was lost.',
    },
    found: () => {
      fill('mkdir secrets && touch secrets/key && chmod 0 secrets/key');
      const said = refusal(() => beside(home(), 'export', Buffer.from('{"digest":""}\n')));
      return refusalOf(() => checkSaid('k3x9q2m7w1ab', 'host', said));
    },
  },
  {
    input: 'files from before 1970',
    report: 'nodejs/node#64597',
    right: [-14_182_940_000, -1_500],
    found: () => {
      for (const [name, time] of [
        ['moon', '-14182940'],
        ['new year', '-1.5'],
      ] as const) {
        fill(`touch '${name}'`);
        utimesSync(path.join(home(), name), time, time);
      }
      bring();
      return ['moon', 'new year'].map(name => statSync(path.join(other(), name)).mtimeMs);
    },
  },
  {
    input: 'a tree of 4,000 folders in each other, with a path of 8,000 bytes',
    report: 'heroku/libcnb.rs#516',
    right: true,
    found: () => {
      deep(4_000);
      return arrives();
    },
  },
  {
    input: 'a folder where the record of what was read before is written',
    report: 'vbauer/manet#48',
    right: true,
    found: () => {
      sh('mkdir -p instance/reserved/hashes.new/full other/reserved/hashes && chmod 555 instance/reserved/hashes.new');
      fill('touch f');
      return arrives();
    },
  },
  {
    input: 'a disk image of 1 TiB that holds three words',
    report: 'borgbackup/borg#4886',
    right: { arrives: true, isQuick: true, holds: ['one', 'two', 'three'] },
    found: () => {
      const places = { one: 0, two: 5_000_000_000, three: 700_000_000_000 };
      fill('truncate -s 1T disk');
      for (const [word, place] of Object.entries(places))
        fill(`printf ${word} | dd of=disk bs=1 seek=${place} conv=notrunc status=none`);
      const began = performance.now();
      const found = { arrives: arrives(), isQuick: performance.now() - began < 30_000 };
      const wordAt = ([word, place]: [string, number]) =>
        sh(`tail -c +${place + 1} disk | head -c ${word.length}`, other());
      return { ...found, holds: Object.entries(places).map(wordAt) };
    },
  },
  {
    input: 'a pipe that nobody writes to, and a socket',
    report: 'duplicati/duplicati#876',
    right: { names: ['pipe', 'socket'], arrives: true },
    found: () => {
      fill(`mkfifo pipe && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'`);
      return { names: factsOf(home()).skipped.names, arrives: arrives() };
    },
  },
  {
    input: 'names that are no UTF-8, or hold a line break',
    report: 'oven-sh/bun#36059',
    right: { arrives: true, names: ['a\nb', 'caf\xe9'] },
    found: () => {
      for (const name of ['caf\xe9', 'a\nb'])
        writeFileSync(Buffer.concat([Buffer.from(`${home()}/`), Buffer.from(name, 'latin1')]), name);
      execFileSync('chown', ['-R', '--reference', home(), home()]);
      const found = { arrives: arrives() };
      const names = readdirSync(other(), { encoding: 'buffer' }).map(name => name.toString('latin1'));
      return { ...found, names: names.sort() };
    },
  },
  {
    input: 'files with several names, as pnpm makes them',
    report: 'pnpm/pnpm#3009',
    right: { arrives: true, names: 3 },
    found: () => {
      fill('mkdir store one two && echo x >store/f && ln store/f one/f && ln store/f two/f');
      return { arrives: arrives(), names: statSync(path.join(other(), 'two', 'f')).nlink };
    },
  },
];

if (ordinaryUserProblem) console.log(`homes as people bring them: not here, since ${ordinaryUserProblem}`);
else fieldSuite('homes', tellsHoles ? cases : cases.filter(({ input }) => !input.includes('disk image')));
