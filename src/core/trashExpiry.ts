import type { Disposable } from '../model/event.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { ObserverLease } from '../model/stateStore.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { LongDue } from './longDue.ts';

/** Milliseconds that the trash keeps what was deleted (semantics 22). */
const trashTime = 7 * 86_400_000;
/** Milliseconds: a clock that is set meanwhile is noticed within this. */
const longestSleep = 3_600_000;
/** Milliseconds until what is due, and was not removed, is looked at again. */
const retryAfter = 60_000;

/** Until when the trash keeps it; undefined when it is not there. */
export const restorableUntil = ({ trashedAt }: Pick<InstanceRecord, 'trashedAt'>): string | undefined =>
  trashedAt === undefined ? undefined : new Date(Date.parse(trashedAt) + trashTime).toISOString();

/** Empties the trash of what has lain there for long enough; in one window only. Costs nothing while the trash is empty. */
export class TrashExpiry implements Disposable {
  readonly #registry: InstanceRegistry;
  readonly #lease: ObserverLease;
  readonly #remove: (instanceId: string) => Promise<void>;
  readonly #subscriptions: Disposable[];
  readonly #longDue = new LongDue();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  /** `remove` deletes an instance for good; what it rejects is asked for again. */
  constructor(registry: InstanceRegistry, lease: ObserverLease, remove: (instanceId: string) => Promise<void>) {
    this.#registry = registry;
    this.#lease = lease;
    this.#remove = remove;
    this.#subscriptions = [
      registry.onDidChange(({ record }) => record?.desired === 'trashed' && this.#plan(0)),
      lease.onDidChange(() => this.#plan(0)),
    ];
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const subscription of this.#subscriptions) subscription.dispose();
    clearTimeout(this.#timer);
  }

  #plan(least: number): void {
    clearTimeout(this.#timer);
    if (this.#isDisposed || !this.#lease.isHeld()) return;
    const times = this.#trash().map(({ until }) => until);
    if (times.length === 0) return;
    const next = Math.min(...times) - Date.now();
    this.#timer = setTimeout(() => void this.#empty(), Math.min(Math.max(next, least), longestSleep));
  }

  async #empty(): Promise<void> {
    const now = Date.now();
    for (const { id, until } of this.#trash()) {
      if (!this.#longDue.holds(id, until <= now) || !this.#lease.isHeld()) continue;
      await this.#remove(id).catch(() => {}); // It is in the audit log, and tried again.
    }
    this.#plan(retryAfter);
  }

  /** What lies there, and until when, in milliseconds since 1970. */
  #trash(): { readonly id: string; readonly until: number }[] {
    return this.#registry
      .listInstances()
      .filter(({ desired, overruled }) => desired === 'trashed' && !overruled)
      .flatMap(record => {
        const until = restorableUntil(record);
        return until === undefined ? [] : [{ id: record.id, until: Date.parse(until) }];
      });
  }
}
