import * as z from 'zod';
import { InstanceConfig, InstanceId } from './instance.ts';
import { SnapshotId } from './snapshotId.ts';

/** Why a home was kept: a person wanted it, its time had come, or it was about to be overwritten or made anew. */
export const SnapshotKind = z.enum(['taken', 'scheduled', 'before']);
export type SnapshotKind = z.infer<typeof SnapshotKind>;

/** A home as it was at a moment, as every window sees it and `snapshots/<id>.json` holds it. Sizes in bytes. */
export const Snapshot = z.strictObject({
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
  /** The instance ran meanwhile: files that were being written are as they were when each was read. */
  live: z.boolean(),
  digest: z.string().regex(/^[a-f0-9]{64}$/),
  bytes: z.int().min(0),
  files: z.int().min(0),
  /** What it added to the archive when it was taken. */
  added: z.int().min(0),
});
export type Snapshot = z.infer<typeof Snapshot>;
