import { wrongState } from '../model/errors.ts';
import { type OperationContext, quietContext } from '../model/operationContext.ts';
import type { StrayHome } from '../model/provider.ts';
import type { KeyedLock } from '../model/stateStore.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderDirectory } from './providerDirectory.ts';

/** A home that no instance of the swarm is known to have. */
export interface UnknownHome extends StrayHome {
  readonly providerId: string;
}

/** Homes of this swarm that cost something and are no instance's any more. Nothing removes one but a person. */
export class StrayHomes {
  readonly #swarmId: string;
  readonly #registry: InstanceRegistry;
  readonly #providers: ProviderDirectory;
  readonly #locks: KeyedLock;

  constructor(swarmId: string, registry: InstanceRegistry, providers: ProviderDirectory, locks: KeyedLock) {
    this.#swarmId = swarmId;
    this.#registry = registry;
    this.#providers = providers;
    this.#locks = locks;
  }

  /** On all providers that can tell. Rejects when one does not answer. */
  async list(ctx: OperationContext = quietContext): Promise<UnknownHome[]> {
    const known = new Set((await this.#registry.readAll()).map(({ id }) => id));
    const found = await Promise.all(
      this.#providers.all().map(async ({ id: providerId, abilities }) => {
        const homes = (await abilities.strayHomes?.(this.#swarmId, ctx)) ?? [];
        return homes.map(home => ({ ...home, providerId }));
      }),
    );
    return found.flat().filter(({ id }) => !known.has(id));
  }

  /** For good, and only what is a stray home still. Rejects with `wrong-state` when it is not. */
  async remove(providerId: string, id: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.#locks.run(id, ctx, async lock => {
      const found = await this.list(ctx);
      if (!found.some(home => home.providerId === providerId && home.id === id))
        throw wrongState(id, 'no stray home', 'look again');
      lock.assertHeld();
      await this.#providers.get(providerId).deleteInstance(id, ctx);
    });
  }
}
