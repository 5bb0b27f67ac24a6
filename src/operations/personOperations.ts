import * as z from 'zod';
import { ownerName } from '../core/overruling.ts';
import { InstanceId, InstanceName, type InstanceStatus, Owner } from '../model/instance.ts';
import type { Endpoint } from '../model/provider.ts';
import { visible } from '../model/textCut.ts';
import { BatchResult, batchOutcomes, InstanceIds, runBatch } from './batch.ts';
import { OneInstanceId, ProviderReference } from './instanceInputs.ts';
import { defineOperation } from './operation.ts';
import { statusTexts } from './statusTexts.ts';
import type { Swarm } from './swarm.ts';
import { lostForGood, nameLines, registered, type Target, targetOf } from './targets.ts';
import type { Translate } from './translate.ts';

export const adoptInstances = defineOperation({
  name: 'adopt_swarm_instance',
  destroys: 'control',
  reveals: 'nothing',
  undo: 'adopt',
  title: 'Adopt Instances',
  description: 'Makes instances that were found on a provider, and belong to another or a lost swarm, ours.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({
    found: z
      .array(
        z.strictObject({
          providerId: ProviderReference,
          instanceId: InstanceId,
          /** As its own mark calls it, for the question. */
          name: InstanceName.optional(),
          /** Whose it is as its own mark says, for the question. */
          owner: Owner.optional(),
        }),
      )
      .min(1, 'must name at least one instance')
      .max(10_000, 'must name at most 10,000 instances'),
  }),
  output: BatchResult,
  outcomes: batchOutcomes,
  // What is not shown as found any more is only known by its provider.
  look: (swarm, { found }) => {
    const owners = new Map(found.map(({ instanceId, owner }) => [instanceId, owner]));
    const shown = swarm.listFound().filter(({ observation }) => owners.has(observation.id));
    return new Map(
      shown.map(({ observation }) => [observation.id, { observation, owner: owners.get(observation.id) }]),
    );
  },
  targets: (swarm, { found }) => {
    const statuses = statusesOfFound(swarm);
    return found.map(({ providerId, instanceId, name = instanceId, owner }) => {
      const status = statuses.get(instanceId);
      const facts = (t: Translate) =>
        [providerId, status && statusTexts(t)[status], owner && visible(ownerName(owner))].filter(Boolean).join(', ');
      return { id: instanceId, name: visible(name), facts };
    });
  },
  question: (t, { found }, targets, swarm, seen) => {
    const mayBeUsed = found.some(({ instanceId }) => !unused.has(seen.get(instanceId)?.observation.status));
    const [first, second] = targets;
    const us = ownerName(swarm.ownership.owner);
    if (first && !second) {
      const owner = found[0]?.owner;
      return {
        title: owner ? t('Adopt "{0}" of {1}?', first.name, visible(ownerName(owner))) : t('Adopt "{0}"?', first.name),
        detail: [
          nameLines(t, targets),
          ...(mayBeUsed ? [t('It may be in use there at this moment. It goes on running.')] : []),
          t(
            'It becomes part of this swarm. The swarm that has it now shows it as "adopted by {0}" from then on, and can only forget it.',
            us,
          ),
        ].join('\n\n'),
        action: t('Adopt Instance'),
      };
    }
    return {
      title: t('Adopt {0} instances found?', targets.length),
      detail: [
        nameLines(t, targets),
        ...(mayBeUsed ? [t('What is not stopped may be in use there at this moment. It goes on running.')] : []),
        t(
          'They become part of this swarm. Whoever has them now sees them as "adopted by {0}" from then on, and can only forget them.',
          us,
        ),
      ].join('\n\n'),
      action: t('Adopt {0} Instances', targets.length),
    };
  },
  run: (swarm, { found }, ctx, seen) => {
    const places = new Map(found.map(({ providerId, instanceId }) => [instanceId, providerId]));
    return runBatch([...places.keys()], ctx, id => swarm.adoptInstance(places.get(id) ?? '', id, ctx, seen.get(id)));
  },
});

/** As they were last seen, by id. */
const statusesOfFound = (swarm: Swarm): ReadonlyMap<string, InstanceStatus> =>
  new Map(swarm.listFound().map(({ observation }) => [observation.id, observation.status]));

const unused: ReadonlySet<InstanceStatus | undefined> = new Set(['stopped', 'failed', 'trashed']);

export const removeStrayHomes = defineOperation({
  name: 'remove_stray_home',
  destroys: 'home',
  reveals: 'nothing',
  undo: 'never',
  title: 'Remove Homes Without an Instance',
  description: 'Removes homes of this swarm that are still at a provider, though no instance has them any more.',
  effect: 'destroy',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({
    homes: z
      .array(
        z.strictObject({
          providerId: ProviderReference,
          instanceId: InstanceId,
          /** As its provider tells it, for the question. */
          sizeGb: z.number().min(0).max(1_000_000),
        }),
      )
      .min(1, 'must name at least one home')
      .max(10_000, 'must name at most 10,000 homes'),
  }),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (_swarm, { homes }) =>
    homes.map(({ providerId, instanceId, sizeGb }) => ({
      id: instanceId,
      name: instanceId,
      facts: () => `${providerId}, ${sizeGb} GB`,
    })),
  question: (t, _input, targets) => ({
    title: targets.length === 1 ? t('Remove a home for good?') : t('Remove {0} homes for good?', targets.length),
    detail: [nameLines(t, targets), t('All files in them are lost, and nothing brings them back.')].join('\n\n'),
    action: t('Remove Permanently'),
  }),
  run: (swarm, { homes }, ctx) => {
    const places = new Map(homes.map(({ providerId, instanceId }) => [instanceId, providerId]));
    return runBatch([...places.keys()], ctx, async id => {
      await swarm.strayHomes.remove(places.get(id) ?? '', id, ctx);
      return undefined;
    });
  },
});

