import { setTimeout as sleep } from 'node:timers/promises';

/** How many calls of one kind may be made: `burst` at once, and then `perSecond`. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Keeps calls within a rate, key by key, in the order in which they came. */
export class RateLimiter {
  /** The moment, on the clock of `performance.now()`, at which a key's calls would all be forgotten. */
  readonly #busyUntil = new Map<string, number>();

  /** Resolves when a call may be made. Rejects with the signal's reason. */
  async turn(key: string, { perSecond, burst }: Rate, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#forget(now);
    const cost = 1_000 / perSecond;
    const until = Math.max(this.#busyUntil.get(key) ?? now, now) + cost;
    this.#busyUntil.set(key, until);
    const pause = until - burst * cost - now;
    if (pause > 0) await sleep(pause, undefined, { signal });
    signal.throwIfAborted();
  }

  #forget(now: number): void {
    for (const [key, until] of this.#busyUntil) if (until <= now) this.#busyUntil.delete(key);
  }
}
