import { SwarmError } from '../../model/errors.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { Migration } from '../../model/migration.ts';
import { type LockedContext, underLock, withTimeout } from '../../model/operationContext.ts';
import { generationOf } from '../../model/ownership.ts';
import type { InstanceObservation, Provider } from '../../model/provider.ts';
import { getTwice } from '../getTwice.ts';
import { randomId } from '../instanceId.ts';
import { isSame } from '../isSame.ts';
import { claimed, timestamp } from '../records.ts';
import { untilDecided } from '../retention.ts';
import { aboutToChange, type MigrationWorld, makeOwner } from './migrationRun.ts';
import {
  claimOf,
  freshSteps,
  instanceRemoved,
  isCopyOf,
  isKeptAt,
  isToClear,
  leftCopy,
  nextAct,
  parkedUntil,
} from './migrationSteps.ts';

/** How long another place is asked whether it has a copy. */
const askMilliseconds = 5_000;

type World = Pick<MigrationWorld, 'registry' | 'providers' | 'book'>;

/** Whether a place has a copy, neither deleted nor being removed, of an instance that lives elsewhere. */
export const isStrayCopy = (
  { role }: InstanceObservation,
  record: Pick<InstanceRecord, 'providerId'> | undefined,
  providerId: string,
): boolean => record !== undefined && record.providerId !== providerId && role !== 'trash' && role !== 'removing';

/**
 * For whoever holds the instance's lock: what a provider has of an instance that lives elsewhere, and of which no
 * migration is under way, as when the state directory was lost in the middle of one. Of two owners the higher epoch
 * owns; the other copy is parked, so that a person can have it back. A copy that never came to be whole is removed, once
 * its original is seen to be there.
 */
export async function settleStray(
  { registry, providers, book }: World,
  provider: Provider,
  seen: InstanceObservation,
  ctx: LockedContext,
): Promise<void> {
  const record = await registry.readInstance(seen.id);
  const there = record.providerId === provider.id ? null : await provider.getInstance(record.id, ctx);
  if (there?.swarmId !== record.swarmId) return;
  // One that can't be read may be about this very copy.
  const isKnown = (await book.readAll()).some(migration => isKeptAt(migration, record.id, provider.id));
  ctx.lock.assertHeld();
  if (there.role === 'incoming' && !isKnown) {
    const home = providers.get(record.providerId);
    const original = await home.getInstance(record.id, ctx);
    const isWhole = original?.role === 'owner' || original?.role === 'trash';
    const isSafe = isWhole && (await home.abilities.hasHome(record.id, ctx));
    ctx.lock.assertHeld();
    if (isSafe) await provider.deleteInstance(record.id, claimed(ctx, there));
    return;
  }
  if (there.role === 'owner' && there.epoch > record.epoch) {
    await rest(providers.find(record.providerId), record, ctx);
    await makeOwner(registry, record.id, { providerId: provider.id, epoch: there.epoch }, ctx);
    return;
  }
  const isOld = (there.role === 'owner' || there.role === 'incoming') && there.epoch < record.epoch;
  if (!isKnown && (isOld || there.role === 'parked')) {
    // What an old owner has written since is nowhere else: only a person lets it go.
    const until = isOld ? untilDecided : parkedUntil();
    ctx.lock.assertHeld();
    await book.add({ ...parkedBy(record, provider.id, until), parkedGeneration: generationOf(there) });
  }
  if (isOld) {
    const claim = await aboutToChange(registry, record.id, ctx);
    await provider.abilities.setRole(record.id, 'parked', claimed(ctx, claim));
  }
}

/** Of an instance that goes for good nothing stays where it was: what can't be removed now the observer removes later. */
export async function forgetCopies(world: World, instanceId: string, ctx: LockedContext): Promise<void> {
  const { book } = world;
  const migrations = () => book.list().filter(migration => migration.instanceId === instanceId);
  for (const { id, status } of migrations()) if (status === 'pending') await book.forget(id);
  await noteCopies(world, instanceId, ctx);
  for (const { id } of migrations()) {
    const marked = await book.update(id, underLock(ctx, instanceRemoved));
    if (isToClear(marked)) await clearEnds(world, marked, ctx).catch(() => {});
  }
}

/**
 * Copies that nobody has come to note, as when the state was lost a moment ago. A place that does not answer within a
 * few seconds is not waited for.
 */
