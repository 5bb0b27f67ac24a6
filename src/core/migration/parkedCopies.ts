import { migrationRefused } from '../../model/errors.ts';
import type { HomeDifference } from '../../model/homeArchive.ts';
import type { Migration } from '../../model/migration.ts';
import type { LockedContext, OperationContext } from '../../model/operationContext.ts';
import type { KeyedLock } from '../../model/stateStore.ts';
import { getTwice } from '../instanceLifecycle.ts';
import { claimed, timestamp } from '../records.ts';
import { refuseUnmovable } from './migrationPlanner.ts';
import { MigrationRun, type MigrationWorld } from './migrationRun.ts';
import { claimOf, isCopyOf, ownerOf, parkedAt } from './migrationSteps.ts';

/** What a person does with the copies that migrations have parked (semantics 20). */
export class ParkedCopies {
  readonly #world: MigrationWorld & { readonly locks: KeyedLock };

  constructor(world: MigrationWorld & { readonly locks: KeyedLock }) {
    this.#world = world;
  }

  /** Removes the parked copy for good, before its time. Throws `migrationRefused` when there is none. */
  cleanUp(migrationId: string, ctx: OperationContext): Promise<Migration> {
    return this.#with(migrationId, 'Cleaning up', ctx, (migration, ctx) => this.remove(migration, ctx));
  }

  /**
   * Makes the parked copy the owner again, as it was at the pivot. The other copy is parked in its place, with what was
   * changed since. Throws `migrationRefused` when there is none.
   */
  rollBack(migrationId: string, ctx: OperationContext): Promise<Migration> {
    return this.#with(migrationId, 'Rolling back', ctx, async (migration, ctx) => {
      const { registry, providers, book, lifecycle } = this.#world;
      if (migration.rolledBackAt !== undefined) {
        throw migrationRefused('Rolling back', 'It was rolled back already.', 'Migrate the instance again instead.');
      }
      const record = await registry.readInstance(migration.instanceId);
      const { providerId, epoch } = ownerOf(migration);
      if (record.providerId !== providerId || record.epoch !== epoch) {
        throw migrationRefused('Rolling back', 'The instance has moved since.', 'Roll its later migration back first.');
      }
      refuseUnmovable(record);
      if (!(await providers.get(parkedAt(migration)).getInstance(record.id, ctx))) {
        throw migrationRefused('Rolling back', 'The parked copy is gone.', 'Restore a snapshot instead.');
      }
      await lifecycle.stop(record, false, ctx);
      await book.update(migrationId, ({ endedAt: _endedAt, ...current }) => ({
        ...current,
        wasRunning: record.desired === 'running',
        rolledBackAt: timestamp(),
        leftovers: [],
      }));
      return new MigrationRun(this.#world, migrationId).goOn(ctx);
    });
  }

  /** In what the parked copy differs from the instance. Throws `migrationRefused` when there is none. */
  compare(migrationId: string, ctx: OperationContext): Promise<HomeDifference> {
    const { providers, registry, carrier } = this.#world;
    return this.#with(migrationId, 'Comparing', ctx, async (migration, ctx) => {
      const { id, providerId } = await registry.readInstance(migration.instanceId);
      return carrier.compare(providers.get(providerId), providers.get(parkedAt(migration)), id, ctx);
    });
  }

  /**
   * For whoever holds the instance's lock. Only what is parked is removed, or the home of which nothing else is left,
   * where the instance does not live.
   */
  async remove(migration: Migration, ctx: LockedContext): Promise<Migration> {
    const { providers, registry, book } = this.#world;
    const provider = providers.get(parkedAt(migration));
    const there = await getTwice(provider, migration.instanceId, ctx);
    const record = await registry.readInstance(migration.instanceId).catch(() => undefined);
    const isParked = there ? there.role === 'parked' && isCopyOf(migration, there) : record !== undefined;
    ctx.lock.assertHeld();
    if (isParked && record?.providerId !== provider.id)
      await provider.deleteInstance(migration.instanceId, claimed(ctx, there ?? claimOf(migration)));
    return book.update(migration.id, ({ parkedUntil: _parkedUntil, ...current }) => current);
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
