import pLimit from 'p-limit';
import * as z from 'zod';
import { mildestRung } from '../core/health/recoveryLadder.ts';
import { instanceNotFound, isAbort, messageOf, SwarmError } from '../model/errors.ts';
import { RecoveryRung } from '../model/health.ts';
import { InstanceId, type InstanceRecord, InstanceStatus } from '../model/instance.ts';
import { BatchResult, batchOutcomes, InstanceIds, runBatch } from './batch.ts';
import { HealthBrief, type HealthFinding, HealthReport, healthBrief, healthReports } from './healthViews.ts';
import { OneInstanceId } from './instanceInputs.ts';
import { nextStep } from './instanceViews.ts';
import { defineOperation, type RunContext } from './operation.ts';
import { rungEffect, rungTitle } from './recoveryTexts.ts';
import { shownText } from './shownText.ts';
import type { Swarm } from './swarm.ts';
import { nameLines, registered } from './targets.ts';

/** How many instances one call looks at. */
export const mostChecked = 20;

/** How many are looked at at a time. */
const concurrency = 4;

export const checkInstanceHealth = defineOperation({
  name: 'check_instance_health',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'Check Instance Health',
  description:
    'Looks at instances now and tells how each is: healthy, degraded, unhealthy, recovering or unknown, since when and why, what was seen by each of the four checks (provider, status, connectivity, resources), the last acts of recovery, and what is done about it next. Use it when an instance does not answer, or before recover_instance. "unknown" means that its provider does not tell: do not act on it. Do not call it to wait: nothing changes faster than every few seconds. Returns {instances:[{instanceId,name,status,since,reason,next?,pausedSince?,checks:[{name,outcome,seen,latencyMs?}],attempts:[{rung,cause,at,outcome,note?}],crashLoop?,error?}],leftOut?}, at most 8 kB: of many instances texts are cut and checks that passed are not listed; ask for those in leftOut again.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({
    instanceIds: z
      .array(InstanceId)
      .min(1, 'must name at least one instance')
      .max(mostChecked, `must name at most ${mostChecked} instances`)
      .describe(`Ids of the instances, 1 to ${mostChecked}, as list_swarm_instances shows them.`),
  }),
  output: z.strictObject({ instances: z.array(HealthReport), leftOut: z.array(z.string()).optional() }),
  targets: (swarm, { instanceIds }) => registered(swarm, instanceIds),
  run: async (swarm, { instanceIds }, ctx) => {
    const limit = pLimit(concurrency);
    const ids = [...new Set(instanceIds)];
    const { instances, leftOut } = healthReports(
      await Promise.all(ids.map(id => limit(() => findingOf(swarm, id, ctx)))),
    );
    return { instances, ...(leftOut.length > 0 && { leftOut }) };
  },
});

/** One instance that can't be looked at is an answer too; only giving up rejects. */
async function findingOf(swarm: Swarm, instanceId: string, ctx: RunContext): Promise<HealthFinding> {
  const target = ctx.targets.find(({ id }) => id === instanceId);
  const name = target?.name ?? instanceId;
  if (!target) return { instanceId, name, error: instanceNotFound(instanceId).message };
  try {
    ctx.signal.throwIfAborted();
    return { instanceId, name, health: await swarm.checkInstanceHealth(instanceId, ctx) };
  } catch (error) {
    if (ctx.signal.aborted || isAbort(error)) throw error;
    const hint = error instanceof SwarmError && error.hint !== undefined ? ` ${error.hint}` : '';
    return { instanceId, name, error: `${messageOf(error)}${hint}` };
  }
}

const Reason = z
  .string()
  .min(1, 'must not be empty')
  .max(500, 'must have at most 500 characters')
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters');

const Recovered = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: InstanceStatus,
  provider: z.string(),
  health: HealthBrief.optional(),
  next: z.string(),
});

function recovered(swarm: Swarm, record: InstanceRecord): z.infer<typeof Recovered> {
  const health = swarm.health.get(record.id);
  return {
    id: record.id,
    name: record.config.name,
    status: record.status,
    provider: record.providerId,
    ...(health && { health: healthBrief(health) }),
    next: nextStep(record, health),
  };
}

