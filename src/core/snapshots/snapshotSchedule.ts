import type { Disposable } from '../../model/event.ts';
import type { ObserverLease } from '../../model/stateStore.ts';

/** Milliseconds between two looks; what is due waits for the next one. */
const lookEvery = 600_000;
/** Milliseconds until what could not be kept is tried again. */
const retryAfter = 3_600_000;

export interface SnapshotScheduleOptions {
  readonly lease: ObserverLease;
  /** The setting as it is now, in seconds; 0 means never. */
  interval(): number;
  /** Ids of the instances whose home was not kept for so many milliseconds, and may have changed since. */
  due(milliseconds: number): readonly string[];
  /** What it rejects is tried again, later. */
  take(instanceId: string): Promise<void>;
}

/** Keeps homes from time to time, one after the other; in one window only. */
export class SnapshotSchedule implements Disposable {
  readonly #options: SnapshotScheduleOptions;
  readonly #subscription: Disposable;
  /** When each one was tried last, by `performance.now()`. */
  readonly #triedAt = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  constructor(options: SnapshotScheduleOptions) {
    this.#options = options;
    this.#subscription = options.lease.onDidChange(() => this.#plan());
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#subscription.dispose();
    clearTimeout(this.#timer);
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isMine()) this.#timer = setTimeout(() => void this.#look(), lookEvery);
  }

  #isMine(): boolean {
    return !this.#isDisposed && this.#options.lease.isHeld();
  }

  async #look(): Promise<void> {
    const { interval, due, take } = this.#options;
    const period = interval() * 1000;
    for (const id of period > 0 ? due(period) : []) {
      const now = performance.now();
      if (now - (this.#triedAt.get(id) ?? Number.NEGATIVE_INFINITY) < Math.min(retryAfter, period)) continue;
      if (!this.#isMine()) return;
      this.#triedAt.set(id, now);
      await take(id).catch(() => {}); // It is in the audit log, and tried again.
    }
    this.#plan();
  }
}
