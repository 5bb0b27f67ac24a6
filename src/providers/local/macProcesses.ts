import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { MachineIdentity } from '../../model/machineIdentity.ts';
import type { Processes, ProcessRow } from './processes.ts';

const columns = 'pid=,ppid=,stat=,lstart=';

/** Runs `ps` in an environment and answers with what it prints; rejects when no process matched. */
export type Ps = (args: readonly string[], env: Readonly<Record<string, string>>) => Promise<string>;

const systemPs: Ps = async (args, env) =>
  (await promisify(execFile)('/bin/ps', [...args], { env: { ...env }, maxBuffer: 16 * 1024 * 1024 })).stdout;

/** Its times are in local time: in one that no journey changes, a process has one start time for ever. */
const fixed = { LC_ALL: 'C', TZ: 'UTC' };
/** As earlier versions asked. */
const local = { LC_ALL: 'C' };

/** Processes as `ps` shows them. A process that was looked up once is only asked for its presence from then on. */
export class MacProcesses implements Processes {
  readonly machine: MachineIdentity;
  readonly #ps: Ps;
  readonly #startTimes = new Map<number, string>();

  constructor(machine: MachineIdentity, ps = systemPs) {
    this.machine = machine;
    this.#ps = ps;
  }

  async startTime(pid: number): Promise<string | undefined> {
    if (!exists(pid)) {
      this.#startTimes.delete(pid);
      return undefined;
    }
    const known = this.#startTimes.get(pid);
    if (known !== undefined) return known;
    const output = await this.#ps(['-o', columns, '-p', String(pid)], fixed).catch(() => '');
    const startTime = parsePs(output)[0]?.startTime;
    if (startTime !== undefined) this.#startTimes.set(pid, startTime);
    return startTime;
  }

  async formerStartTime(pid: number): Promise<string | undefined> {
    if (!exists(pid)) return undefined;
    return parsePs(await this.#ps(['-o', columns, '-p', String(pid)], local).catch(() => ''))[0]?.startTime;
  }

  async rows(): Promise<ProcessRow[]> {
    const rows = parsePs(await this.#ps(['-axo', columns], fixed));
    this.#startTimes.clear();
    for (const { pid, startTime } of rows) this.#startTimes.set(pid, startTime);
    return rows;
  }

  async hasVariable(): Promise<boolean> {
    return false;
  }
}

/** Lines of `pid ppid stat lstart`, the last of five words; processes that only wait to be reaped left out. */
export function parsePs(output: string): ProcessRow[] {
  return output.split('\n').flatMap(line => {
    const [, pid, parent, state, startTime] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*)$/.exec(line.trimEnd()) ?? [];
    if (!pid || !parent || !startTime || state?.startsWith('Z')) return [];
    return [{ pid: Number(pid), parent: Number(parent), startTime }];
  });
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
