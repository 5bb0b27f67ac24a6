import * as z from 'zod';
import { BatchResult, batchOutcomes, InstanceIds, runBatch } from './batch.ts';
import { defineOperation } from './operation.ts';
import { nameLines, registered } from './targets.ts';

/** One of the two ways out for a record that is older than what its provider says (semantics 41). */
export const followProvider = defineOperation({
  name: 'follow_provider',
  title: 'Take Over What the Provider Says',
  description: 'Makes the state of instances what their provider says, where that is newer, as after a backup.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  destroys: 'state',
  reveals: 'nothing',
  undo: 'never',
  input: z.strictObject({ instanceIds: InstanceIds }),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds),
  question: (t, _input, targets) => ({
    title: t('Take over what the provider says?'),
    detail: [
      nameLines(t, targets),
      t(
        'The state of this swarm is older, as after a backup. It becomes what the provider says. Nothing is started, stopped or removed.',
      ),
    ].join('\n\n'),
    action: t('Take Over'),
  }),
  run: (swarm, { instanceIds }, ctx) => runBatch(instanceIds, ctx, id => swarm.ownership.takeOver(id, ctx)),
});

/** The other way out. */
export const followState = defineOperation({
  name: 'follow_state',
  title: 'Do What This State Says',
  description: 'Does what the state of this swarm says of instances, though their provider knows of later changes.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'start',
  input: z.strictObject({ instanceIds: InstanceIds }),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds),
  question: (t, _input, targets) => ({
    title: t('Do what this state says?'),
    detail: [
      nameLines(
        t,
        targets.map(target => ({ ...target, facts: `${target.facts} → ${target.seen?.desired ?? ''}` })),
      ),
      t(
        'The provider knows of later changes, which are taken back: what runs there may be stopped or go to the trash.',
      ),
    ].join('\n\n'),
    action: t('Do It'),
  }),
  run: (swarm, { instanceIds }, ctx) => runBatch(instanceIds, ctx, id => swarm.ownership.insist(id, ctx)),
});
