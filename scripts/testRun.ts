// What a run of `npm test` starts and makes on the machine, told from what others do there: by the run's own temporary
// folder, which is in the environment of all that it starts, and by the pids of its workers, which are in the names of
// what lies elsewhere.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MachineIdentity, whereabouts } from '../src/model/machineIdentity.ts';
import { LinuxProcesses } from '../src/providers/local/linuxProcesses.ts';
import { MacProcesses } from '../src/providers/local/macProcesses.ts';
import { isAlive, type Processes } from '../src/providers/local/processes.ts';
import { removeTree } from '../src/providers/local/removeTree.ts';
import { readMachine } from '../src/storage/thisMachine.ts';

/** Short, since paths of sockets below it are limited. */
const prefix = 'rst-';
const ownerFile = 'owner.json';
/** Each worker adds its pid, see `test/worker.ts`. */
const workersFile = 'workers';
/** Where the suites put what shall not lie in the temporary folder. */
const elsewhere = ['/dev/shm', '/var/tmp'];
/** Milliseconds that what was ended last may take to be gone. */
const patience = 10_000;

/** The process that a run belongs to. */
const Owner = z.object({ machine: MachineIdentity, pid: z.int(), startTime: z.string() });

/** Something that a run has left on the machine. */
interface Leftover {
  readonly what: string;
  readonly remove: () => unknown;
}

const entries = (folder: string) => quietly(() => readdirSync(folder)) ?? [];
const textOf = (file: string) => quietly(() => readFileSync(file, 'utf8')) ?? '';

function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    // It is gone, or it is somebody else's.
    return undefined;
  }
}

