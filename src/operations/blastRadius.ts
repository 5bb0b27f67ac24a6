import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { RecordStore } from '../model/stateStore.ts';

/** How long a destroyed instance counts. */
const windowMilliseconds = 10 * 60_000;

const recordId = 'agent';

/** What agents have destroyed lately, in every window: the record that the store keeps. */
export const DestroyBudget = z.strictObject({
  id: z.literal(recordId),
  schemaVersion: z.literal(1),
  revision: z.int().min(0),
  spent: z.array(z.strictObject({ reservation: z.string(), instanceId: z.string(), at: z.iso.datetime() })),
});
export type DestroyBudget = z.infer<typeof DestroyBudget>;

/** What was granted of a wish to destroy. */
export interface Reservation {
  readonly granted: ReadonlySet<string>;
  /** When the oldest of what was spent stops counting; undefined when everything was granted, or nothing ever will be. */
  readonly retryAt: Date | undefined;
  /** Gives back what was not destroyed after all. */
  giveBack(instanceIds: Iterable<string>): Promise<void>;
}

/**
 * The cap on what agents destroy (semantics 32): so many instances in ten minutes, over all windows and restarts. It is
 * spent before the deed, in one write that no other window can come between, and given back when nothing was destroyed;
 * a crash between the two leaves it spent.
 */
export class BlastRadius {
  readonly #store: RecordStore<DestroyBudget>;

  constructor(store: RecordStore<DestroyBudget>) {
    this.#store = store;
  }

  /** Grants the first of `instanceIds` that the limit leaves room for. Rejects when the record can't be written. */
  async reserve(instanceIds: readonly string[], limit: number): Promise<Reservation> {
    const reservation = randomUUID();
    const wanted = [...new Set(instanceIds)];
    const record = await this.#store.update(recordId, current => {
      const now = Date.now();
      const spent = stillCounting(current, now);
      const granted = wanted.slice(0, Math.max(0, limit - spent.length));
      const at = new Date(now).toISOString();
      return next(current, [...spent, ...granted.map(instanceId => ({ reservation, instanceId, at }))]);
    });
    const spent = record?.spent ?? [];
    const granted = new Set(spent.filter(entry => entry.reservation === reservation).map(entry => entry.instanceId));
    const others = spent.filter(entry => entry.reservation !== reservation).map(entry => Date.parse(entry.at));
    const oldest = others.length > 0 ? Math.min(...others) : limit > 0 ? Date.now() : undefined;
    return {
      granted,
      retryAt:
        granted.size === wanted.length || oldest === undefined ? undefined : new Date(oldest + windowMilliseconds),
      giveBack: ids => this.#giveBack(reservation, new Set(ids)),
    };
  }

  async #giveBack(reservation: string, instanceIds: ReadonlySet<string>): Promise<void> {
    if (instanceIds.size === 0) return;
    await this.#store.update(recordId, current =>
      next(
        current,
        stillCounting(current, Date.now()).filter(
          entry => entry.reservation !== reservation || !instanceIds.has(entry.instanceId),
        ),
      ),
    );
  }
}

/** An entry from the future counts too: a clock set back must not lift the cap. */
const stillCounting = (record: DestroyBudget | null, now: number) =>
  (record?.spent ?? []).filter(({ at }) => now - Date.parse(at) < windowMilliseconds);

const next = (current: DestroyBudget | null, spent: DestroyBudget['spent']): DestroyBudget => ({
  id: recordId,
  schemaVersion: 1,
  revision: current?.revision ?? 0,
  spent,
});