export const recoverInstance = defineOperation({
  name: 'recover_instance',
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'start',
  worse: { when: 'it is made anew', holds: ({ rung }) => rung === 'recreate', destroys: 'outside', undo: 'never' },
  title: 'Recover Instance',
  description:
    'Brings an instance that is unhealthy, or in a crash loop whose cause was mended, back to work, and waits until its editor server answers. Use it when check_instance_health shows trouble about which nothing is done. Not for one that is stopped (start_swarm_instance), deleted, or "unknown". Files in the home are kept by every rung: restart ends its processes and starts its editor server again; recreate makes everything but the home anew, and what was installed outside of it is lost; migrate moves it to another provider. Leave rung out for the mildest that may help. A refusal says why, such as a home that is not proven safe, and means it: do not try around it. Returns {id,name,status,provider,health?,next}.',
  effect: 'change',
  audience: 'agent',
  input: z.strictObject({
    instanceId: OneInstanceId,
    rung: RecoveryRung.optional().describe(
      'The act of recovery: restart, recreate or migrate. Leave out to let the controller choose.',
    ),
    reason: Reason.optional().describe('Why it is done, in one sentence. It is kept in the audit log.'),
  }),
  output: Recovered,
  decide: (swarm, { rung, ...input }) => {
    const record = swarm.registry.getInstance(input.instanceId);
    return { ...input, rung: rung ?? (record && mildestRung(record)) };
  },
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  question: (t, { rung, reason }, targets) => ({
    title: t('Recover "{0}"?', targets[0]?.name ?? ''),
    detail: [
      nameLines(t, targets),
      ...(rung === undefined ? [] : [`${rungTitle(t, rung)}: ${rungEffect(t, rung)}`]),
      ...(reason === undefined ? [] : [t('Reason: {0}', shownText(t, reason))]),
    ].join('\n\n'),
    action: t('Recover Instance'),
  }),
  run: async (swarm, { instanceId, rung }, ctx) => recovered(swarm, await swarm.recoverInstance(instanceId, rung, ctx)),
});

/** What a person may choose where a snapshot of the home is needed first, and cannot be taken (semantics 14). */
export const recreateUnkept = defineOperation({
  name: 'recreate_without_snapshot',
  destroys: 'outside',
  reveals: 'nothing',
  undo: 'never',
  title: 'Make Anew Without a Snapshot',
  description: 'Makes everything of an instance anew but its home, which could not be kept as a snapshot before.',
  effect: 'destroy',
  audience: 'person',
  input: z.strictObject({ instanceId: OneInstanceId, reason: Reason.describe('Why there is no snapshot.') }),
  output: Recovered,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  question: (t, { reason }, targets) => ({
    title: t('Make "{0}" anew without a snapshot?', targets[0]?.name ?? ''),
    detail: [
      nameLines(t, targets),
      shownText(t, reason),
      t('Its home is left where it is. But if something goes wrong, there is no copy to bring back.'),
    ].join('\n\n'),
    action: t('Make Anew'),
  }),
  run: async (swarm, { instanceId }, ctx) =>
    recovered(swarm, await swarm.recoverInstance(instanceId, 'recreate', ctx, true)),
});

/** What the operations on what is watched have in common; what they answer is the instance's, not its health's. */
const batch = {
  effect: 'change',
  audience: 'person',
  output: BatchResult,
  outcomes: batchOutcomes,
  targets: (swarm: Swarm, { instanceIds }: { instanceIds: string[] }) => registered(swarm, instanceIds),
} as const;

export const resetCrashLoop = defineOperation({
  ...batch,
  name: 'reset_crash_loop',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'nothing',
  title: 'Reset Crash Loop',
  description: 'Lets the controller recover instances again that it had given up.',
  input: z.strictObject({ instanceIds: InstanceIds }),
  question: (t, _input, targets) => ({
    title: t('Let these instances be recovered again?'),
    detail: nameLines(t, targets),
    action: t('Reset Crash Loop'),
  }),
  run: (swarm, { instanceIds }, ctx) =>
    runBatch(instanceIds, ctx, async id => {
      await swarm.resetCrashLoop(id);
      return swarm.registry.getInstance(id);
    }),
});

export const pauseMonitoring = defineOperation({
  ...batch,
  name: 'pause_instance_monitoring',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'again',
  title: 'Pause or Resume Monitoring',
  description: 'Ends or begins again the checks and the recovery of instances; they themselves are left as they are.',
  input: z.strictObject({
    instanceIds: InstanceIds,
    paused: z.boolean().describe('True pauses, false resumes.'),
  }),
  question: (t, { paused }, targets) => ({
    title: paused ? t('Pause the monitoring of these instances?') : t('Resume the monitoring of these instances?'),
    detail: nameLines(t, targets),
    action: paused ? t('Pause Monitoring') : t('Resume Monitoring'),
  }),
  run: (swarm, { instanceIds, paused }, ctx) =>
    runBatch(instanceIds, ctx, async id => {
      await swarm.pauseMonitoring(id, paused);
      return swarm.registry.getInstance(id);
    }),
});
