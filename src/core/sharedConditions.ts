import type { Event } from '../model/event.ts';
import type { ProviderRecord } from '../model/providerRecord.ts';
import type { ObserverLease } from '../model/stateStore.ts';
import type { HealthMonitor } from './health/healthMonitor.ts';
import type { Suspicion } from './health/suspectProviders.ts';
import { isSame } from './isSame.ts';
import { KeyedDebounce } from './keyedDebounce.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import type { Reconciler } from './reconciler.ts';
import type { SharedRecords } from './sharedRecords.ts';

export interface SharedConditionsOptions {
  readonly book: SharedRecords<ProviderRecord>;
  readonly lease: ObserverLease;
  readonly providers: ProviderDirectory;
  readonly reconciler: Pick<Reconciler, 'found' | 'showFound' | 'onDidObserve'>;
  readonly health: Pick<HealthMonitor, 'suspects' | 'onDidChange'>;
}

/**
 * Has all windows know the same of the providers, while only one asks them. The observer writes how each one answers,
 * what was found there and whether it is suspect, when that has changed; the others show it (semantics 30). What a window
 * has seen itself, as when a person refreshed, it shows until the observer writes something else.
 */
export class SharedConditions {
  readonly #options: SharedConditionsOptions;
  readonly #due = new KeyedDebounce(150, providerId => void this.#write(providerId));
  /** What is known of a provider, whose id this is, changed here or in another window. */
  readonly onDidChange: Event<string>;

  constructor(options: SharedConditionsOptions) {
    this.#options = options;
    const { book, lease, providers, reconciler, health } = options;
    this.onDidChange = book.onDidChange;
    book.onDidChange(providerId => {
      this.#show(providerId);
      this.#wake(providerId);
    });
    reconciler.onDidObserve(({ provider }) => this.#wake(provider.id));
    health.onDidChange(() => {
      for (const providerId of providers.ids()) this.#wake(providerId);
    });
    lease.onDidChange(() => this.#takeTurn());
  }

  /** Shows what is known, and follows the observer from then on. */
  async load(): Promise<void> {
    const { book } = this.#options;
    await book.load();
    for (const { id } of book.list()) this.#show(id);
  }

  /** Providers whose instances fail so many at once that nothing is recovered there (semantics 10). */
  suspects(): Suspicion['suspects'] {
    const { book, health } = this.#options;
    const told = () =>
      book.list().flatMap(({ id, suspect }) => (suspect === undefined ? [] : [{ providerId: id, reason: suspect }]));
    return health.suspects() ?? told();
  }

  dispose(): void {
    this.#due.dispose();
    this.#options.book.dispose();
  }

  /** This window has become the observer, or is it no more. */
  #takeTurn(): void {
    const { book, lease, providers } = this.#options;
    for (const { id } of book.list()) {
      if (lease.epoch === undefined) this.#show(id);
      // Nobody keeps it true any more.
      else if (!providers.find(id)) void this.#update(id, lease.epoch, () => null);
    }
  }

  #show(providerId: string): void {
    const { book, lease, providers, reconciler } = this.#options;
    const record = book.get(providerId);
    if (lease.epoch !== undefined || !record || !providers.find(providerId)) return;
    providers.show(record);
    reconciler.showFound(providerId, record.found);
  }

  #wake(providerId: string): void {
    if (this.#options.lease.epoch !== undefined) this.#due.wake(providerId);
  }

  async #write(providerId: string): Promise<void> {
    const { book, lease } = this.#options;
    const { epoch } = lease;
    const next = epoch !== undefined && this.#seen(providerId, epoch);
    if (!next || isSame({ ...book.get(providerId), revision: 0 }, next)) return;
    await this.#update(providerId, epoch, () => next);
  }

  #seen(id: string, observerEpoch: number): ProviderRecord | undefined {
    const { providers, reconciler } = this.#options;
    const { reachable, problem, code, hint } = providers.condition(id) ?? {};
    if (reachable === undefined) return undefined;
    return {
      ...{ id, schemaVersion: 1, revision: 0, observerEpoch, reachable, problem, code, hint },
      capabilities: providers.knownCapabilities(id),
      found: reconciler.found().flatMap(each => (each.providerId === id ? [{ ...each.observation }] : [])),
      suspect: this.suspects().find(({ providerId }) => providerId === id)?.reason,
    };
  }

  /** Only as long as this window observes, and never what a later observer wrote. Never rejects. */
  async #update(id: string, epoch: number, change: () => ProviderRecord | null): Promise<void> {
    const { book, lease } = this.#options;
    try {
      await book.update(id, current => {
        const isOurs = lease.isHeld() && lease.epoch === epoch && (current?.observerEpoch ?? 0) <= epoch;
        return isOurs ? change() : current;
      });
    } catch {
      // The disk refuses; the next look tries again.
    }
  }
}
