import { setTimeout as sleep } from 'node:timers/promises';
import { providerRefused } from '../../model/errors.ts';
import type { MachineIdentity } from '../../model/machineIdentity.ts';

/** One process, told apart from a later one with the same pid. `startTime` has no meaning but equality. */
export interface ProcessMark {
  readonly pid: number;
  readonly startTime: string;
}
export interface ProcessRow extends ProcessMark {
  readonly parent: number;
}

/** What the operating system tells of processes. Processes that have ended but were not reaped are not there. */
export interface Processes {
  /** Where they live: a pid of another machine says nothing. */
  readonly machine: MachineIdentity;
  /** Undefined when there is no such process. */
  startTime(pid: number): Promise<string | undefined>;
  /** How an earlier version wrote it down, where that was another way. */
  formerStartTime?(pid: number): Promise<string | undefined>;
  rows(): Promise<ProcessRow[]>;
  /** Whether `NAME=value` is in the environment that the process started with; false where that can't be seen. */
  hasVariable(pid: number, assignment: string): Promise<boolean>;
}

/** What more Linux tells. */
export interface ProcessDetails {
  /** CPU time so far in seconds and memory now in bytes, shared pages counted by their share. */
  usage(pid: number): Promise<{ cpuSeconds: number; memoryBytes: number }>;
  /** TCP ports on which any of the processes listens. */
  listeningPorts(pids: readonly number[]): Promise<number[]>;
}

/** For what was started on this machine. */
export async function isAlive(processes: Processes, mark: ProcessMark): Promise<boolean> {
  return (await processes.startTime(mark.pid)) === mark.startTime;
}

/** `root` with all its descendants, and whatever was started with the variable `assignment`, wherever it hangs now. */
export async function familyOf(
  processes: Processes,
  root: ProcessMark | undefined,
  assignment?: string,
): Promise<ProcessMark[]> {
  const rows = await processes.rows();
  const family = new Set(rows.filter(row => row.pid === root?.pid && row.startTime === root.startTime));
  if (assignment !== undefined) {
    for (const row of rows) if (await processes.hasVariable(row.pid, assignment)) family.add(row);
  }
  for (const member of family) {
    for (const row of rows) if (row.parent === member.pid) family.add(row);
  }
  return [...family];
}

/** How {@link endFamily} ends them. */
export interface EndOptions {
  /** How long the root gets to end by itself; 0 ends everything at once. */
  readonly graceMs: number;
  /** See {@link familyOf}. */
  readonly assignment?: string;
  /** Asked right before signals: rejects when they may not be sent any more. */
  readonly prove?: () => Promise<void>;
}

/** Ends `root`, its process group and its family, and resolves when none of them is left. Never signals a reused pid. */
export async function endFamily(
  processes: Processes,
  root: ProcessMark | undefined,
  { graceMs, assignment, prove = async () => {} }: EndOptions,
): Promise<void> {
  const known = await familyOf(processes, root, assignment);
  if (root && graceMs > 0 && (await isAlive(processes, root))) {
    await prove();
    signalGroup(root.pid, 'SIGTERM');
    await until(async () => !(await isAlive(processes, root)), graceMs);
  }
  const gone = async () => {
    const left = [...known, ...(await familyOf(processes, root, assignment))];
    const alive: ProcessMark[] = [];
    for (const mark of left) if (await isAlive(processes, mark)) alive.push(mark);
    if (alive.length > 0) await prove();
    for (const { pid } of alive) signal(pid, 'SIGKILL');
    return alive.length === 0;
  };
  if (!(await until(gone, 10_000))) {
    throw providerRefused(
      'processes-remain',
      'Some processes of the instance could not be ended.',
      'Look for processes in uninterruptible sleep, as on a network drive that hangs, and try again.',
    );
  }
}

/** Asks until it is so, or the time is over; answers whether it is so. */
async function until(condition: () => Promise<boolean>, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    if (await condition()) return true;
    if (performance.now() > deadline) return false;
    await sleep(pause);
  }
}

const signalGroup = (leader: number, name: NodeJS.Signals) => signal(-leader, name);

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended in between, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
