import * as z from 'zod';
import {
  type Migration,
  MigrationPlan,
  MigrationStatus,
  MigrationStep,
  MigrationStepState,
  MigrationStrategy,
} from '../model/migration.ts';
import { cut } from '../model/textCut.ts';

const mostText = 500;

/** One migration in a list. */
export const MigrationRow = z.strictObject({
  id: z.string(),
  instanceId: z.string(),
  instance: z.string(),
  from: z.string(),
  to: z.string(),
  status: MigrationStatus,
  /** The step that runs, or the one that failed. */
  step: MigrationStep.optional(),
  parkedUntil: z.string().optional(),
});

/** Everything that matters of one, with what to do next. */
export const MigrationReport = MigrationRow.extend({
  strategy: MigrationStrategy,
  plan: MigrationPlan,
  steps: z.array(MigrationStepState.pick({ step: true, status: true, note: true, bytes: true, files: true })),
  downtimeMs: z.number().optional(),
  leftovers: z.array(z.string()),
  rolledBack: z.boolean().optional(),
  error: z.string().optional(),
  next: z.string(),
});

export function migrationRow(migration: Migration): z.infer<typeof MigrationRow> {
  const { id, instanceId, instanceName, sourceProviderId, targetProviderId, status, steps, parkedUntil } = migration;
  const at = steps.find(step => step.status === 'running' || step.status === 'failed')?.step;
  return {
    ...{ id, instanceId, instance: instanceName, from: sourceProviderId, to: targetProviderId, status },
    ...(at && { step: at }),
    ...(parkedUntil !== undefined && { parkedUntil }),
  };
}

export function migrationReport(migration: Migration): z.infer<typeof MigrationReport> {
  const { strategy, plan, steps, downtimeMs, leftovers, error, rolledBackAt } = migration;
  return {
    ...migrationRow(migration),
    strategy,
    plan,
    steps: steps.map(({ step, status, note, bytes, files }) => ({
      ...{ step, status },
      ...(note !== undefined && { note: cut(note, mostText) }),
      ...(bytes !== undefined && { bytes }),
      ...(files !== undefined && { files }),
    })),
    ...(downtimeMs !== undefined && { downtimeMs }),
    leftovers,
    ...(rolledBackAt !== undefined && { rolledBack: true }),
    ...(error && { error: cut(error.message, mostText) }),
    next: nextStepOf(migration),
  };
}

/** What a model may do next, in one sentence. */
function nextStepOf(migration: Migration): string {
  const { status, pivotedAt, parkedUntil, removingSince, leftovers, instanceRemovedAt } = migration;
  if (instanceRemovedAt !== undefined && leftovers.length > 0)
    return 'The instance was deleted for good. What is in leftovers goes once its provider answers; one that is in use no more has to be added to remoteSwarm.providers again for that.';
  switch (status) {
    case 'pending':
      return 'Nothing was done yet. Tell the person what plan.losses names, then use start_migration.';
    case 'in-progress':
      if (leftovers.length > 0)
        return 'It was given up, and what is in leftovers is still to be removed; it is tried again and again.';
      return pivotedAt === undefined
        ? 'It is under way; call get_migration_status again in some seconds.'
        : 'The target is the owner already; what is left is done as soon as both providers answer.';
    case 'completed':
      if (removingSince !== undefined)
        return 'It has ended, and the removal of the parked copy was begun. What holds it up is in leftovers; it is tried again and again.';
      return parkedUntil === undefined
        ? 'It has ended, and no copy of the old home is kept.'
        : 'It has ended. A person can roll it back, or clean up the parked copy, until parkedUntil.';
    case 'failed':
    case 'timed-out':
    case 'cancelled':
      return 'The instance is where it was, as it was. See error and steps, then plan it again.';
  }
}
