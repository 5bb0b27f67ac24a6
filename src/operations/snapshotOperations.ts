import * as z from 'zod';
import { NewInstanceName } from '../model/instance.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { SnapshotKind } from '../model/snapshot.ts';
import { SnapshotId } from '../model/snapshotId.ts';
import { visible } from '../model/textCut.ts';
import { OneInstanceId, ProviderReference } from './instanceInputs.ts';
import { instanceRow } from './instanceViews.ts';
import { defineOperation } from './operation.ts';
import { snapshotLine } from './snapshotTexts.ts';
import type { Swarm } from './swarm.ts';
import { nameLines, registered, type Target } from './targets.ts';

const Taken = z.strictObject({ id: SnapshotId, bytes: z.int(), files: z.int(), added: z.int() });
const Row = z.looseObject({ id: z.string(), name: z.string(), status: z.string(), provider: z.string() });
const newHome = {
  name: NewInstanceName,
  /** Left out: placement chooses. */
  provider: ProviderReference.optional(),
};

/** Its instance, while there is one. */
function keptOf(swarm: Swarm, input: { snapshotId: string }): Target[] {
  const { instanceId } = swarm.snapshots.getSnapshot(input.snapshotId);
  return swarm.registry.getInstance(instanceId) ? [...registered(swarm, [instanceId])] : [];
}

const taking = (kind: SnapshotKind) => ({
  effect: 'change' as const,
  input: z.strictObject({ instanceId: OneInstanceId }),
  output: Taken,
  targets: (swarm: Swarm, { instanceId }: { instanceId: string }) => registered(swarm, [instanceId]),
  run: async (swarm: Swarm, { instanceId }: { instanceId: string }, ctx: OperationContext) => {
    const { id, bytes, files, added } = await swarm.snapshots.takeSnapshot(instanceId, ctx, kind);
    return { id, bytes, files, added };
  },
});

export const takeSnapshot = defineOperation({
  ...taking('taken'),
  name: 'take_snapshot',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'nothing',
  title: 'Take Snapshot',
  description: 'Keeps the home of an instance as it is now, in the state directory of this machine.',
  audience: 'person',
});

export const takeScheduledSnapshot = defineOperation({
  ...taking('scheduled'),
  name: 'take_scheduled_snapshot',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'nothing',
  title: 'Take Scheduled Snapshot',
  description: 'Keeps the home of an instance whose last snapshot is as old as remoteSwarm.snapshots.interval.',
  audience: 'controller',
});

export const restoreSnapshot = defineOperation({
  name: 'restore_snapshot',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'delete',
  title: 'Restore Snapshot as New Instance',
  description: 'Makes a new instance, on any provider, whose home is as the snapshot kept it.',
  effect: 'change',
  audience: 'person',
  input: z.strictObject({ snapshotId: SnapshotId, ...newHome }),
  output: Row,
  made: ({ id }) => id,
  targets: keptOf,
  run: async (swarm, { snapshotId, name, provider = '' }, ctx) =>
    instanceRow(await swarm.snapshots.restoreSnapshot(snapshotId, name, provider, ctx)),
});

export const resetToSnapshot = defineOperation({
  name: 'reset_to_snapshot',
  destroys: 'newer',
  reveals: 'nothing',
  undo: 'before',
  title: 'Reset to Snapshot',
  description: 'Makes the home of an instance what a snapshot kept. What it is now is kept as a snapshot before.',
  effect: 'destroy',
  audience: 'person',
  input: z.strictObject({ snapshotId: SnapshotId }),
  output: Row,
  targets: keptOf,
  question: (t, { snapshotId }, targets, swarm) => ({
    title: t('Reset the home of "{0}" to the snapshot?', targets[0]?.name ?? ''),
    detail: [
      nameLines(t, targets),
      snapshotLine(swarm.snapshots.getSnapshot(snapshotId), t),
      t('Running processes and terminals end. What the home is now is kept as another snapshot first.'),
    ].join('\n\n'),
    action: t('Reset Home'),
  }),
  run: async (swarm, { snapshotId }, ctx) => instanceRow(await swarm.snapshots.resetToSnapshot(snapshotId, ctx)),
});

export const forkInstance = defineOperation({
  name: 'fork_instance',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'delete',
  title: 'Fork Instance',
  description: 'Makes another instance, on any provider, whose home is as that of an instance now.',
  effect: 'change',
  audience: 'person',
  input: z.strictObject({ instanceId: OneInstanceId, ...newHome }),
  output: Row,
  made: ({ id }) => id,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  run: async (swarm, { instanceId, name, provider = '' }, ctx) =>
    instanceRow(await swarm.snapshots.forkInstance(instanceId, name, provider, ctx)),
});

export const failOverInstance = defineOperation({
  name: 'fail_over_instance',
  destroys: 'newer',
  reveals: 'nothing',
  undo: 'other',
  title: 'Fail Over',
  description:
    'Lets an instance whose provider does not answer live on another one, with the home that its youngest snapshot kept.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({ instanceId: OneInstanceId, targetProvider: ProviderReference }),
  output: Row,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  look: (swarm, { instanceId }) => swarm.snapshots.failOverPlan(instanceId),
  question: (t, { targetProvider }, targets, _swarm, { snapshot, lost }) => ({
    title: t('Let "{0}" live on {1}?', targets[0]?.name ?? '', targetProvider),
    detail: [
      nameLines(t, targets),
      ...(snapshot ? [snapshotLine(snapshot, t)] : []),
      t('Its home will be what its youngest snapshot kept; what was written later is not in it.'),
      ...(lost.length > 0
        ? [
            t(
              'Values of secret variables that only its provider knows are not taken along: {0}. Have them at hand: you set them anew with Edit…',
              lost.join(', '),
            ),
          ]
        : []),
      t('The old copy may still be running. Once its provider answers it is stopped and kept, until you decide.'),
    ].join('\n\n'),
    action: t('Fail Over'),
  }),
  run: async (swarm, { instanceId, targetProvider }, ctx, seen) =>
    instanceRow(await swarm.snapshots.failOver(instanceId, targetProvider, ctx, seen)),
});

export const deleteSnapshot = defineOperation({
  name: 'delete_snapshot',
  destroys: 'snapshot',
  reveals: 'nothing',
  undo: 'never',
  title: 'Delete Snapshot',
  description: 'Removes a snapshot, and what no other one needs of it, for good.',
  effect: 'destroy',
  audience: 'person',
  input: z.strictObject({ snapshotId: SnapshotId }),
  output: z.strictObject({}),
  targets: keptOf,
  question: (t, { snapshotId }, targets, swarm) => ({
    title: t(
      'Delete the snapshot of "{0}"?',
      targets[0]?.name ?? visible(swarm.snapshots.getSnapshot(snapshotId).config.name),
    ),
    detail: [
      nameLines(t, targets),
      snapshotLine(swarm.snapshots.getSnapshot(snapshotId), t),
      t('The instance stays as it is. Nothing brings the snapshot back.'),
    ]
      .filter(Boolean)
      .join('\n\n'),
    action: t('Delete Snapshot'),
  }),
  run: async (swarm, { snapshotId }, ctx) => {
    await swarm.snapshots.deleteSnapshot(snapshotId, ctx);
    return {};
  },
});
