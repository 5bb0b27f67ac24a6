import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Emitter } from '../model/event.ts';
import type { ObserverLease } from '../model/stateStore.ts';
import { LockFile, type LockTiming } from './lockFile.ts';
import { LockJudge } from './lockJudge.ts';
import { replaceFile } from './replaceFile.ts';

/** Milliseconds. All windows must agree on it. */
export interface LeaseTiming {
  /** When a holder was not heard of for this long, another one holds. */
  readonly lease: number;
  readonly renewEvery: number;
  /** How often those who wait look whether the lease is free. */
  readonly retryEvery: number;
}

const usualTiming: LeaseTiming = { lease: 15_000, renewEvery: 5_000, retryEvery: 2_000 };

/**
 * {@link ObserverLease} of a state directory: a lock, `locks/observer.lock`, and the epoch of the last hold, alone in
 * `observer.epoch`. Who waits costs one stat each retry. A holder that was stopped knows it before it acts, by the
 * clocks and by the lock; a clock that is set back or forward may move the lease to another window, and never leaves
 * two that hold it. While the disk refuses, nobody observes.
 */
export class LeaderLease implements ObserverLease {
  readonly #lockFile: string;
  readonly #epochFile: string;
  readonly #lockTiming: LockTiming;
  readonly #judge: LockJudge;
  readonly #retryEvery: number;
  readonly #changes = new Emitter<void>();
  #timer: NodeJS.Timeout | undefined;
  #lock: LockFile | undefined;
  #epoch: number | undefined;

  readonly onDidChange = this.#changes.event;

  constructor(stateDirectory: string, { lease, renewEvery, retryEvery } = usualTiming, judge = new LockJudge()) {
    this.#judge = judge;
    this.#lockFile = path.join(stateDirectory, 'locks', 'observer.lock');
    this.#epochFile = path.join(stateDirectory, 'observer.epoch');
    // Free one retry before the lease ends, so that the next one holds when it does.
    this.#lockTiming = { staleAfter: lease - retryEvery, renewEvery };
    this.#retryEvery = retryEvery;
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  isHeld(): boolean {
    if (this.#epoch === undefined) return false;
    if (this.#isOurs()) return true;
    this.#letGo();
    return false;
  }

  /** Whether any window holds it now. Costs one stat; while the disk refuses, it is nobody's. */
  isTaken(): boolean {
    try {
      return LockFile.isHeld(this.#lockFile, this.#lockTiming, this.#judge);
    } catch {
      return false;
    }
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), this.#retryEvery).unref();
    void this.#look();
  }

  /** Who waits has it at its next look. */
  resign(): void {
    clearInterval(this.#timer);
    this.#letGo();
  }

  dispose(): void {
    this.#changes.dispose();
    this.resign();
  }

  /** Waits for the lease, or notices that it is lost. Never rejects. */
  async #look(): Promise<void> {
    if (this.#lock !== undefined) {
      this.isHeld();
      return;
    }
    const lock = this.#take();
    if (lock === undefined) return;
    this.#lock = lock;
    const epoch = await this.#raiseEpoch(lock).catch(() => undefined);
    if (this.#lock !== lock) return;
    if (epoch === undefined) return this.#letGo();
    this.#epoch = epoch;
    this.#tell();
  }

  #take(): LockFile | undefined {
    try {
      if (LockFile.isHeld(this.#lockFile, this.#lockTiming, this.#judge)) return undefined;
      mkdirSync(path.dirname(this.#lockFile), { recursive: true, mode: 0o700 });
      return LockFile.take(this.#lockFile, 'observer', this.#lockTiming, this.#judge);
    } catch {
      return undefined; // The disk refuses; the next look tries again.
    }
  }

  /** The time of taking, or one more than the last: so that it rises even where the file is lost. */
  async #raiseEpoch(lock: LockFile): Promise<number> {
    const last = Number(await readFile(this.#epochFile, 'utf8').catch(() => 0));
    const epoch = Math.max(Date.now(), Number.isSafeInteger(last) ? last + 1 : 0);
    await replaceFile(this.#epochFile, `${epoch}\n`, `${this.#lockFile}.${randomUUID()}.tmp`, () => lock.assertHeld());
    return epoch;
  }

  #isOurs(): boolean {
    try {
      return this.#lock?.isOurs() ?? false;
    } catch {
      return false; // Who cannot read the lock cannot be sure of it.
    }
  }

  #letGo(): void {
    const wasHeld = this.#epoch !== undefined;
    try {
      this.#lock?.release();
    } catch {
      // What could not be taken away is free when it was not renewed for long enough.
    }
    this.#lock = undefined;
    this.#epoch = undefined;
    if (wasHeld) this.#tell();
  }

  /** In a turn of its own, so that whoever asks is answered before anybody acts on the news. */
  #tell(): void {
    queueMicrotask(() => this.#changes.fire());
  }
}