async function noteCopies({ registry, providers, book }: World, instanceId: string, ctx: LockedContext): Promise<void> {
  const record = await registry.findInstance(instanceId);
  if (!record) return;
  const isUnknown = ({ id }: Provider) =>
    id !== record.providerId &&
    providers.condition(id)?.reachable !== false &&
    !book.list().some(migration => isEndOf(migration, instanceId, id));
  const copies = await Promise.all(
    providers
      .all()
      .filter(isUnknown)
      .map(provider => provider.getInstance(instanceId, withTimeout(ctx, askMilliseconds)).catch(() => null)),
  );
  ctx.signal.throwIfAborted();
  ctx.lock.assertHeld();
  for (const there of copies)
    if (there?.swarmId === record.swarmId && (there.role === 'parked' || there.role === 'incoming'))
      await book.add({
        ...parkedBy(record, there.providerId, untilDecided),
        // One that never arrived was on its way to be the next.
        ...(there.role === 'incoming' && { sourceEpoch: record.epoch }),
      });
}

const isEndOf = ({ instanceId, sourceProviderId, targetProviderId }: Migration, id: string, providerId: string) =>
  instanceId === id && (sourceProviderId === providerId || targetProviderId === providerId);

/** Before another copy can be started this one comes to rest; where that does not answer, once it is seen again. */
async function rest(provider: Provider | undefined, record: InstanceRecord, ctx: LockedContext): Promise<void> {
  try {
    const there = await provider?.getInstance(record.id, ctx);
    ctx.lock.assertHeld();
    if (there?.status === 'running') await provider?.stopInstance(record.id, false, claimed(ctx, record));
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (!(error instanceof SwarmError && error.family === 'network')) throw error;
  }
}

/**
 * For whoever holds the lock of an instance that was deleted for good: nothing of it stays at either end of a migration,
 * whatever its role; where it lives still, its own deletion removes it. What others have there is left. Rejects when an
 * end can't be asked, once the other one was.
 */
export async function clearEnds(
  { registry, providers, book }: World,
  migration: Migration,
  ctx: LockedContext,
): Promise<void> {
  const { id, instanceId, instanceName, sourceProviderId, targetProviderId } = migration;
  const cleared = await Promise.allSettled(
    [sourceProviderId, targetProviderId].map(async providerId => {
      if ((await registry.findInstance(instanceId))?.providerId === providerId) return;
      const provider = providers.get(providerId);
      const there = await getTwice(provider, instanceId, ctx);
      if (there && !isCopyOf(migration, there)) return;
      ctx.lock.assertHeld();
      await provider.deleteInstance(instanceId, claimed(ctx, there ?? claimOf(migration)));
    }),
  );
  const failed = cleared.find(outcome => outcome.status === 'rejected');
  if (failed) {
    const left = [sourceProviderId, targetProviderId].filter((_, index) => cleared[index]?.status === 'rejected');
    const leftovers = left.map(place => leftCopy(instanceName, instanceId, place));
    const leave = (current: Migration) => (isSame(current.leftovers, leftovers) ? current : { ...current, leftovers });
    await book.update(id, underLock(ctx, leave));
    throw failed.reason;
  }
  const clear = ({ parkedUntil: _parkedUntil, ...current }: Migration): Migration => ({
    ...current,
    ...(nextAct(current) !== 'nothing' && ({ status: 'cancelled', endedAt: timestamp() } as const)),
    leftovers: [],
  });
  await book.update(id, underLock(ctx, clear));
}

/** The migration that must have been: with it a person can roll back, or clean up. */
export const parkedBy = (
  { id, swarmId, config, providerId, epoch, desired }: InstanceRecord,
  sourceProviderId: string,
  parkedUntil: string,
): Migration => ({
  ...{ id: randomId(12), schemaVersion: 1, revision: 0, instanceId: id, swarmId, instanceName: config.name },
  ...{ sourceProviderId, targetProviderId: providerId, strategy: 'stop-and-recreate', status: 'completed' },
  plan: { bytes: 0, files: 0, estimatedDowntime: 0, losses: [] },
  steps: freshSteps('stop-and-recreate').map(({ step }) => ({ step, status: 'skipped' })),
  ...{ createdAt: timestamp(), startedAt: timestamp(), pivotedAt: timestamp(), endedAt: timestamp() },
  parkedUntil,
  ...{ wasRunning: desired === 'running', sourceEpoch: Math.max(1, epoch - 1), leftovers: [] },
});
