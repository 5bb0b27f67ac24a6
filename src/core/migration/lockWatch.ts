import type { LockHandle } from '../../model/operationContext.ts';

/** Milliseconds between two proofs, at most. */
const proveEvery = 500;

/** Proves a lock again and again, for what goes on by itself once it was begun. */
export class LockWatch {
  /** Rejects once the lock is lost. */
  readonly loss: Promise<never>;
  readonly #lock: LockHandle;
  #proven = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(lock: LockHandle) {
    const loss = Promise.withResolvers<never>();
    this.loss = loss.promise;
    this.#lock = lock;
    const look = () => {
      try {
        this.prove();
        this.#timer = setTimeout(look, proveEvery);
      } catch (error) {
        loss.reject(error);
      }
    };
    look();
  }

  /** Throws `lockLost`. What was proven a moment ago is not asked again; time in which this process stood still counts. */
  prove(): void {
    if (performance.now() - this.#proven < proveEvery) return;
    this.#lock.assertHeld();
    this.#proven = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
