import { isAbort, messageOf, migrationRefused } from '../../model/errors.ts';
import type { HomeDifference } from '../../model/homeArchive.ts';
import { copyNotWhole } from '../../model/homeErrors.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { Migration } from '../../model/migration.ts';
import { type Claim, type LockedContext, type OperationContext, underLock } from '../../model/operationContext.ts';
import { generationOf, refuseUnowned } from '../../model/ownership.ts';
import type { KeyedLock } from '../../model/stateStore.ts';
import { getTwice } from '../getTwice.ts';
import { claimed, timestamp } from '../records.ts';
import { isCounted } from '../retention.ts';
import { proveWhole } from '../wholeInstance.ts';
import type { MigrationBook } from './migrationBook.ts';
import { refuseUnmovable } from './migrationPlanner.ts';
import { MigrationRun, type MigrationWorld } from './migrationRun.ts';
import { claimOf, isCopyInRole, isCopyOf, isKeeping, leftCopy, ownerOf, parkedAt } from './migrationSteps.ts';

/** What a person does with the copies that migrations have parked (semantics 20). */
export class ParkedCopies {
  readonly #world: MigrationWorld & { readonly locks: KeyedLock };

  constructor(world: MigrationWorld & { readonly locks: KeyedLock }) {
    this.#world = world;
  }

