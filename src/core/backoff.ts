/** Milliseconds on the steady clock: what has failed once is tried again at once, then after ever longer pauses. */
const firstPause = 30_000;
const longestPause = 3_600_000;

/** When what has failed is tried again, in this window. */
export class Backoff {
  readonly #failures = new Map<string, { readonly times: number; readonly at: number }>();

  isDue(key: string): boolean {
    const failure = this.#failures.get(key);
    return failure === undefined || performance.now() - failure.at >= pauseAfter(failure.times);
  }

  /** Settles as `work` does, and remembers how that was. */
  async run<R>(key: string, work: () => Promise<R>): Promise<R> {
    try {
      const result = await work();
      this.#failures.delete(key);
      return result;
    } catch (error) {
      this.#failures.set(key, { times: (this.#failures.get(key)?.times ?? 0) + 1, at: performance.now() });
      throw error;
    }
  }
}

const pauseAfter = (times: number) => (times < 2 ? 0 : Math.min(longestPause, firstPause * 2 ** (times - 2)));
