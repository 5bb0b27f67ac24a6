import { mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SwarmError, stateUnavailable } from '../model/errors.ts';
import type { LockedContext, LockHandle, OperationContext } from '../model/operationContext.ts';
import type { KeyedLock } from '../model/stateStore.ts';
import { LockFile } from './lockFile.ts';
import { LockJudge } from './lockJudge.ts';

/** Milliseconds between two looks at a lock that another process holds: from, to. */
const backOff = { from: 5, to: 250 };

/**
 * {@link KeyedLock} over a folder of lock files. In one process turns come in the order of the calls, without touching
 * the disk; among processes whoever looks first gets it. A holder that was killed, or stopped, for five seconds has
 * lost its lock. One `FileLock` a folder and process.
 */
export class FileLock implements KeyedLock {
  readonly #directory: string;
  readonly #judge: LockJudge;
  /** For each key in use, when the last of its queue is done. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(directory: string, judge = new LockJudge()) {
    this.#directory = directory;
    this.#judge = judge;
  }

  async run<R>(key: string, ctx: OperationContext, work: (ctx: LockedContext) => Promise<R>): Promise<R> {
    const before = this.#queues.get(key) ?? Promise.resolve();
    let done = () => {};
    const turn = new Promise<void>(resolve => {
      done = resolve;
    });
    const queue = before.then(() => turn);
    this.#queues.set(key, queue);
    void queue.then(() => {
      if (this.#queues.get(key) === queue) this.#queues.delete(key);
    });
    try {
      await unlessAborted(before, ctx.signal);
      const lock = await this.#take(key, ctx);
      try {
        return await work({ ...ctx, lock: ctx.lock ? both(ctx.lock, lock) : lock });
      } finally {
        lock.release();
      }
    } finally {
      done();
    }
  }

  async isHeld(key: string): Promise<boolean> {
    return LockFile.isHeld(this.#fileOf(key), undefined, this.#judge);
  }

  #fileOf(key: string): string {
    return path.join(this.#directory, `${encodeURIComponent(key)}.lock`);
  }

  async #take(key: string, ctx: OperationContext): Promise<LockFile> {
    for (let wait = backOff.from; ; wait = Math.min(wait * 2, backOff.to)) {
      ctx.signal.throwIfAborted();
      const lock = this.#tryToTake(key);
      if (lock !== undefined) return lock;
      if (wait >= backOff.to) ctx.report('Waiting for another window');
      await unlessAborted(delay(wait * (0.5 + Math.random() / 2)), ctx.signal);
    }
  }

  #tryToTake(key: string): LockFile | undefined {
    try {
      this.#judge.assertOurs();
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      return LockFile.take(this.#fileOf(key), key, undefined, this.#judge);
    } catch (error) {
      throw error instanceof SwarmError ? error : stateUnavailable(this.#directory, error);
    }
  }
}

/** What is worked on inside of other work is both's. */
const both = (outer: LockHandle, inner: LockHandle): LockHandle => ({
  assertHeld: () => {
    outer.assertHeld();
    inner.assertHeld();
  },
});

/** Resolves when `waited` does, rejects with the signal's reason when that comes first. */
function unlessAborted(waited: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', abort);
      settle();
    };
    waited.then(
      () => end(resolve),
      error => end(() => reject(error)),
    );
  });
}
