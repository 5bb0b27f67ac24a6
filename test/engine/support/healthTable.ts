import { expect } from 'vitest';
import type { HealthStatus, InstanceHealth, RecoveryCause, RecoveryRung } from '../../../src/model/health.ts';
import type { WatchedSwarm } from './watchedSwarm.ts';

/** What befalls an instance, and what has to come of it. Times in milliseconds after it. */
export interface Fault {
  readonly name: string;
  /** What the fault needs to find. */
  before?(id: string): unknown;
  befall(id: string): unknown;
  readonly verdict: HealthStatus;
  /** Of the acts, or one of these; where there are none, what is said instead. */
  readonly cause?: RecoveryCause | readonly RecoveryCause[];
  /** Acts that follow, in their order. */
  readonly acts: readonly RecoveryRung[];
  /** What is said of it, or of what happens next. */
  readonly says: RegExp;
  readonly seenWithin: number;
  /** Rounds that go by between the verdict and `undo`, and bring no act. */
  readonly rounds?: number;
  /** Without it the instance has to be well again by itself. */
  undo?(id: string): unknown;
  /** Absent: it is not well again before a person has helped. */
  readonly wellWithin?: number;
}

/** How it went. */
export interface FaultRow {
  readonly place: string;
  readonly fault: string;
  /** Each status that it had, in their order. */
  readonly statuses: readonly HealthStatus[];
  readonly cause: string;
  readonly acts: string;
  readonly seen: number;
  /** When the last act had succeeded: its editor server answered. */
  readonly mended?: number;
  readonly well?: number;
  readonly says: string;
}

/** Has healthy instances suffer the fault, and sees that what follows on each of them is what has to. */
export async function suffer(
  place: string,
  swarm: WatchedSwarm,
  ids: readonly string[],
  fault: Fault,
): Promise<FaultRow> {
  const attemptsOf = (id: string) => swarm.health(id).recovery.attempts;
  const earlier = new Map(ids.map(id => [id, attemptsOf(id).length]));
  const newAttempts = (id: string) => attemptsOf(id).slice(earlier.get(id));
  const [first = ''] = ids;
  /** On all of them; when the last one is so. */
  const all = async (since: number, what: string, holds: (health: InstanceHealth) => boolean, within: number) => {
    const entries = await Promise.all(ids.map(id => swarm.until(id, since, what, holds, within)));
    return Math.max(...entries.map(({ at }) => at));
  };

  await fault.before?.(first);
  const began = performance.now();
  await fault.befall(first);
  const isSeen = (health: InstanceHealth) => health.status === fault.verdict && fault.says.test(told(health));
  const seen = await all(began, `${fault.verdict}, saying ${fault.says}`, isSeen, fault.seenWithin);
  const says = told((await swarm.until(first, began, fault.verdict, isSeen, 0)).health);
  if (fault.rounds !== undefined) {
    await roundsGoBy(swarm, first, fault.rounds);
    expect(ids.flatMap(newAttempts)).toEqual([]);
  }
  const undone = fault.undo ? performance.now() : began;
  await fault.undo?.(first);
  const { wellWithin, acts, cause } = fault;
  const isMended = ({ id, recovery }: InstanceHealth) =>
    recovery.attempts.length === (earlier.get(id) ?? 0) + acts.length &&
    recovery.attempts.at(-1)?.outcome === 'succeeded';
  const mended =
    acts.length > 0 && wellWithin !== undefined
      ? await all(undone, `mended by ${acts}`, isMended, wellWithin)
      : undefined;
  const well =
    wellWithin === undefined
      ? undefined
      : await all(mended ?? undone, 'healthy', ({ status }) => status === 'healthy', wellWithin);
  for (const id of ids) {
    const attempts = newAttempts(id);
    expect(attempts.map(({ rung }) => rung)).toEqual(acts);
    for (const attempt of attempts) expect([cause].flat()).toContain(attempt.cause);
  }
  return {
    place,
    fault: fault.name,
    statuses: swarm.statuses(first, began),
    cause: newAttempts(first).at(-1)?.cause ?? '–',
    acts: newAttempts(first)
      .map(({ rung, outcome }) => (outcome === 'succeeded' ? rung : `${rung} (${outcome})`))
      .join(', '),
    seen: seen - began,
    ...(mended !== undefined && { mended: mended - undone }),
    ...(well !== undefined && { well: well - undone }),
    says,
  };
}

/** Waits until that many more rounds have judged the instance. */
export async function roundsGoBy(swarm: WatchedSwarm, id: string, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const { at } = swarm.health(id).checks[0] ?? { at: '' };
    await swarm.until(id, performance.now(), 'judged again', ({ checks }) => checks[0]?.at !== at, 30_000);
  }
}

/** What is shown of it: why it is so, and what happens next. */
export const told = ({ reason, next, recovery }: InstanceHealth) =>
  [recovery.crashLoop ? `Crash loop. ${recovery.crashLoop.reason}` : reason, next?.act].filter(Boolean).join(' → ');

/** As Markdown, for `test/engine/README.md`. Seconds after the fault, or after its end where something ends it. */
export function faultTable(rows: readonly FaultRow[]): string {
  const seconds = (milliseconds: number | undefined) =>
    milliseconds === undefined ? '–' : (milliseconds / 1000).toFixed(1);
  const lines = rows.map(({ place, fault, statuses, cause, acts, seen, mended, well, says }) => {
    const times = [seen, mended, well].map(seconds);
    return [place, fault, statuses.join(' → '), cause, acts || 'none', ...times, says].join(' | ');
  });
  const head = 'Place | Fault | Status | Cause | Acts | Seen, s | Answers again, s | Healthy, s | What is said';
  return [head, head.replace(/[^|]+/g, ' --- '), ...lines].map(line => `| ${line.trim()} |`).join('\n');
}