  /**
   * Removes the parked copy for good, before its time. Throws `migrationRefused` when there is none, or when it is not the
   * one at `place`, to which a person agreed.
   */
  cleanUp(migrationId: string, ctx: OperationContext, place?: string): Promise<Migration> {
    return this.#with(migrationId, 'Cleaning up', ctx, (migration, ctx) => {
      const now = parkedAt(migration);
      if (place === undefined || place === now) return this.remove(migration, ctx);
      const problem = `The migration was rolled back meanwhile: the parked copy is the one on "${now}" by now, with what was changed since.`;
      throw migrationRefused('Cleaning up', problem, 'See what differs, then clean up again.');
    });
  }

  /**
   * Makes the parked copy the owner again, as it was at the pivot. The other copy is parked in its place, with what was
   * changed since. Throws `migrationRefused` when there is none.
   */
  rollBack(migrationId: string, ctx: OperationContext): Promise<Migration> {
    return this.#withWhole(migrationId, 'Rolling back', ctx, async (migration, ctx) => {
      const { registry, book, lifecycle } = this.#world;
      if (migration.rolledBackAt !== undefined) {
        throw migrationRefused('Rolling back', 'It was rolled back already.', 'Migrate the instance again instead.');
      }
      const record = await registry.readInstance(migration.instanceId);
      const { providerId, epoch } = ownerOf(migration);
      if (record.providerId !== providerId || record.epoch !== epoch) {
        throw migrationRefused('Rolling back', 'The instance has moved since.', 'Roll its later migration back first.');
      }
      refuseUnmovable(record);
      await this.#prove(migration, ctx);
      await lifecycle.stop(record, false, ctx);
      const begin = ({ endedAt: _endedAt, keptSince: _keptSince, ...current }: Migration): Migration => ({
        ...current,
        wasRunning: record.desired === 'running',
        rolledBackAt: timestamp(),
        leftovers: [],
      });
      await book.update(migrationId, underLock(ctx, begin));
      return new MigrationRun(this.#world, migrationId).goOn(ctx);
    });
  }

  /** In what the parked copy differs from the instance. Throws `migrationRefused` when there is none. */
  compare(migrationId: string, ctx: OperationContext): Promise<HomeDifference> {
    const { providers, registry, carrier } = this.#world;
    return this.#withWhole(migrationId, 'Comparing', ctx, async (migration, ctx) => {
      const { id, providerId } = await registry.readInstance(migration.instanceId);
      return carrier.compare(providers.get(providerId), providers.get(parkedAt(migration)), id, ctx);
    });
  }

  /** The parked copy is what was put aside. Throws `migrationRefused`, `homeMissing`, `removalBegun`, `copyNotWhole`. */
  async #prove(migration: Migration, ctx: OperationContext): Promise<void> {
    const { providers, carrier } = this.#world;
    const { instanceId, digest } = migration;
    const provider = providers.get(parkedAt(migration));
    const there = await provider.getInstance(instanceId, ctx);
    if (!there) throw migrationRefused('Rolling back', 'The parked copy is gone.', 'Restore a snapshot instead.');
    await proveWhole(provider, there, ctx);
    // One of which no digest was taken, as when its provider was away, has the provider's word that it is whole.
    if (digest === undefined) return;
    ctx.report('Comparing the parked copy with what it was');
    if ((await carrier.look(provider, instanceId, ctx)).digest !== digest) throw copyNotWhole(instanceId, provider.id);
  }

  /**
   * For whoever holds the instance's lock. Only what is parked is removed, or the home of which nothing else is left,
   * where the instance does not live. It is begun in the record before; what can't be removed is named there.
   */
  async remove(migration: Migration, ctx: LockedContext): Promise<Migration> {
    const { providers, registry, book } = this.#world;
    const provider = providers.get(parkedAt(migration));
    const there = await getTwice(provider, migration.instanceId, ctx);
    const record = await registry.findInstance(migration.instanceId);
    const isParked = there ? isCopyInRole(there, 'parked') && isCopyOf(migration, there) : record !== undefined;
    if (isParked && record?.providerId !== provider.id) {
      const claim = parkedClaim(migration, there, record);
      if (there) refuseUnowned(there, claim);
      const begin = (current: Migration): Migration => ({ removingSince: timestamp(), ...current });
      const begun = await book.update(migration.id, underLock(ctx, begin));
      ctx.lock.assertHeld();
      try {
        await provider.deleteInstance(migration.instanceId, claimed(ctx, claim));
      } catch (error) {
        if (!isAbort(error))
          await book.update(
            begun.id,
            underLock(ctx, (current: Migration) => ({ ...current, leftovers: [stuckCopy(begun, error)] })),
          );
        throw error;
      }
    }
    const end = ({
      parkedUntil: _until,
      keptSince: _kept,
      removingSince: _since,
      ...current
    }: Migration): Migration => ({
      ...current,
      leftovers: [],
    });
    return book.update(migration.id, underLock(ctx, end));
  }

  /** Of a copy whose removal was not begun. */
  #withWhole<R>(
    migrationId: string,
    what: string,
    ctx: OperationContext,
    work: (migration: Migration, ctx: LockedContext) => Promise<R>,
  ): Promise<R> {
    return this.#with(migrationId, what, ctx, async (migration, ctx) => {
      if (migration.removingSince === undefined) return work(migration, ctx);
      const problem = 'The removal of the parked copy was begun, and can only be ended.';
      throw migrationRefused(what, problem, 'Clean it up. To have the old home back, restore a snapshot.');
    });
  }

  #with<R>(
    migrationId: string,
    what: string,
    ctx: OperationContext,
    work: (migration: Migration, ctx: LockedContext) => Promise<R>,
  ): Promise<R> {
    const { book, locks } = this.#world;
    const { instanceId } = book.known(migrationId);
    return locks.run(instanceId, ctx, async ctx => {
      const migration = await book.read(migrationId);
      if (migration.status === 'completed' && migration.endedAt !== undefined && migration.parkedUntil !== undefined)
        return work(migration, ctx);
      throw migrationRefused(what, `The migration "${migrationId}" keeps no parked copy.`, 'See list_migrations.');
    });
  }
}

/** What is left where it could not be removed, and why. */
const stuckCopy = (migration: Migration, error: unknown) =>
  `${leftCopy(migration.instanceName, migration.instanceId, parkedAt(migration))}: ${messageOf(error)}`;

/** For a copy that is let go: a record that is older than its parking is none of it (semantics 41). */
function parkedClaim(migration: Migration, there: Claim | null, record: InstanceRecord | undefined): Claim {
  if (!there) return claimOf(migration);
  if (!record) return there;
  return { ...there, generation: Math.max(generationOf(record), migration.parkedGeneration ?? 0) };
}

/** What is kept, and not counted yet, begins to be at `now`, which is observed time. What can't be written waits. */
export async function beginTimes(book: MigrationBook, now: number | undefined): Promise<void> {
  if (now === undefined) return;
  const isNew = (migration: Migration) => isKeeping(migration) && !isCounted(migration.keptSince, now);
  for (const { id } of book.list().filter(isNew))
    await book.update(id, current => (isNew(current) ? { ...current, keptSince: now } : current)).catch(() => {});
}
