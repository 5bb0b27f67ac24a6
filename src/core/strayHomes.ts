import { wrongState } from '../model/errors.ts';
import { type OperationContext, quietContext } from '../model/operationContext.ts';
import type { StrayHome } from '../model/provider.ts';
import type { KeyedLock, LockedVault } from '../model/stateStore.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { MigrationBook } from './migration/migrationBook.ts';
import type { ProviderDirectory } from './providerDirectory.ts';

/** A home that no instance of the swarm is known to have. */
export interface UnknownHome extends StrayHome {
  readonly providerId: string;
}

export interface StrayHomesOptions {
  readonly swarmId: string;
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly locks: KeyedLock;
  readonly vault: LockedVault;
  readonly book: MigrationBook;
}

/** Homes of this swarm that are no instance's any more. Nothing removes one, or makes one, but a person. */
export class StrayHomes {
  readonly #options: StrayHomesOptions;

  constructor(options: StrayHomesOptions) {
    this.#options = options;
  }

  /** On all providers that can tell. Rejects when one does not answer, or a migration, which may be about one, can't be read. */
  async list(ctx: OperationContext = quietContext): Promise<UnknownHome[]> {
    const { registry, providers, book, swarmId } = this.#options;
    await book.readAll();
    const known = await registry.readIds();
    const found = await Promise.all(
      providers.all().map(async ({ id: providerId, abilities }) => {
        const homes = (await abilities.strayHomes?.(swarmId, ctx)) ?? [];
        return homes.map(home => ({ ...home, providerId }));
      }),
    );
    return found.flat().filter(({ id }) => !known.has(id));
  }

  /** For good, and only what is a stray home still. Rejects with `wrong-state` when it is not. */
  async remove(providerId: string, id: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.#options.locks.run(id, ctx, async ctx => {
      if (await this.#options.registry.findInstance(id)) throw wrongState(id, 'an instance', 'delete the instance');
      const found = await this.list(ctx);
      if (!found.some(home => home.providerId === providerId && home.id === id))
        throw wrongState(id, 'no stray home', 'look again');
      ctx.lock.assertHeld();
      await this.#options.providers.get(providerId).deleteInstance(id, ctx);
    });
  }

  /**
   * Forgets an instance that another swarm has adopted, or whose deletion for good cannot come to its end, as when a provider is gone. What its providers
   * still have stays there: should they come back, it is an instance again. Rejects with `wrong-state` for any other one.
   */
  async leave(instanceId: string, ctx: OperationContext = quietContext): Promise<void> {
    const { registry, book, vault, locks } = this.#options;
    await locks.run(instanceId, ctx, async ctx => {
      // One whose record cannot be read may well be alive.
      const record = await registry.findInstance(instanceId);
      const migrations = (await book.readAll()).filter(each => each.instanceId === instanceId);
      const isGoing = record
        ? record.desired === 'absent' || record.overruled?.by === 'another'
        : migrations.some(each => each.instanceRemovedAt);
      if (!isGoing) throw wrongState(instanceId, record?.status ?? 'unknown', 'delete it permanently first');
      ctx.lock.assertHeld();
      // First what nobody would remove once there is no record of it.
      await vault.forget(instanceId, ctx);
      for (const { id } of migrations) {
        await book.forget(id);
        ctx.lock.assertHeld();
      }
      if (record) await registry.removeInstance(instanceId, ctx);
    });
  }
}
