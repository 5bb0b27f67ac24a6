import { lockLost } from '../../src/model/errors.ts';
import type { LockedContext, OperationContext } from '../../src/model/operationContext.ts';
import type { KeyedLock } from '../../src/model/stateStore.ts';
import type { StallingWindow } from './stallingWindow.ts';

interface Hold {
  readonly window: StallingWindow;
}

/** The locks of all windows. */
export class LockTable {
  readonly #holds = new Map<string, Hold>();
  #change = Promise.withResolvers<void>();

  holds(window: StallingWindow): boolean {
    return [...this.#holds.values()].some(hold => hold.window === window);
  }

  isHeld(key: string): boolean {
    return this.#holds.has(key);
  }

  keys(): string[] {
    return [...this.#holds.keys()];
  }

  has(key: string, hold: Hold): boolean {
    return this.#holds.get(key) === hold;
  }

  async take(key: string, window: StallingWindow, signal: AbortSignal): Promise<Hold> {
    const aborted = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
    for (;;) {
      signal.throwIfAborted();
      if (!(this.#holds.has(key) || window.isFrozen)) break;
      await Promise.race([this.#change.promise, aborted]);
    }
    const hold = { window };
    this.#holds.set(key, hold);
    return hold;
  }

  release(key: string, hold: Hold): void {
    if (this.has(key, hold)) this.#holds.delete(key);
    this.tell();
  }

  /** What a window holds that was not heard of for so long is anybody's. */
  expire(window: StallingWindow): void {
    for (const [key, hold] of this.#holds) if (hold.window === window) this.#holds.delete(key);
    this.tell();
  }

  /** Who waits looks again. */
  tell(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

/** {@link KeyedLock} of one window, over a table of all. */
export class WindowLocks implements KeyedLock {
  readonly #table: LockTable;
  readonly #window: StallingWindow;

  constructor(table: LockTable, window: StallingWindow) {
    this.#table = table;
    this.#window = window;
  }

  async run<R>(key: string, ctx: OperationContext, work: (ctx: LockedContext) => Promise<R>): Promise<R> {
    const hold = await this.#table.take(key, this.#window, ctx.signal);
    const assertHeld = () => {
      ctx.lock?.assertHeld();
      if (!this.#table.has(key, hold)) throw lockLost(key);
    };
    try {
      return await work({ ...ctx, lock: { assertHeld } });
    } finally {
      this.#table.release(key, hold);
    }
  }

  async isHeld(key: string): Promise<boolean> {
    return this.#table.isHeld(key);
  }
}
