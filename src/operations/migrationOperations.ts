import * as z from 'zod';
import { parkedAt } from '../core/migration/migrationSteps.ts';
import { HomeChangeKind } from '../model/homeArchive.ts';
import { MigrationId, MigrationStatus, MigrationStrategy } from '../model/migration.ts';
import { OneInstanceId, ProviderReference } from './instanceInputs.ts';
import { MigrationReport, MigrationRow, migrationReport, migrationRow } from './migrationViews.ts';
import { defineOperation } from './operation.ts';
import type { Swarm } from './swarm.ts';
import { nameLines, registered, type Target, targetOf } from './targets.ts';
import type { Translate } from './translate.ts';

/** Most rows of a list; the youngest are kept. */
const mostListed = 50;

const migrationId = MigrationId.describe('Id of the migration, as create_migration_plan and list_migrations show it.');

/** The instance that moves; none when it is gone. Throws `migrationNotFound`. */
function moving(swarm: Swarm, input: { migrationId: string }): Target[] {
  const { instanceId } = swarm.migrations.getMigrationStatus(input.migrationId);
  const record = swarm.registry.getInstance(instanceId);
  return record ? [targetOf(record)] : [];
}

export const createMigrationPlan = defineOperation({
  name: 'create_migration_plan',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'Plan Migration',
  description:
    'Plans how an instance would move, with every file of its home, to another provider, and changes nothing of it. Use it first, always: it checks that both providers can do it, reads the home, and tells bytes, files, the expected downtime in seconds, and in plan.losses what will not be as it was. Then start_migration with the id. Not for making a copy. Only an instance that runs or is stopped can be moved. A further plan for the same instance takes the place of this one. Returns {id,instanceId,instance,from,to,status,strategy,plan,steps,leftovers,next}.',
  effect: 'change',
  audience: 'agent',
  input: z.strictObject({
    instanceId: OneInstanceId,
    targetProvider: ProviderReference.describe(
      'Id or type of the provider to move to, as get_swarm_status shows them.',
    ),
    strategy: MigrationStrategy.optional().describe(
      'stop-and-recreate stops the instance before its home is read; create-then-stop copies while it runs and stops it for the rest only. Leave out for the default.',
    ),
  }),
  output: MigrationReport,
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  question: (t, { targetProvider }, targets) => ({
    title: t('Plan the migration of "{0}" to {1}?', targets[0]?.name ?? '', targetProvider),
    detail: [nameLines(t, targets), t('Its home is read. Nothing is changed.')].join('\n\n'),
    action: t('Plan Migration'),
  }),
  run: async (swarm, { instanceId, targetProvider, strategy }, ctx) =>
    migrationReport(await swarm.migrations.createMigrationPlan(instanceId, targetProvider, strategy, ctx)),
});

export const startMigration = defineOperation({
  name: 'start_migration',
  destroys: 'processes',
  reveals: 'nothing',
  undo: 'back',
  title: 'Start Migration',
  description:
    'Carries a plan of create_migration_plan out, and waits for its end. The home is compared byte for byte before the target takes over; whatever fails before that leaves the instance where it was, as it was. Check status in what it returns: completed, failed, cancelled or timed-out, with the reason in error. The old copy is kept, stopped, for 24 hours. Returns {id,instanceId,instance,from,to,status,step?,parkedUntil?,strategy,plan,steps:[{step,status,note?,bytes?,files?}],downtimeMs?,leftovers,error?,next}.',
  effect: 'change',
  audience: 'agent',
  input: z.strictObject({ migrationId }),
  output: MigrationReport,
  targets: moving,
  question: (t, input, targets, swarm) => {
    const { plan, instanceName, sourceProviderId, targetProviderId } = swarm.migrations.getMigrationStatus(
      input.migrationId,
    );
    return {
      title: t('Migrate "{0}" from {1} to {2}?', targets[0]?.name ?? instanceName, sourceProviderId, targetProviderId),
      detail: [
        nameLines(t, targets),
        t('{0} in {1} files will be copied and compared.', `${Math.ceil(plan.bytes / 1e6)} MB`, plan.files),
        ...plan.losses,
        t('It does not run while it moves. The old copy is kept, stopped, for 24 hours.'),
      ].join('\n\n'),
      action: t('Start Migration'),
    };
  },
  run: async (swarm, input, ctx) => migrationReport(await swarm.migrations.startMigration(input.migrationId, ctx)),
});

export const cancelMigration = defineOperation({
  name: 'cancel_migration',
  destroys: 'nothing',
  reveals: 'nothing',
  undo: 'again',
  title: 'Cancel Migration',
  description:
    'Gives a migration up that is planned or under way; everything is taken back, and the instance stays where it was. Refused once the target is the owner: then migrate back. Taking back may last: see get_migration_status. Returns what get_migration_status does.',
  effect: 'change',
  audience: 'agent',
  input: z.strictObject({ migrationId }),
  output: MigrationReport,
  targets: moving,
  question: (t, _input, targets) => ({
    title: t('Cancel the migration of "{0}"?', targets[0]?.name ?? ''),
    detail: [nameLines(t, targets), t('It stays where it was.')].join('\n\n'),
    action: t('Cancel Migration'),
  }),
  run: async (swarm, input) => migrationReport(await swarm.migrations.cancelMigration(input.migrationId)),
});

