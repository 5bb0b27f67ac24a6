import * as z from 'zod';
import { InstanceId } from './instance.ts';

/** How an instance is (seed, Health Status). */
export const HealthStatus = z.enum(['healthy', 'degraded', 'unhealthy', 'recovering', 'unknown']);
export type HealthStatus = z.infer<typeof HealthStatus>;

/** The four checks (seed, Health Checks; semantics 5). */
export const HealthCheckName = z.enum(['provider', 'status', 'connectivity', 'resources']);
export type HealthCheckName = z.infer<typeof HealthCheckName>;

/** `unknown`: it could not be found out. `skipped`: there was nothing to look at, as in an instance that is stopped. */
export const CheckOutcome = z.enum(['passed', 'warned', 'failed', 'unknown', 'skipped']);
export type CheckOutcome = z.infer<typeof CheckOutcome>;

/** One check with its evidence (semantics 11). */
export const HealthCheck = z.strictObject({
  name: HealthCheckName,
  outcome: CheckOutcome,
  /** What was seen, in one sentence; secrets never get in here. */
  seen: z.string(),
  at: z.iso.datetime(),
  latencyMs: z.number().min(0).optional(),
  /** How many rounds in a row ended so. */
  times: z.int().min(1),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

/** The acts of recovery, from the mildest on (seed, Recovery Mechanisms; semantics 12). */
export const RecoveryRung = z.enum(['restart', 'recreate', 'migrate']);
export type RecoveryRung = z.infer<typeof RecoveryRung>;

/** Why an instance needs recovery; it picks the rung (semantics 13). */
export const RecoveryCause = z.enum([
  'exited',
  'out-of-memory',
  'unresponsive',
  /** Its place has no server for it any more, though its home may be there. */
  'missing',
  'home-missing',
  'disk-full',
  /** Its image or its configuration can't be run: trying again changes nothing. */
  'bad-config',
  'provider-gone',
]);
export type RecoveryCause = z.infer<typeof RecoveryCause>;

/** One act of recovery, kept until its budget is over, and for as long as it did not help. */
export const RecoveryAttempt = z.strictObject({
  rung: RecoveryRung,
  cause: RecoveryCause,
  at: z.iso.datetime(),
  /** `begun` on disk means that whoever began it never ended it. */
  outcome: z.enum(['begun', 'succeeded', 'failed']),
  /** Its instance was healthy after it. */
  helped: z.literal(true).optional(),
  /** What came of it, or why it failed, in one sentence. */
  note: z.string().optional(),
});
export type RecoveryAttempt = z.infer<typeof RecoveryAttempt>;

/** The counters of the ladder. They survive restarts, and begin anew after a time of good health. */
export const RecoveryState = z.strictObject({
  attempts: z.array(RecoveryAttempt),
  /** Set when the ladder has no rung left: nothing is done any more until a person resets it or changes the config. */
  crashLoop: z.strictObject({ since: z.iso.datetime(), reason: z.string() }).optional(),
  /** The record's revision when a person last reset the counters: what comes from an earlier one does not count. */
  resetRevision: z.int().min(0).optional(),
});
export type RecoveryState = z.infer<typeof RecoveryState>;

/** One point of the plots. CPU in cores, sizes in bytes. */
export const HealthSample = z.strictObject({
  at: z.iso.datetime(),
  status: HealthStatus,
  latencyMs: z.number().min(0).optional(),
  cpuCores: z.number().min(0).optional(),
  memoryBytes: z.number().min(0).optional(),
  memoryLimitBytes: z.number().min(0).optional(),
  diskUsedBytes: z.number().min(0).optional(),
  diskTotalBytes: z.number().min(0).optional(),
});
export type HealthSample = z.infer<typeof HealthSample>;

/** What is known of one instance's health, as every window sees it and `health/<id>.json` holds it. */
export const InstanceHealth = z.strictObject({
  id: InstanceId,
  schemaVersion: z.literal(1),
  /** Grows by one with each write. */
  revision: z.int().min(0),
  /** The epoch of the observer that wrote it: one that lost its lease since is refused (semantics 30). */
  observerEpoch: z.int().min(0),
  status: HealthStatus,
  since: z.iso.datetime(),
  /** Why it is so, in one sentence. */
  reason: z.string(),
  /** What is going to be done about it, and when if that is known. */
  next: z.strictObject({ act: z.string(), at: z.iso.datetime().optional() }).optional(),
  /** Each of the four that was made, in the order of {@link HealthCheckName}. */
  checks: z.array(HealthCheck),
  /** A person wants neither checks nor recovery. */
  pausedSince: z.iso.datetime().optional(),
  recovery: RecoveryState,
  /** Oldest first, as many as History Size says. */
  history: z.array(HealthSample),
});
export type InstanceHealth = z.infer<typeof InstanceHealth>;
