import type { InstanceIdentity, InstanceRecord, VSCodeInstance } from '../../model/instance.ts';
import type {
  Migration,
  MigrationStatus,
  MigrationStep,
  MigrationStepState,
  MigrationStrategy,
} from '../../model/migration.ts';
import type { Claim } from '../../model/operationContext.ts';
import { timestamp } from '../records.ts';
import { parkedTime, timeLeft, untilDecided } from '../retention.ts';

const beginning = ['prepare', 'validate-source', 'validate-target-provider', 'export-source-config'] as const;
/** `verify-target` ends with the pivot. */
const ending = ['verify-target', 'clean-up-source', 'start-target', 'complete'] as const;

/** Each strategy is an array of steps; they differ in whether the home is read before the source is stopped. */
const strategies: Readonly<Record<MigrationStrategy, readonly MigrationStep[]>> = {
  'stop-and-recreate': [...beginning, 'stop-source', 'create-target', ...ending],
  'create-then-stop': [...beginning, 'create-target', 'stop-source', ...ending],
};

export const freshSteps = (strategy: MigrationStrategy): MigrationStepState[] =>
  strategies[strategy].map(step => ({ step, status: 'pending' }));

/** What whoever holds the instance's lock does with a migration that somebody left as it is. */
export type NextAct = 'nothing' | 'undo' | 'go-on';

/** Pure: the pivot alone decides. Before it everything is taken back, after it there is only forward (semantics 17). */
export function nextAct({ status, pivotedAt, rolledBackAt, endedAt }: Migration): NextAct {
  if (rolledBackAt !== undefined && endedAt === undefined) return 'go-on';
  if (status !== 'in-progress') return 'nothing';
  return pivotedAt === undefined ? 'undo' : 'go-on';
}

/** Whether a failover has let the instance live on elsewhere since: only that raises the epoch behind its back. */
export const isOvertaken = ({ sourceEpoch }: Migration, epoch: number): boolean => epoch > sourceEpoch + 1;

/** The epoch of whoever takes an instance over: higher than that of every copy that ever owned it, wherever it lies. */
export const nextEpoch = (
  { id, epoch }: Pick<InstanceRecord, 'id' | 'epoch'>,
  migrations: readonly Migration[],
): number =>
  1 +
  Math.max(
    epoch,
    ...migrations.flatMap(({ instanceId, pivotedAt, sourceEpoch }) =>
      instanceId === id && pivotedAt !== undefined ? [sourceEpoch + 1] : [],
    ),
  );

/** Whether what an end has may be of this migration's making: no other swarm's, nor moved on since. */
export const isCopyOf = (migration: Migration, there: Pick<InstanceIdentity, 'swarmId' | 'epoch'>): boolean =>
  (migration.swarmId === undefined || there.swarmId === migration.swarmId) && !isOvertaken(migration, there.epoch);

/** Of what is left of a copy of which its place tells nothing any more but whose home it is. */
export const claimOf = ({ swarmId = '', sourceEpoch }: Migration): Claim => ({
  ...{ swarmId, epoch: sourceEpoch + 1, generation: Number.MAX_SAFE_INTEGER },
});

/** What becomes of one that was overtaken: what is at its source may be nowhere else, and waits for a person. */
export const overtaken = (migration: Migration): Migration => ({
  ...migration,
  ...({ status: 'completed', endedAt: timestamp(), parkedUntil: untilDecided, leftovers: [] } as const),
  steps: migration.steps.map(state => (state.status === 'done' ? state : { ...state, status: 'skipped' })),
});

/** Whether of one that is rolled back the owner was seen to, and only the other copy, which is away, has yet to be parked. */
export const awaitsOther = ({ rolledBackAt, endedAt, leftovers }: Migration): boolean =>
  rolledBackAt !== undefined && endedAt === undefined && leftovers.length > 0;

/** Whether what a place has may be removed as what was parked, or on its way, there: another one is the owner. */
export const isCopyInRole = ({ role }: Pick<VSCodeInstance, 'role'>, wanted: 'parked' | 'incoming'): boolean =>
  role === wanted || role === 'removing';

