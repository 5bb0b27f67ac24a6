import * as z from 'zod';
import { restorableUntil } from '../core/trashExpiry.ts';
import { BatchResult, batchOutcomes, InstanceIds, runBatch } from './batch.ts';
import { OneInstanceId } from './instanceInputs.ts';
import { defineOperation } from './operation.ts';
import type { Swarm } from './swarm.ts';
import { lostForGood, nameLines, registered, type Target } from './targets.ts';

const Ids = z.strictObject({ instanceIds: InstanceIds });

/** What every operation on several registered instances has in common. */
const batch = {
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm: Swarm, { instanceIds }: { instanceIds: string[] }) => registered(swarm, instanceIds),
};

/** One wording for one instance, which it names, and one for several, which it counts. */
function counted(targets: readonly Target[], one: (name: string) => string, many: (count: number) => string): string {
  const [first, second] = targets;
  return first && !second ? one(first.name) : many(targets.length);
}

export const startInstances = defineOperation({
  ...batch,
  name: 'start_swarm_instance',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'stop',
  title: 'Start Instances',
  description:
    'Starts stopped or failed instances and waits until their editor servers answer. Use it before run_in_instance when the status is "stopped". Not for a deleted instance: a person must restore it first. Starting one that runs does nothing. Returns {results:[{instanceId,name,outcome,status?,error?}]}: look at each outcome, "done" or "failed".',
  effect: 'change',
  audience: 'agent',
  input: Ids,
  question: (t, _input, targets) => ({
    title: counted(
      targets,
      name => t('Start "{0}"?', name),
      count => t('Start {0} instances?', count),
    ),
    detail: nameLines(t, targets),
    action: counted(
      targets,
      () => t('Start Instance'),
      count => t('Start {0} Instances', count),
    ),
  }),
  run: (swarm, { instanceIds }, ctx) => runBatch(instanceIds, ctx, id => swarm.startInstance(id, ctx)),
});

export const stopInstances = defineOperation({
  ...batch,
  name: 'stop_swarm_instance',
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'start',
  title: 'Stop Instances',
  description:
    'Stops running instances. Files are kept; processes and terminals in them end. Use it when an instance is not needed for now; it can be started again. Do not use it to be rid of one (delete_swarm_instance). Stopping one that is stopped does nothing. Returns {results:[{instanceId,name,outcome,status?,error?}]}: look at each outcome, "done" or "failed".',
  effect: 'change',
  audience: 'agent',
  worksUnaudited: true,
  input: Ids.extend({
    force: z
      .boolean()
      .default(false)
      .describe('Ends it at once instead of asking it to end. Only when a stop before has failed.'),
  }),
  question: (t, _input, targets) => ({
    title: counted(
      targets,
      name => t('Stop "{0}"?', name),
      count => t('Stop {0} instances?', count),
    ),
    detail: [nameLines(t, targets), t('Files are kept. Processes and terminals in them end.')].join('\n\n'),
    action: counted(
      targets,
      () => t('Stop Instance'),
      count => t('Stop {0} Instances', count),
    ),
  }),
  run: (swarm, { instanceIds, force }, ctx) => runBatch(instanceIds, ctx, id => swarm.stopInstance(id, force, ctx)),
});

export const deleteInstances = defineOperation({
  ...batch,
  name: 'delete_swarm_instance',
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'restore',
  title: 'Delete Instances',
  description:
    'Moves instances to the trash: they are stopped and kept with all their files for 7 days, and a person can restore them. Use it only when the user asked for a deletion; to save resources use stop_swarm_instance. A person is asked each time, and agents may delete at most a few instances in 10 minutes (3 unless set otherwise). Returns {results:[{instanceId,name,outcome,status?,restorableUntil?,error?}]}: look at each outcome; one over the limit says after which time to try again.',
  effect: 'destroy',
  audience: 'agent',
  input: Ids,
  question: (t, _input, targets) => ({
    title: counted(
      targets,
      name => t('Delete "{0}"?', name),
      count => t('Delete {0} instances?', count),
    ),
    detail: [
      nameLines(t, targets),
      t('Running processes and terminals end. All files are kept in the trash for 7 days; Restore brings them back.'),
    ].join('\n\n'),
    action: counted(
      targets,
      () => t('Delete Instance'),
      count => t('Delete {0} Instances', count),
    ),
  }),
  run: async (swarm, { instanceIds }, ctx) => {
    const { results } = await runBatch(instanceIds, ctx, id => swarm.deleteInstance(id, ctx));
    return {
      results: results.map(result => {
        const record = result.outcome === 'done' ? swarm.registry.getInstance(result.instanceId) : undefined;
        const until = record && restorableUntil(record);
        return until === undefined ? result : { ...result, restorableUntil: until };
      }),
    };
  },
});