export class TestRun {
  /** Its temporary folder. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Begins one, after removing what runs that were killed have left. */
  static async begin(): Promise<TestRun> {
    const machine = await readMachine();
    const processes = process.platform === 'linux' ? new LinuxProcesses(machine) : new MacProcesses(machine);
    for (const name of entries(tmpdir()).filter(name => name.startsWith(prefix))) {
      const run = new TestRun(path.join(tmpdir(), name));
      if (!(await run.#isDead(processes))) continue;
      console.log(`Removing what a test run that was killed has left: ${run.folder}`);
      for (const what of await run.remove()) console.log(`  ${what}`);
    }
    const run = new TestRun(mkdtempSync(path.join(tmpdir(), prefix)));
    const owner = { machine, pid: process.pid, startTime: (await processes.startTime(process.pid)) ?? '' };
    writeFileSync(path.join(run.folder, ownerFile), JSON.stringify(owner));
    // Some tests have parts that run as another user.
    chmodSync(run.folder, 0o755);
    return run;
  }

  /** What the programs of the run are started with. */
  get env(): NodeJS.ProcessEnv {
    // The language is what LANG says, which some suites set.
    return { ...process.env, LC_ALL: undefined, TMPDIR: this.folder, REMOTE_SWARM_TEST_RUN: this.folder };
  }

  /** What is in its temporary folder, by the beginnings of the names. */
  temporary(): string[] {
    const names = entries(this.folder).filter(name => name !== ownerFile && name !== workersFile);
    const kinds = Map.groupBy(names, name => /^(?:[a-z]+-)*/.exec(name)?.[0] || name);
    return [...kinds].map(([kind, { length }]) => `${kind} (${length})`);
  }

  /** Removes its temporary folder, and all else that it has left; answers with what that was, in words. */
  async remove(): Promise<string[]> {
    const left: string[] = [];
    const removeAll = async (leftovers: Leftover[]) => {
      for (const { what, remove } of leftovers) {
        left.push(what);
        try {
          await remove();
        } catch (error) {
          left.push(`${what}, which stays: ${error}`);
        }
      }
    };
    // Whoever was told to end may need a moment.
    await this.#withoutProcesses();
    await removeAll(this.#processes());
    await this.#withoutProcesses();
    await removeAll(this.#mounts());
    await removeAll(this.#networks());
    await removeAll(this.#files());
    await removeTree(this.folder).catch(error => left.push(`file ${this.folder}, which stays: ${error}`));
    return left;
  }

  async #withoutProcesses(): Promise<void> {
    const deadline = performance.now() + patience;
    while (this.#processes().length > 0 && performance.now() < deadline) await sleep(100);
  }

  /** Whether the process that it belonged to is proven to be no more. */
  async #isDead(processes: Processes): Promise<boolean> {
    // What another user says is not believed: what it names would be ended and removed.
    if (quietly(() => statSync(this.folder))?.uid !== process.getuid?.()) return false;
    const said = quietly(() => Owner.parse(JSON.parse(textOf(path.join(this.folder, ownerFile)))));
    if (!said) return false;
    const where = whereabouts(said.machine, processes.machine);
    return where === 'gone' || (where === 'here' && !(await isAlive(processes, said)));
  }

  /** Pids of its workers, but for those that are somebody else's by now. */
  #workers(): string[] {
    const pids = new Set(textOf(path.join(this.folder, workersFile)).split('\n').filter(Boolean));
    return [...pids].filter(pid => !existsSync(`/proc/${pid}`) || textOf(`/proc/${pid}/environ`).includes(this.folder));
  }

  /** Whether what the system says of a process or a mount names a folder of this run. */
  #named(): (said: string) => boolean {
    const workers = new Set(this.#workers());
    return said =>
      said.includes(this.folder) ||
      [...said.matchAll(/\/remote-swarm-[\w-]+\/\w+\.(\d+)/g)].some(([, pid = '']) => workers.has(pid));
  }

  #processes(): Leftover[] {
    const isNamed = this.#named();
    return entries('/proc').flatMap(pid => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
      const command = textOf(`/proc/${pid}/cmdline`);
      const folder = quietly(() => readlinkSync(`/proc/${pid}/cwd`)) ?? '';
      // In a container the root is a mount of its own, which says where its layers lie.
      const root = textOf(`/proc/${pid}/mountinfo`)
        .split('\n')
        .find(line => line.split(' ')[4] === '/');
      const said = [textOf(`/proc/${pid}/environ`), command, folder, root ?? ''];
      if (!said.some(isNamed)) return [];
      const shown = command.replaceAll('\0', ' ').trim().slice(0, 200);
      return { what: `process ${pid}: ${shown}`, remove: () => quietly(() => process.kill(Number(pid), 'SIGKILL')) };
    });
  }

  #mounts(): Leftover[] {
    const isNamed = this.#named();
    const lines = textOf('/proc/self/mountinfo').split('\n').filter(isNamed).reverse();
    return lines.map(line => {
      const point = (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, code) =>
        String.fromCharCode(parseInt(code, 8)),
      );
      return { what: `mount ${point}`, remove: () => execFileSync('umount', ['-l', point], { stdio: 'pipe' }) };
    });
  }

  #networks(): Leftover[] {
    const ends = this.#workers().map(pid => Number(pid).toString(36));
    const isOurs = (name: string) => ends.some(end => new RegExp(`^r[sh]-\\w{1,6}${end}h?$`).test(name));
    const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
    const links = entries('/sys/class/net').filter(isOurs);
    const spaces = entries('/run/netns').filter(isOurs);
    return [
      ...links.map(name => ({ what: `network interface ${name}`, remove: () => ip('link', 'del', name) })),
      ...spaces.map(name => ({ what: `network namespace ${name}`, remove: () => ip('netns', 'del', name) })),
    ];
  }

  #files(): Leftover[] {
    const pids = this.#workers();
    const isOurs = (name: string) =>
      pids.some(pid => new RegExp(`^\\w+\\.${pid}$|^remote-swarm-.*-${pid}-`).test(name));
    const folders = elsewhere.flatMap(folder => [
      folder,
      ...entries(folder)
        .filter(name => /^remote-swarm-[a-z]/.test(name) && !isOurs(name))
        .map(name => path.join(folder, name)),
    ]);
    const files = folders.flatMap(folder =>
      entries(folder)
        .filter(isOurs)
        .map(name => path.join(folder, name)),
    );
    return files.map(file => ({ what: `file ${file}`, remove: () => removeTree(file) }));
  }
}