/** What cannot be deleted for good, since a provider is gone (semantics 23: absence is never believed without a look). */
export const forgetInstances = defineOperation({
  name: 'forget_swarm_instance',
  destroys: 'entry',
  reveals: 'nothing',
  undo: 'found',
  title: 'Forget Instances',
  description: 'Forgets instances that are being deleted for good, where that cannot come to its end.',
  effect: 'destroy',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({ instanceIds: InstanceIds }),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm, { instanceIds }) =>
    instanceIds.flatMap(id => {
      const record = swarm.registry.getInstance(id);
      if (record) return targetOf(record);
      const migration = swarm.migrations.listMigrations().find(({ instanceId }) => instanceId === id);
      if (!migration) return [];
      const { instanceName, sourceProviderId, targetProviderId } = migration;
      return { id, name: instanceName, facts: () => `${sourceProviderId}, ${targetProviderId}` };
    }),
  question: (t, _input, targets, swarm) => ({
    title:
      targets.length === 1 ? t('Forget "{0}"?', targets[0]?.name ?? '') : t('Forget {0} instances?', targets.length),
    detail: [nameLines(t, targets), ...forgotten(t, swarm, targets)].join('\n\n'),
    action: targets.length === 1 ? t('Forget Instance') : t('Forget {0} Instances', targets.length),
  }),
  run: (swarm, { instanceIds }, ctx) =>
    runBatch(instanceIds, ctx, async id => {
      await swarm.strayHomes.leave(id, ctx);
      return undefined;
    }),
});

/** What becomes of what is forgotten: what others have adopted is theirs, the rest stays where it is. */
function forgotten(t: Translate, swarm: Swarm, targets: readonly Target[]): string[] {
  const adoptedBy = targets.flatMap(({ id }) => {
    const overruled = swarm.registry.getInstance(id)?.overruled;
    return overruled?.by === 'another' ? [visible(ownerName(overruled.owner))] : [];
  });
  return [
    ...(adoptedBy.length === 0
      ? []
      : [
          t(
            'What was adopted stays as it is with {0}: nothing is done to it, and it is shown under Found from then on. Your snapshots of it stay; the values of its secret variables are removed here.',
            [...new Set(adoptedBy)].join(', '),
          ),
        ]),
    ...(adoptedBy.length === targets.length
      ? []
      : [
          t(
            'What is forgotten goes from the lists, and its secrets with it. What its providers still have stays there: it is paid for as before, and should a provider come back, it is shown again.',
          ),
        ]),
  ];
}

/** What opening answers: an address with its token in it, and the tunnel that keeps it alive. For the face only. */
export const OpenResult = z.strictObject({
  url: z.string(),
  endpoint: z.custom<Endpoint>(
    value => typeof value === 'object' && value !== null && 'dispose' in value,
    'must be an endpoint',
  ),
});
export type OpenResult = z.infer<typeof OpenResult>;

export const openInstance = defineOperation({
  name: 'open_swarm_instance',
  destroys: 'nothing',
  reveals: 'address',
  undo: 'nothing',
  title: 'Open Instance',
  description: 'Gives the address that opens the editor of an instance with nothing to type.',
  effect: 'read',
  audience: 'person',
  input: z.strictObject({ instanceId: OneInstanceId }),
  output: OpenResult,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  run: (swarm, { instanceId }, ctx) => swarm.access.openInstance(instanceId, ctx),
});

export const removeSwarm = defineOperation({
  name: 'remove_swarm',
  destroys: 'everything',
  reveals: 'nothing',
  undo: 'never',
  title: 'Remove Everything of This Swarm',
  description:
    'Removes every instance of this swarm, those in the trash too, with all their files and snapshots, for good.',
  effect: 'destroy',
  audience: 'person',
  input: z.strictObject({}),
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: swarm => swarm.listInstances().map(targetOf),
  question: (t, _input, targets, swarm) => ({
    title: t('Remove everything of this swarm, {0} instances?', targets.length),
    detail: [
      nameLines(t, targets),
      lostForGood(t, swarm, targets),
      t('Those in the trash go too. Other swarms are not touched.'),
    ].join('\n\n'),
    action: t('Remove {0} Instances Permanently', targets.length),
  }),
  run: (swarm, _input, ctx) =>
    runBatch(
      ctx.targets.map(({ id }) => id),
      ctx,
      async (id, { seen }) => {
        await swarm.purgeInstance(id, ctx, seen);
        return undefined;
      },
    ),
});
