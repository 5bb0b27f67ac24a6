import * as z from 'zod';
import { Epoch, Generation, InstanceError, InstanceId, SwarmId } from './instance.ts';
import { ProviderId } from './provider.ts';

/** Minted by the controller: 12 lower-case letters and digits. */
export const MigrationId = z.string().regex(/^[a-z0-9]{12}$/, 'must be the 12 letters and digits of a migration id');

/** Which of the two sides lives while the home travels (seed, Migration Strategies; semantics 19). */
export const MigrationStrategy = z.enum(['stop-and-recreate', 'create-then-stop']);
export type MigrationStrategy = z.infer<typeof MigrationStrategy>;

/** The seed's ten steps, in the order of a list. Each strategy is an array of them. */
export const MigrationStep = z.enum([
  'prepare',
  'validate-source',
  'validate-target-provider',
  'export-source-config',
  'create-target',
  'start-target',
  'verify-target',
  'stop-source',
  'clean-up-source',
  'complete',
]);
export type MigrationStep = z.infer<typeof MigrationStep>;

/** How a migration is (seed, Migration Status). */
export const MigrationStatus = z.enum(['pending', 'in-progress', 'completed', 'failed', 'cancelled', 'timed-out']);
export type MigrationStatus = z.infer<typeof MigrationStatus>;

/** What came of one step. `undone`: compensation took it back. */
export const MigrationStepState = z.strictObject({
  step: MigrationStep,
  status: z.enum(['pending', 'running', 'done', 'failed', 'undone', 'skipped']),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  /** What is being done, or came of it, in one sentence. */
  note: z.string().optional(),
  bytes: z.int().min(0).optional(),
  files: z.int().min(0).optional(),
});
export type MigrationStepState = z.infer<typeof MigrationStepState>;

/** What a person or agent agrees to before anything is done. Sizes in bytes, times in seconds. */
export const MigrationPlan = z.strictObject({
  /** What the home holds now. */
  bytes: z.int().min(0),
  files: z.int().min(0),
  estimatedDowntime: z.number().min(0),
  /** What the target has room for, where it can tell. */
  freeBytes: z.int().min(0).optional(),
  /** What will not be as it was, in one sentence each; empty when nothing is lost. */
  losses: z.array(z.string()),
});
export type MigrationPlan = z.infer<typeof MigrationPlan>;

/** One migration, as every window sees it and `migrations/<id>.json` holds it. It is the journal, too (semantics 18). */
export const Migration = z.strictObject({
  id: MigrationId,
  schemaVersion: z.literal(1),
  /** Grows by one with each write. */
  revision: z.int().min(0),
  instanceId: InstanceId,
  /** Whose labels the instance has; with those of another swarm a copy is none of this migration. */
  swarmId: SwarmId.optional(),
  /** Of the instance when it was planned, for lists that outlive it. */
  instanceName: z.string(),
  sourceProviderId: ProviderId,
  targetProviderId: ProviderId,
  strategy: MigrationStrategy,
  status: MigrationStatus,
  plan: MigrationPlan,
  /** In the order of the strategy. */
  steps: z.array(MigrationStepState),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  /** When the owner changed: before it a cancel takes everything back, after it there is only forward (semantics 17). */
  pivotedAt: z.iso.datetime().optional(),
  /** Somebody wants it ended before the pivot. */
  cancelRequested: z.boolean().optional(),
  /** Whether it wanted to run when the migration began; the target ends up so. */
  wasRunning: z.boolean(),
  /** Epoch of the source; the target's is one more. */
  sourceEpoch: Epoch,
  /** Digest of the quiesced home, in hex; equal on both sides before the pivot (semantics 16). */
  digest: z
    .string()
    .regex(/^[a-f0-9]{64}$/)
    .optional(),
  /** How long the instance did not run because of it, in milliseconds. */
  downtimeMs: z.number().min(0).optional(),
  /** When a person took the parked source back as the owner; since then it is the target that is parked. */
  rolledBackAt: z.iso.datetime().optional(),
  /** Until when the source is kept at least, stopped, for rolling back (semantics 20), as far as the clock can be believed. */
  parkedUntil: z.iso.datetime().optional(),
  /** Observed time, in milliseconds, from which on the copy's time is counted; not there before that begins. */
  keptSince: z.number().min(0).optional(),
  /** When the removal of the parked copy was begun: it is whole no more, and goes. */
  removingSince: z.iso.datetime().optional(),
  /** Of the parked copy, where this journal was begun when that was found. */
  parkedGeneration: Generation.optional(),
  /** When a person deleted the instance for good: what is left of it at either end is to go, and is never adopted. */
  instanceRemovedAt: z.iso.datetime().optional(),
  /** What could not be removed, by name (semantics 21). */
  leftovers: z.array(z.string()),
  error: InstanceError.optional(),
});
export type Migration = z.infer<typeof Migration>;
