import * as z from 'zod';
import { InstanceConfig, InstanceId } from './instance.ts';
import { SnapshotId } from './snapshotId.ts';

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
  /** The instance ran meanwhile: files that were being written are as they were when each was read. */
  live: z.boolean(),
  digest: z.string().regex(/^[a-f0-9]{64}$/),
  bytes: z.int().min(0),
  files: z.int().min(0),
  /** What it added to the archive when it was taken. */
  added: z.int().min(0),
});
export type Snapshot = z.infer<typeof Snapshot>;
