import type { Disposable, Event } from '../model/event.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { InstanceObservation, Provider } from '../model/provider.ts';
import type { KeyedLock, ObserverLease } from '../model/stateStore.ts';
import { Backoff } from './backoff.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderObservation } from './reconciler.ts';
import { claimed } from './records.ts';

/**
 * Pure: whether what is there is the rest of a removal that was begun and cut off, and is nobody's. Where an instance
 * lives, only what is wanted of it decides: its record may be older than the removal.
 */
export const isBegunRemoval = (
  seen: InstanceObservation,
  providerId: string,
  swarmId: string,
  record: Pick<InstanceRecord, 'providerId'> | undefined,
): boolean =>
  seen.role === 'removing' && (record === undefined ? seen.swarmId === swarmId : record.providerId !== providerId);

export interface BegunRemovalsOptions {
  readonly swarmId: string;
  readonly registry: InstanceRegistry;
  readonly locks: KeyedLock;
  readonly lease: ObserverLease;
}

/** Ends removals that were cut off, whoever began them; the observer does. */
export class BegunRemovals implements Disposable {
  readonly #options: BegunRemovalsOptions;
  readonly #backoff = new Backoff();
  readonly #disposed = new AbortController();
  readonly #subscription: Disposable;

  constructor(options: BegunRemovalsOptions, onDidObserve: Event<ProviderObservation>) {
    this.#options = options;
    this.#subscription = onDidObserve(({ provider, seen }) => seen && void this.#end(provider, seen));
  }

  /** What a provider was just seen to have. Never rejects. */
  async #end(provider: Provider, seen: ReadonlyMap<string, InstanceObservation>): Promise<void> {
    const { swarmId, registry, locks, lease } = this.#options;
    const ctx = { signal: this.#disposed.signal, report: () => {} };
    for (const observation of seen.values()) {
      const { id } = observation;
      const key = `${provider.id} ${id}`;
      const isBegun = isBegunRemoval(observation, provider.id, swarmId, registry.getInstance(id));
      if (!isBegun || !this.#backoff.isDue(key) || !lease.isHeld() || (await locks.isHeld(id))) continue;
      const remove = () =>
        locks.run(id, ctx, async ctx => {
          // What can't be read may say that it is wanted.
          const record = await registry.findInstance(id);
          const there = await provider.getInstance(id, ctx);
          ctx.lock.assertHeld();
          if (isBegunRemoval(observation, provider.id, swarmId, record) && there?.role === 'removing')
            await provider.deleteInstance(id, claimed(ctx, there));
        });
      // It is there still, and tried again.
      await this.#backoff.run(key, remove).catch(() => {});
    }
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#disposed.abort();
  }
}