export const restartInstances = defineOperation({
  ...batch,
  name: 'restart_swarm_instance',
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'start',
  title: 'Restart Instances',
  description: 'Stops instances and starts them again. Files are kept.',
  effect: 'change',
  audience: 'person',
  input: Ids,
  question: (t, _input, targets) => ({
    title: counted(
      targets,
      name => t('Restart "{0}"?', name),
      count => t('Restart {0} instances?', count),
    ),
    detail: [nameLines(t, targets), t('Files are kept. Processes and terminals in them end.')].join('\n\n'),
    action: counted(
      targets,
      () => t('Restart Instance'),
      count => t('Restart {0} Instances', count),
    ),
  }),
  run: (swarm, { instanceIds }, ctx) => runBatch(instanceIds, ctx, id => swarm.restartInstance(id, ctx)),
});

export const restoreInstances = defineOperation({
  ...batch,
  name: 'restore_swarm_instance',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'delete',
  title: 'Restore Instances',
  description: 'Takes deleted instances back out of the trash, stopped, with all their files.',
  effect: 'change',
  audience: 'person',
  input: Ids,
  question: (t, _input, targets) => ({
    title: counted(
      targets,
      name => t('Restore "{0}"?', name),
      count => t('Restore {0} instances?', count),
    ),
    detail: nameLines(t, targets),
    action: counted(
      targets,
      () => t('Restore Instance'),
      count => t('Restore {0} Instances', count),
    ),
  }),
  run: (swarm, { instanceIds }, ctx) => runBatch(instanceIds, ctx, id => swarm.restoreInstance(id, ctx)),
});

export const purgeInstances = defineOperation({
  ...batch,
  name: 'purge_swarm_instance',
  destroys: 'everything',
  reveals: 'nothing',
  undo: 'never',
  title: 'Delete Instances Permanently',
  description: 'Removes instances with all their files and snapshots, for good.',
  effect: 'destroy',
  audience: 'person',
  input: Ids,
  question: (t, _input, targets, swarm) => ({
    title: counted(
      targets,
      name => t('Delete "{0}" permanently?', name),
      count => t('Delete {0} instances permanently?', count),
    ),
    detail: [nameLines(t, targets), lostForGood(t, swarm, targets)].join('\n\n'),
    action: counted(
      targets,
      () => t('Delete Permanently'),
      count => t('Delete {0} Permanently', count),
    ),
  }),
  run: (swarm, { instanceIds }, ctx) =>
    runBatch(instanceIds, ctx, async (id, { seen }) => {
      await swarm.purgeInstance(id, ctx, seen);
      return undefined;
    }),
});

export const emptyTrash = defineOperation({
  name: 'empty_trash',
  destroys: 'everything',
  reveals: 'nothing',
  undo: 'never',
  title: 'Empty Trash',
  description: 'Removes, for good, an instance that has been in the trash for 7 days, and its snapshots.',
  effect: 'destroy',
  audience: 'controller',
  input: z.strictObject({ instanceId: OneInstanceId }),
  output: z.strictObject({}),
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  run: async (swarm, { instanceId }, ctx) => {
    await swarm.purgeInstance(instanceId, ctx, { desired: 'trashed', status: 'trashed' });
    return {};
  },
});
