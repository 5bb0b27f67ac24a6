import { lockLost } from '../../model/errors.ts';
import type { LockHandle } from '../../model/operationContext.ts';

/** Milliseconds that whoever called has to tell whether the lock is held. */
const patience = 30_000;

/** On a host: the lock that whoever called holds, and alone can tell of (semantics 44). */
export class CallersLock implements LockHandle {
  readonly #name: string;
  readonly #say: () => void;
  readonly #asked: ((isHeld: boolean) => void)[] = [];
  #isHeld = true;

  /** `say` asks whoever called, who answers in the order of the questions. */
  constructor(name: string, say: () => void) {
    this.#name = name;
    this.#say = say;
  }

  async ask(): Promise<void> {
    if (!this.#isHeld) return;
    const asked = Promise.withResolvers<boolean>();
    this.#asked.push(asked.resolve);
    const timer = setTimeout(() => asked.resolve(false), patience);
    this.#say();
    const isHeld = await asked.promise;
    clearTimeout(timer);
    // Another answer may have come first.
    this.#isHeld &&= isHeld;
  }

  assertHeld(): void {
    if (!this.#isHeld) throw lockLost(this.#name);
  }

  /** The answer to the first question that has none yet. */
  answer(isHeld: boolean): void {
    this.#asked.shift()?.(isHeld);
  }

  /** Nobody is there any more who could tell. */
  lose(): void {
    this.#isHeld = false;
    for (const answer of this.#asked.splice(0)) answer(false);
  }
}
