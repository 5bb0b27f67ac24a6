import type { Disposable } from '../model/event.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { ObserverLease } from '../model/stateStore.ts';
import { Backoff } from './backoff.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ObservedTime } from './observedTime.ts';
import { isCounted, timeLeft, trashTime } from './retention.ts';

/** Milliseconds between two looks, at most. */
const longestSleep = 3_600_000;
/** Milliseconds until what is due, and was not removed, is looked at again. */
const retryAfter = 60_000;

/** Until when the trash keeps it at least, as far as the clock can be believed; undefined when it is not there. */
export const restorableUntil = ({ trashedAt }: Pick<InstanceRecord, 'trashedAt'>): string | undefined =>
  trashedAt === undefined ? undefined : new Date(Date.parse(trashedAt) + trashTime).toISOString();

/** Empties the trash of what has lain there for long enough; in one window only. Costs nothing while the trash is empty. */
export class TrashExpiry implements Disposable {
  readonly #registry: InstanceRegistry;
  readonly #lease: ObserverLease;
  readonly #time: ObservedTime;
  readonly #backoff = new Backoff();
  readonly #remove: (instanceId: string) => Promise<void>;
  readonly #subscriptions: Disposable[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  /** `remove` deletes an instance for good; what it rejects is asked for again, less and less often. */
  constructor(
    registry: InstanceRegistry,
    lease: ObserverLease,
    time: ObservedTime,
    remove: (instanceId: string) => Promise<void>,
  ) {
    this.#registry = registry;
    this.#lease = lease;
    this.#time = time;
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
    const trash = this.#trash();
    if (this.#isDisposed || !this.#lease.isHeld() || trash.length === 0) return;
    const now = this.#time.now();
    // What is not counted yet begins to be at the next look.
    const left = trash.map(({ keptSince }) =>
      now !== undefined && isCounted(keptSince, now) ? timeLeft(keptSince, trashTime, now) : retryAfter,
    );
    this.#timer = setTimeout(() => void this.#empty(), Math.min(Math.max(...[least, Math.min(...left)]), longestSleep));
  }

  async #empty(): Promise<void> {
    for (const { id } of this.#trash()) {
      const now = this.#time.now();
      if (now === undefined || !this.#lease.isHeld()) break;
      try {
        const { keptSince } = await this.#counted(id, now);
        if (timeLeft(keptSince, trashTime, now) <= 0 && this.#backoff.isDue(id))
          await this.#backoff.run(id, () => this.#remove(id));
      } catch {
        // It is in the audit log, and tried again.
      }
    }
    this.#plan(retryAfter);
  }

  /** As it is on disk: another window may have restored it, and deleted it again, meanwhile. */
  #counted(id: string, now: number): Promise<InstanceRecord> {
    return this.#registry.updateInstance(id, current =>
      current.status !== 'trashed' || isCounted(current.keptSince, now) ? current : { ...current, keptSince: now },
    );
  }

  #trash(): InstanceRecord[] {
    return this.#registry.listInstances().filter(({ desired, overruled }) => desired === 'trashed' && !overruled);
  }
}
