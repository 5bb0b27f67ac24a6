import type { Disposable } from '../model/event.ts';
import { isMoment, momentOf } from '../model/observedMoment.ts';
import { type ObservedTimeRecord, observedTimeId } from '../model/observedTimeRecord.ts';
import type { ObserverLease, RecordStore } from '../model/stateStore.ts';

/** Milliseconds. What is not written yet is lost with the window, and counts for no more than this. */
const writeEvery = 900_000;

/**
 * How long the swarm was observed, in milliseconds: the steady time of whichever window observes, kept over restarts.
 * No clock that is set changes it, sleep does not count, and it is never ahead of the time that went by: no wrong digit
 * on the disk makes it so.
 */
export class ObservedTime {
  readonly #store: RecordStore<ObservedTimeRecord>;
  readonly #lease: ObserverLease;
  readonly #subscription: Disposable;
  /** What is written, and when that was so, by `performance.now()`. */
  #counting: { readonly written: number; readonly since: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  constructor(store: RecordStore<ObservedTimeRecord>, lease: ObserverLease) {
    this.#store = store;
    this.#lease = lease;
    this.#subscription = lease.onDidChange(() => void this.#begin());
  }

  /** Undefined in a window that does not observe, or does not know yet. */
  now(): number | undefined {
    const milliseconds = this.#observed();
    return milliseconds === undefined ? undefined : momentOf(milliseconds);
  }

  /** Writes what was counted, as far as it can be written. To be called while the lease is held still. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#subscription.dispose();
    const written = this.#write();
    this.#end();
    await written;
  }

  #observed(): number | undefined {
    if (!this.#counting || !this.#lease.isHeld()) return undefined;
    const { written, since } = this.#counting;
    return written + Math.min(writeEvery, Math.max(0, performance.now() - since));
  }

  async #begin(): Promise<void> {
    this.#end();
    const since = performance.now();
    const { epoch } = this.#lease;
    if (epoch === undefined) return;
    try {
      const record = await this.#store.read(observedTimeId);
      if (this.#isDisposed || this.#lease.epoch !== epoch || this.#counting) return;
      this.#counting = { written: writtenIn(record), since };
    } catch {
      // Nothing grows older until it can be read.
    }
    this.#writeLater();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#counting = undefined;
  }

  #writeLater(): void {
    clearTimeout(this.#timer);
    if (this.#isDisposed) return;
    this.#timer = setTimeout(() => void (this.#counting ? this.#write() : this.#begin()), writeEvery);
  }

  async #write(): Promise<void> {
    const milliseconds = this.#observed();
    const since = performance.now();
    const counting = this.#counting;
    if (milliseconds === undefined) return;
    try {
      await this.#store.update(observedTimeId, current => ({
        ...{ id: observedTimeId, schemaVersion: 1, revision: current?.revision ?? 0 },
        milliseconds: Math.max(momentOf(milliseconds), writtenIn(current)),
      }));
    } catch {
      // Time stands still until it can be written.
      return;
    } finally {
      if (counting && this.#counting === counting) this.#writeLater();
    }
    if (counting && this.#counting === counting) this.#counting = { written: milliseconds, since };
  }
}

/** What is no moment was damaged, or is of a version that did not write moments: time begins anew, and all of it is kept. */
const writtenIn = (record: ObservedTimeRecord | null): number =>
  record && isMoment(record.milliseconds) ? record.milliseconds : 0;
