import * as z from 'zod';
import { InstanceConfig, InstanceError, InstanceId } from './instance.ts';
import { SnapshotId } from './snapshotId.ts';

/** Why a home was kept: a person wanted it, its time had come, or it was about to be overwritten, made anew or forked. */
export const SnapshotKind = z.enum(['taken', 'scheduled', 'before']);
export type SnapshotKind = z.infer<typeof SnapshotKind>;

/**
 * What `snapshots/<id>.json` holds of a home as it was at a moment, and every window sees: from before the archive has
 * anything of it until after it has nothing of it any more. Sizes in bytes.
 */
export const SnapshotRecord = z.strictObject({
  id: SnapshotId,
  schemaVersion: z.literal(1),
  /** Grows by one with each write. */
  revision: z.int().min(0),
  instanceId: InstanceId,
  /** Of the instance, at that moment. */
  config: InstanceConfig,
  takenAt: z.iso.datetime(),
  /** What has none was kept by an earlier version, and counts as taken by a person. */
  kind: SnapshotKind.optional(),
  /** Kept before an act that was no person's own: of the controller, or of a program. */
  automatic: z.boolean().optional(),
  /** The instance ran meanwhile: files that were being written are as they were when each was read. */
  live: z.boolean(),
  /** This and what follows are there once all of it is kept. */
  digest: z
    .string()
    .regex(/^[a-f0-9]{64}$/)
    .optional(),
  bytes: z.int().min(0).optional(),
  files: z.int().min(0).optional(),
  /** What it added to the archive when it was taken. */
  added: z.int().min(0).optional(),
  /** Observed time, in milliseconds, at which it was kept or was first counted. */
  keptSince: z.number().min(0).optional(),
  /** Why it could not be kept. */
  error: InstanceError.optional(),
  /** When its removal from the archive was begun: it can only be ended. */
  removingSince: z.iso.datetime().optional(),
});
export type SnapshotRecord = z.infer<typeof SnapshotRecord>;

type With<K extends keyof SnapshotRecord> = SnapshotRecord & {
  readonly [key in K]-?: NonNullable<SnapshotRecord[key]>;
};

/** A home that is kept. */
export type Snapshot = With<'digest' | 'bytes' | 'files' | 'added'>;

/** A home that could not be kept. */
export type FailedSnapshot = With<'error'>;
