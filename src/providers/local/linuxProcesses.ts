import { readdir, readFile, readlink } from 'node:fs/promises';
import type { MachineIdentity } from '../../model/machineIdentity.ts';
import type { ProcessDetails, Processes, ProcessRow } from './processes.ts';

/** Linux reports CPU time to programs in hundredths of a second, whatever the kernel's own tick. */
const ticksPerSecond = 100;

/** Processes as `/proc` shows them; spawns nothing. */
export class LinuxProcesses implements Processes, ProcessDetails {
  readonly machine: MachineIdentity;
  readonly #proc: string;
  #bootId: Promise<string> | undefined;

  constructor(machine: MachineIdentity, proc = '/proc') {
    this.machine = machine;
    this.#proc = proc;
  }

  async startTime(pid: number): Promise<string | undefined> {
    return (await this.#row(pid))?.startTime;
  }

  async rows(): Promise<ProcessRow[]> {
    const pids = (await readdir(this.#proc)).filter(name => /^\d+$/.test(name)).map(Number);
    const rows = await Promise.all(pids.map(pid => this.#row(pid)));
    return rows.filter(row => row !== undefined);
  }

  async hasVariable(pid: number, assignment: string): Promise<boolean> {
    // Another user's process can't be read, and is none of ours.
    const environment = await this.#read(pid, 'environ');
    const bytes = Buffer.from(assignment).toString('latin1');
    return `\0${environment}`.includes(`\0${bytes}\0`);
  }

  async usage(pid: number): Promise<{ cpuSeconds: number; memoryBytes: number }> {
    const [stat, rollup] = await Promise.all([this.#read(pid, 'stat'), this.#read(pid, 'smaps_rollup')]);
    const fields = parseStat(stat);
    const kibibytes = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
    return { cpuSeconds: (fields?.ticks ?? 0) / ticksPerSecond, memoryBytes: kibibytes * 1024 };
  }

  async listeningPorts(pids: readonly number[]): Promise<number[]> {
    const inodes = new Set((await Promise.all(pids.map(pid => this.#socketInodes(pid)))).flat());
    const tables = await Promise.all(['net/tcp', 'net/tcp6'].map(name => this.#read('self', name)));
    const ports = tables.flatMap(parseListeners).filter(listener => inodes.has(listener.inode));
    return [...new Set(ports.map(({ port }) => port))].sort((a, b) => a - b);
  }

  async #row(pid: number): Promise<ProcessRow | undefined> {
    const fields = parseStat(await this.#read(pid, 'stat'));
    if (!fields || fields.state === 'Z' || fields.state === 'X') return undefined;
    // Start times count from the boot, so that without its id two of different boots could be equal.
    this.#bootId ??= readFile(`${this.#proc}/sys/kernel/random/boot_id`, 'utf8').catch(() => '');
    return { pid, parent: fields.parent, startTime: `${(await this.#bootId).trim()}:${fields.startTicks}` };
  }

  async #socketInodes(pid: number): Promise<string[]> {
    const folder = `${this.#proc}/${pid}/fd`;
    const names = await readdir(folder).catch(() => []);
    const links = await Promise.all(names.map(name => readlink(`${folder}/${name}`).catch(() => '')));
    return links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  }

  /** Latin-1, so that any byte passes; empty when the process ended or is not ours. */
  #read(pid: number | 'self', name: string): Promise<string> {
    return readFile(`${this.#proc}/${pid}/${name}`, 'latin1').catch(() => '');
  }
}

/** A line of `/proc/<pid>/stat`; its second field, the name, may hold blanks and parentheses. */
export function parseStat(line: string) {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  if (!state || parent === undefined || fields.length < 20) return undefined;
  return {
    state,
    parent: Number(parent),
    startTicks: fields[19] ?? '',
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}

/** The listening sockets in `/proc/net/tcp` or `tcp6`. */
export function parseListeners(table: string): { port: number; inode: string }[] {
  return table
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(fields => fields[3] === '0A')
    .map(fields => ({ port: Number.parseInt(fields[1]?.split(':').at(-1) ?? '', 16), inode: fields[9] ?? '' }));
}
