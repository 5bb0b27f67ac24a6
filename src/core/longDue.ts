/** Milliseconds on the steady clock. */
const patience = 600_000;

/**
 * What is to be removed at a time of the wall clock has to be due for ten minutes, at each look: a clock that is wrong
 * for a while, as it may be right after the start of a machine, removes nothing.
 */
export class LongDue {
  readonly #since = new Map<string, number>();

  /** A look at what `key` stands for: whether it has been due for long enough now. */
  holds(key: string, isDue: boolean): boolean {
    if (!isDue) {
      this.#since.delete(key);
      return false;
    }
    const now = performance.now();
    const since = this.#since.get(key) ?? now;
    this.#since.set(key, since);
    return now - since >= patience;
  }
}
