/** One piece of work at a time per key, in the order of the calls. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Settles as `work` does, once all earlier work of the key has ended, whichever way. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (this.#last.get(key) === settled) this.#last.delete(key);
      });
    this.#last.set(key, settled);
    return turn;
  }
}
