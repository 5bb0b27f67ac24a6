import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Processes, ProcessRow } from './processes.ts';

const columns = 'pid=,ppid=,stat=,lstart=';

/** Runs `ps` with these arguments and answers with what it prints; rejects when no process matched. */
export type Ps = (args: readonly string[]) => Promise<string>;

const systemPs: Ps = async args =>
  (await promisify(execFile)('/bin/ps', [...args], { env: { LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024 })).stdout;

/** Processes as `ps` shows them. A process that was looked up once is only asked for its presence from then on. */
export class MacProcesses implements Processes {
  readonly #ps: Ps;
  readonly #startTimes = new Map<number, string>();

  constructor(ps = systemPs) {
    this.#ps = ps;
  }

  async startTime(pid: number): Promise<string | undefined> {
    if (!exists(pid)) {
      this.#startTimes.delete(pid);
      return undefined;
    }
    const known = this.#startTimes.get(pid);
    if (known !== undefined) return known;
    const output = await this.#ps(['-o', columns, '-p', String(pid)]).catch(() => '');
    const startTime = parsePs(output)[0]?.startTime;
    if (startTime !== undefined) this.#startTimes.set(pid, startTime);
    return startTime;
  }

  async rows(): Promise<ProcessRow[]> {
    const rows = parsePs(await this.#ps(['-axo', columns]));
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
    const [, pid, parent, state, startTime] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line) ?? [];
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
