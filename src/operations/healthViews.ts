import * as z from 'zod';
import {
  CheckOutcome,
  HealthCheckName,
  HealthStatus,
  type InstanceHealth,
  RecoveryCause,
  RecoveryRung,
} from '../model/health.ts';
import { bytesOf, cut } from '../model/textCut.ts';

const mostBytes = 8 * 1024;
/** What the answer's frame takes: brackets, and the ids of all that are left out. */
const frameBytes = 400;

/** How much of each instance is told, from everything to the least that still helps. */
const levels = [
  { text: 200, attempts: 5, passed: true },
  { text: 100, attempts: 2, passed: true },
  { text: 60, attempts: 1, passed: false },
  { text: 30, attempts: 0, passed: false },
] as const;

type Level = (typeof levels)[number];

/** How one instance is, as a model gets it. */
export const HealthReport = z.strictObject({
  instanceId: z.string(),
  name: z.string(),
  status: HealthStatus.optional(),
  since: z.string().optional(),
  reason: z.string().optional(),
  next: z.strictObject({ act: z.string(), at: z.string().optional() }).optional(),
  pausedSince: z.string().optional(),
  checks: z
    .array(
      z.strictObject({
        name: HealthCheckName,
        outcome: CheckOutcome,
        seen: z.string(),
        latencyMs: z.number().optional(),
      }),
    )
    .optional(),
  attempts: z
    .array(
      z.strictObject({
        rung: RecoveryRung,
        cause: RecoveryCause,
        at: z.string(),
        outcome: z.string(),
        note: z.string().optional(),
      }),
    )
    .optional(),
  crashLoop: z.strictObject({ since: z.string(), reason: z.string() }).optional(),
  /** Why it could not be found out. */
  error: z.string().optional(),
});
export type HealthReport = z.infer<typeof HealthReport>;

/** What is known of one instance, or why nothing is. */
export interface HealthFinding {
  readonly instanceId: string;
  readonly name: string;
  readonly health?: InstanceHealth;
  readonly error?: string;
}

/** Reports of all that fit into 8 kB, in the order given, told more shortly the more there are; the ids of the rest. */
export function healthReports(findings: readonly HealthFinding[]): { instances: HealthReport[]; leftOut: string[] } {
  const sizeOf = (reports: readonly HealthReport[]) => bytesOf(JSON.stringify(reports)) + frameBytes;
  let reports: HealthReport[] = [];
  for (const level of levels) {
    reports = findings.map(finding => report(finding, level));
    if (sizeOf(reports) <= mostBytes) break;
  }
  const leftOut: string[] = [];
  while (sizeOf(reports) > mostBytes) {
    const last = reports.pop();
    if (last) leftOut.unshift(last.instanceId);
  }
  return { instances: reports, leftOut };
}

function report({ instanceId, name, health, error }: HealthFinding, level: Level): HealthReport {
  const short = (text: string) => cut(text, level.text);
  const about = { instanceId, name: short(name), ...(error !== undefined && { error: short(error) }) };
  if (!health) return about;
  const { status, since, reason, next, pausedSince, recovery } = health;
  const attempts = level.attempts === 0 ? [] : recovery.attempts.slice(-level.attempts);
  return {
    ...about,
    status,
    since,
    reason: short(reason),
    ...(next && { next: { act: short(next.act), ...(next.at !== undefined && { at: next.at }) } }),
    ...(pausedSince !== undefined && { pausedSince }),
    checks: health.checks
      .filter(({ outcome }) => level.passed || outcome !== 'passed')
      .map(({ name: check, outcome, seen, latencyMs }) => ({
        name: check,
        outcome,
        seen: short(seen),
        ...(latencyMs !== undefined && { latencyMs: Math.round(latencyMs) }),
      })),
    attempts: attempts.map(({ rung, cause, at, outcome, note }) => ({
      rung,
      cause,
      at,
      outcome,
      ...(note !== undefined && { note: short(note) }),
    })),
    ...(recovery.crashLoop && {
      crashLoop: { since: recovery.crashLoop.since, reason: short(recovery.crashLoop.reason) },
    }),
  };
}

/** The health of an instance beside its other facts. */
export const HealthBrief = z.strictObject({
  status: HealthStatus,
  reason: z.string(),
  /** Nothing more is done about it by itself. */
  crashLoop: z.boolean().optional(),
  paused: z.boolean().optional(),
});

export function healthBrief({ status, reason, recovery, pausedSince }: InstanceHealth): z.infer<typeof HealthBrief> {
  return {
    status,
    reason: cut(reason, 200),
    ...(recovery.crashLoop && { crashLoop: true }),
    ...(pausedSince !== undefined && { paused: true }),
  };
}
