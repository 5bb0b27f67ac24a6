import type { OperationContext } from '../model/operationContext.ts';
import type { InstanceObservation } from '../model/provider.ts';

/** How long an observation is as good as a fresh one, unless it is known that something changed. */
const freshness = 2_000;

/**
 * One observation for everybody who asks within a moment. `forget` is called before and after each change and at each
 * event: what was seen or begun before it is never given to anybody who asks after it.
 */
export class ObservationCache {
  readonly #observe: () => Promise<InstanceObservation[]>;
  #latest: { readonly result: Promise<InstanceObservation[]>; readonly expires: number } | undefined;

  constructor(observe: () => Promise<InstanceObservation[]>) {
    this.#observe = observe;
  }

  forget(): void {
    this.#latest = undefined;
  }

  /** A caller's abort ends its own waiting, not the observation that others may wait for. */
  get(ctx: OperationContext): Promise<InstanceObservation[]> {
    ctx.signal.throwIfAborted();
    if (!this.#latest || performance.now() > this.#latest.expires) {
      const result = this.#observe();
      const latest = { result, expires: performance.now() + freshness };
      this.#latest = latest;
      // A failure is told to those who wait for it, and to nobody later.
      result.catch(() => {
        if (this.#latest === latest) this.#latest = undefined;
      });
    }
    const { result } = this.#latest;
    return new Promise((resolve, reject) => {
      const abort = () => reject(ctx.signal.reason);
      ctx.signal.addEventListener('abort', abort, { once: true });
      result.then(resolve, reject).finally(() => ctx.signal.removeEventListener('abort', abort));
    });
  }
}
