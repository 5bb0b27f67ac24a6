import type { Disposable } from '../model/event.ts';

/** Calls `run(key)` once, `milliseconds` after the first of any `wake(key)` since; costs nothing while nobody wakes it. */
export class KeyedDebounce implements Disposable {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #milliseconds: number;
  readonly #run: (key: string) => void;

  constructor(milliseconds: number, run: (key: string) => void) {
    this.#milliseconds = milliseconds;
    this.#run = run;
  }

  wake(key: string): void {
    if (this.#timers.has(key)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.#run(key);
    }, this.#milliseconds);
    this.#timers.set(key, timer);
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