export const getMigrationStatus = defineOperation({
  name: 'get_migration_status',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'Get Migration Status',
  description:
    'Tells how a migration is: each of its steps with bytes and files, why it failed, how long the instance did not run, until when the old copy is kept, and what to do next. Do not call it more often than every few seconds. Returns {id,instanceId,instance,from,to,status,step?,parkedUntil?,strategy,plan,steps:[{step,status,note?,bytes?,files?}],downtimeMs?,leftovers,rolledBack?,error?,next}.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({ migrationId }),
  output: MigrationReport,
  targets: moving,
  run: async (swarm, input) => migrationReport(swarm.migrations.getMigrationStatus(input.migrationId)),
});

export const listMigrations = defineOperation({
  name: 'list_migrations',
  destroys: 'nothing',
  reveals: 'facts',
  undo: 'nothing',
  title: 'List Migrations',
  description:
    'Lists the migrations, planned, under way and past, the youngest first. Use it to find an id, or to see what moves. For the steps of one use get_migration_status. Returns {migrations:[{id,instanceId,instance,from,to,status,step?,parkedUntil?}],more}, at most 50; more counts those left out.',
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({
    instanceId: OneInstanceId.optional(),
    status: z.array(MigrationStatus).max(6).optional().describe('Only migrations in one of these states.'),
  }),
  output: z.strictObject({ migrations: z.array(MigrationRow), more: z.int() }),
  run: async (swarm, { instanceId, status }) => {
    const found = swarm.migrations
      .listMigrations()
      .filter(migration => instanceId === undefined || migration.instanceId === instanceId)
      .filter(migration => status === undefined || status.includes(migration.status));
    return { migrations: found.slice(0, mostListed).map(migrationRow), more: Math.max(0, found.length - mostListed) };
  },
});

const questionOf =
  (title: (t: Translate, name: string) => string, lost: (t: Translate) => string, action: (t: Translate) => string) =>
  (t: Translate, _input: unknown, targets: readonly Target[]) => ({
    title: title(t, targets[0]?.name ?? ''),
    detail: [nameLines(t, targets), lost(t)].filter(Boolean).join('\n\n'),
    action: action(t),
  });

export const cleanUpMigration = defineOperation({
  name: 'clean_up_migration',
  destroys: 'copy',
  reveals: 'nothing',
  undo: 'never',
  title: 'Clean Up Parked Copy',
  description: 'Removes the copy that a migration has parked, before its time.',
  effect: 'destroy',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({ migrationId }),
  output: MigrationReport,
  targets: moving,
  // After a roll-back it is the other one.
  look: (swarm, { migrationId }) => parkedAt(swarm.migrations.getMigrationStatus(migrationId)),
  question: questionOf(
    (t, name) => t('Remove the parked copy of "{0}" for good?', name),
    t => t('The instance itself is not touched. After this the migration cannot be rolled back.'),
    t => t('Clean Up Parked Copy'),
  ),
  run: async (swarm, { migrationId }, ctx, place) =>
    migrationReport(await swarm.migrations.cleanUp(migrationId, ctx, place)),
});

export const rollBackMigration = defineOperation({
  name: 'roll_back_migration',
  destroys: 'newer',
  reveals: 'nothing',
  undo: 'other',
  title: 'Roll Back Migration',
  description: 'Makes the parked copy the instance again, as it was when it moved.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  input: z.strictObject({ migrationId }),
  output: MigrationReport,
  targets: moving,
  question: questionOf(
    (t, name) => t('Roll the migration of "{0}" back?', name),
    t => t('It is as it was when it moved. What was changed since is in the other copy, which is parked for 24 hours.'),
    t => t('Roll Back Migration'),
  ),
  run: async (swarm, input, ctx) => migrationReport(await swarm.migrations.rollBack(input.migrationId, ctx)),
});

const Change = z.strictObject({ path: z.string(), what: HomeChangeKind, bytes: z.int() });

export const compareParkedCopy = defineOperation({
  name: 'compare_parked_copy',
  destroys: 'nothing',
  reveals: 'names',
  undo: 'nothing',
  title: 'Show What Differs',
  description: 'Tells in which files the copy that a migration or a failover has parked differs from the instance.',
  effect: 'read',
  audience: 'person',
  input: z.strictObject({ migrationId }),
  output: z.strictObject({ count: z.int(), changes: z.array(Change) }),
  targets: moving,
  run: async (swarm, input, ctx) => {
    const { count, changes } = await swarm.migrations.compareParked(input.migrationId, ctx);
    return { count, changes: [...changes] };
  },
});
