import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { RecordStore } from '../model/stateStore.ts';

/** How long a destroyed instance counts. */
const windowMilliseconds = 10 * 60_000;
/** How often a reservation that is held says so; one whose window has died counts for ten minutes after its last word. */
const renewalMilliseconds = 2 * 60_000;

const recordId = 'agent';

const Entry = z.strictObject({
  reservation: z.string(),
  instanceId: z.string(),
  /** When it was destroyed; while a question is open or the deed goes on, when its window last said so. */
  at: z.iso.datetime(),
  /** The same in milliseconds since the machine was started, which no change of its clock touches. */
  uptime: z.number().min(0).optional(),
});
type Entry = z.infer<typeof Entry>;

/** What agents have destroyed lately, in every window: the record that the store keeps. */
export const DestroyBudget = z.strictObject({
  id: z.literal(recordId),
  schemaVersion: z.literal(1),
  revision: z.int().min(0),
  spent: z.array(Entry),
});
export type DestroyBudget = z.infer<typeof DestroyBudget>;

/** What was granted of a wish to destroy. Counts until it is closed, however long that takes. */
export interface Reservation {
  readonly granted: ReadonlySet<string>;
  /** When the oldest of what counts is expected to stop; undefined when everything was granted, or nothing ever will be. */
  readonly retryAt: Date | undefined;
  /** Whether the place is still there under the limit as it is now. To be asked right before the deed. */
  permits(instanceId: string, limit: number): Promise<boolean>;
  /** Ends it: what was destroyed counts from now on, the rest is given back. */
  close(destroyed: Iterable<string>): Promise<void>;
}

/**
 * The cap on what agents destroy (semantics 32): so many instances in ten minutes, over all windows and restarts. A place
 * is taken before anybody is asked, in one write that no other window can come between, and held until the deed is over.
 */
export class BlastRadius {
  readonly #store: RecordStore<DestroyBudget>;
  readonly #uptime: () => number;
  readonly #held = new Set<string>();
  #renewal: ReturnType<typeof setInterval> | undefined;

  /** `uptime`: milliseconds since the machine was started. */
  constructor(store: RecordStore<DestroyBudget>, uptime: () => number) {
    this.#store = store;
    this.#uptime = uptime;
  }

  /** Grants the first of `instanceIds` that the limit leaves room for. Rejects when the record can't be written. */
  async reserve(instanceIds: readonly string[], limit: number): Promise<Reservation> {
    const reservation = randomUUID();
    const wanted = [...new Set(instanceIds)];
    const record = await this.#change(counting => {
      const granted = wanted.slice(0, Math.max(0, limit - counting.length));
      return [...counting, ...granted.map(instanceId => this.#entry(reservation, instanceId))];
    });
    const granted = new Set(record.filter(entry => entry.reservation === reservation).map(entry => entry.instanceId));
    if (granted.size > 0) this.#hold(reservation);
    return {
      granted,
      retryAt: granted.size === wanted.length ? undefined : this.#firstEnd(record),
      permits: (instanceId, limitNow) => this.#permits(reservation, instanceId, limitNow),
      close: destroyed => this.#close(reservation, new Set(destroyed)),
    };
  }

  /** A place that was lost, as in a window that stood still for long, is taken again if there is one. */
  async #permits(reservation: string, instanceId: string, limit: number): Promise<boolean> {
    const own = (entry: Entry) => entry.reservation === reservation && entry.instanceId === instanceId;
    const record = await this.#change(counting => {
      const entry = this.#entry(reservation, instanceId);
      return counting.some(own) ? counting.map(one => (own(one) ? entry : one)) : [...counting, entry];
    });
    return record.findIndex(own) < limit;
  }

  async #close(reservation: string, destroyed: ReadonlySet<string>): Promise<void> {
    this.#letGo(reservation);
    await this.#change(counting => [
      ...counting.filter(entry => entry.reservation !== reservation),
      ...[...destroyed].map(instanceId => this.#entry(reservation, instanceId)),
    ]);
  }

  #hold(reservation: string): void {
    this.#held.add(reservation);
    // What can't be renewed now is next time, or taken again before the deed.
    this.#renewal ??= setInterval(() => void this.#renew().catch(() => {}), renewalMilliseconds).unref();
  }

  #letGo(reservation: string): void {
    this.#held.delete(reservation);
    if (this.#held.size > 0) return;
    clearInterval(this.#renewal);
    this.#renewal = undefined;
  }

  async #renew(): Promise<void> {
    await this.#change(counting =>
      counting.map(entry =>
        this.#held.has(entry.reservation) ? this.#entry(entry.reservation, entry.instanceId) : entry,
      ),
    );
  }

  /** Changes what counts now, in one write; resolves with what counts then. */
  async #change(change: (counting: Entry[]) => Entry[]): Promise<Entry[]> {
    const record = await this.#store.update(recordId, current => ({
      id: recordId,
      schemaVersion: 1,
      revision: current?.revision ?? 0,
      spent: change((current?.spent ?? []).filter(entry => this.#held.has(entry.reservation) || this.#left(entry) > 0)),
    }));
    return record?.spent ?? [];
  }

  #entry(reservation: string, instanceId: string): Entry {
    return { reservation, instanceId, at: new Date(Date.now()).toISOString(), uptime: this.#uptime() };
  }

  /**
   * Milliseconds that an entry still counts: never fewer because a clock was set, nor because the machine was started
   * anew. Of an entry of an older version only the clock tells; one from its future counts too.
   */
  #left({ at, uptime }: Entry): number {
    const now = this.#uptime();
    if (uptime === undefined) return windowMilliseconds - (Date.now() - Date.parse(at));
    return windowMilliseconds - (now >= uptime ? now - uptime : now);
  }

  #firstEnd(record: readonly Entry[]): Date | undefined {
    const left = record.map(entry => this.#left(entry));
    return left.length === 0 ? undefined : new Date(Date.now() + Math.min(...left));
  }
}
