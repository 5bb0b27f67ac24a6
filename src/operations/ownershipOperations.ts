import * as z from 'zod';
import { visible } from '../model/textCut.ts';
import { BatchResult, batchOutcomes, InstanceIds, runBatch } from './batch.ts';
import { defineOperation } from './operation.ts';
import { desiredText, statusTexts } from './statusTexts.ts';
import type { Swarm } from './swarm.ts';
import { nameLines, registered, type Target } from './targets.ts';
import type { Translate } from './translate.ts';

/** With both sides: as its provider says that it is, and as it is wanted here; the one it is to become comes last. */
function facing(swarm: Swarm, target: Target, follows: 'provider' | 'state'): Target {
  const record = swarm.registry.getInstance(target.id);
  if (record?.overruled?.by !== 'provider') return target;
  const { desired, providerId } = record;
  const { status } = record.overruled;
  const facts = (t: Translate) => {
    const [here, there] = [desiredText(desired, t), statusTexts(t)[status]];
    return follows === 'provider'
      ? t('here {0} → {1}, as {2} says', here, there, providerId)
      : t('at {0} {1} → {2}, as here', providerId, there, here);
  };
  return { ...target, facts };
}

/** What their providers say against the records of instances. */
const overrulings = (swarm: Swarm, { instanceIds }: { instanceIds: readonly string[] }) =>
  new Map(instanceIds.map(id => [id, swarm.registry.getInstance(id)?.overruled]));

/** One of the two ways out for a record that is older than what its provider says (semantics 41). */
export const followProvider = defineOperation({
  name: 'follow_provider',
  title: 'Accept What the Provider Says',
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
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds).map(target => facing(swarm, target, 'provider')),
  look: overrulings,
  question: (t, _input, targets) => ({
    title: t('Accept what the provider says?'),
    detail: [
      nameLines(t, targets),
      t(
        'The state of this swarm is older, as after a backup. It becomes what the provider says. Nothing is started, stopped or removed.',
      ),
    ].join('\n\n'),
    action: t('Accept'),
  }),
  run: (swarm, { instanceIds }, ctx, seen) =>
    runBatch(instanceIds, ctx, id => swarm.ownership.takeOver(id, ctx, seen.get(id))),
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
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds).map(target => facing(swarm, target, 'state')),
  look: overrulings,
  question: (t, _input, targets) => ({
    title: t('Do what this state says?'),
    detail: [
      nameLines(t, targets),
      t(
        'The provider knows of later changes, which are taken back: what runs there may be stopped or go to the trash.',
      ),
    ].join('\n\n'),
    action: t('Do It'),
  }),
  run: (swarm, { instanceIds }, ctx, seen) =>
    runBatch(instanceIds, ctx, id => swarm.ownership.insist(id, ctx, seen.get(id))),
});

/** For what runs on a machine or in a container that is gone for good: only a person can know (semantics 39). */
export const takeOverInstances = defineOperation({
  name: 'take_over_instance',
  title: 'Take Over Instance',
  description: 'Takes the editor server of instances that run on another machine for ended, as when that is gone.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  destroys: 'torn',
  reveals: 'nothing',
  undo: 'never',
  input: z.strictObject({ instanceIds: InstanceIds }),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds),
  look: (swarm, { instanceIds }) => new Map(instanceIds.map(id => [id, swarm.registry.getInstance(id)?.elsewhere])),
  question: (t, _input, targets, _swarm, seen) => {
    const hosts = new Set([...seen.values()].filter(host => host !== undefined).map(visible));
    const host = [...hosts].join(', ') || '?';
    return {
      title:
        targets.length === 1
          ? t('Take over "{0}" from {1}?', targets[0]?.name ?? '', host)
          : t('Take over {0} instances from {1}?', targets.length, host),
      detail: [
        nameLines(t, targets),
        t(
          'Do this only when {0} is gone for good, or its container was started anew: nobody here can see whether the editor server still runs there. If it does, two servers write into the same files, and files get damaged. What is to run is started here.',
          host,
        ),
      ].join('\n\n'),
      action: t('It Is Gone: Take Over'),
    };
  },
  run: (swarm, { instanceIds }, ctx, seen) =>
    runBatch(instanceIds, ctx, id => swarm.ownership.takeFrom(id, ctx, seen.get(id))),
});