/** How a copy is named that is left at a provider. */
export const leftCopy = (instanceName: string, instanceId: string, providerId: string): string =>
  `The copy of "${instanceName}" (${instanceId}) on "${providerId}"`;

/** Whether it has ended, and keeps a copy for a time. */
export const isKeeping = ({ status, parkedUntil, endedAt }: Migration): boolean =>
  status === 'completed' && endedAt !== undefined && parkedUntil !== undefined && parkedUntil !== untilDecided;

/** Whether its parked copy was kept long enough, or its removal was begun. `now` is observed time. */
export const isOverdue = (migration: Migration, now: number | undefined): boolean =>
  migration.removingSince !== undefined ||
  (isKeeping(migration) && now !== undefined && timeLeft(migration.keptSince, parkedTime, now) <= 0);

/** Until when a copy is kept that is put aside now. */
export const parkedUntil = (): string => new Date(Date.now() + parkedTime).toISOString();

/** Whether either end may hold something of an instance that was deleted for good. */
export const isToClear = (migration: Migration): boolean =>
  migration.instanceRemovedAt !== undefined &&
  (nextAct(migration) !== 'nothing' || migration.parkedUntil !== undefined);

/** Whether it has ended, and nothing of it is left at either end, or to be done: only the list tells of it. */
export const isSpent = (migration: Migration): boolean =>
  nextAct(migration) === 'nothing' &&
  migration.endedAt !== undefined &&
  migration.parkedUntil === undefined &&
  migration.leftovers.length === 0;

/** Whether something of it is to be ended. */
export const isToSettle = (migration: Migration, now: number | undefined): boolean =>
  nextAct(migration) !== 'nothing' || isToClear(migration) || isOverdue(migration, now);

/** What becomes of one whose instance is deleted for good. */
export const instanceRemoved = (migration: Migration): Migration =>
  migration.instanceRemovedAt === undefined ? { ...migration, instanceRemovedAt: timestamp() } : migration;

/** Where the instance lives, as far as this migration says, and with which epoch. */
export function ownerOf(migration: Migration): Pick<InstanceRecord, 'providerId' | 'epoch'> {
  const { pivotedAt, rolledBackAt, sourceProviderId, targetProviderId, sourceEpoch } = migration;
  return pivotedAt !== undefined && rolledBackAt === undefined
    ? { providerId: targetProviderId, epoch: sourceEpoch + 1 }
    : { providerId: sourceProviderId, epoch: sourceEpoch };
}

/** Where the copy is that is kept for a way back. */
export const parkedAt = ({ rolledBackAt, sourceProviderId, targetProviderId }: Migration) =>
  rolledBackAt === undefined ? sourceProviderId : targetProviderId;

/** Whether it keeps the instance's old copy at that provider. */
export const isKeptAt = (migration: Migration, instanceId: string, providerId: string): boolean =>
  migration.instanceId === instanceId && migration.parkedUntil !== undefined && parkedAt(migration) === providerId;

const stepOf = (migration: Migration, step: MigrationStep): MigrationStepState | undefined =>
  migration.steps.find(state => state.step === step);

/** What it has become once everything is taken back. */
export function endOf({ cancelRequested, error }: Migration): MigrationStatus {
  if (cancelRequested) return 'cancelled';
  return error?.code === 'timed-out' ? 'timed-out' : 'failed';
}

/** The first step after the pivot that is not done. */
export const unfinishedEnding = (migration: Migration) =>
  migration.steps.find(
    ({ step, status }) => ending.some(one => one === step) && status !== 'done' && status !== 'failed',
  );

export const withStep = (
  migration: Migration,
  step: MigrationStep,
  change: Partial<Omit<MigrationStepState, 'step'>>,
): Migration => ({
  ...migration,
  steps: migration.steps.map(state => (state.step === step ? { ...state, ...change } : state)),
});

export const begun = (migration: Migration, step: MigrationStep): Migration =>
  withStep(migration, step, { status: 'running', startedAt: stepOf(migration, step)?.startedAt ?? timestamp() });

/** Milliseconds between the beginning of the stop and now. */
export function downtimeOf(migration: Migration, now: number): number {
  const stopped = stepOf(migration, 'stop-source')?.startedAt;
  return stopped === undefined ? 0 : Math.max(0, now - Date.parse(stopped));
}
