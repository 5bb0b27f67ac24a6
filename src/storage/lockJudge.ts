import type { Stats } from 'node:fs';
import type { LockTiming } from './lockFile.ts';

/** Whose a directory is, as far as its locks go. */
export interface LockOwner {
  /** One word for the machine that this process runs on. */
  readonly machine: string;
  /** Throws why nobody here may hold a lock there now. */
  assertOurs(): void;
}

/** What a holder writes: what makes it unique, and its machine. Anything else names no machine. */
const signed = /^[0-9a-f-]{36}\n(\S+)$/;

/**
 * How those who share a directory judge its lock files. What this machine wrote is judged by its own clock. The clock
 * of another one says nothing here: its lock is free when it was seen to stay as it is, for twice as long, in the
 * steady time of this process.
 */
export class LockJudge {
  readonly #owner: LockOwner | undefined;
  readonly #seen = new Map<string, { readonly stamp: string; readonly since: number }>();

  /** Without an owner all who share the directory are on this machine. */
  constructor(owner?: LockOwner) {
    this.#owner = owner;
  }

  /** What a lock file says of its holder, beside what makes it unique. */
  get signature(): string {
    return this.#owner === undefined ? '' : `\n${this.#owner.machine}`;
  }

  assertOurs(): void {
    this.#owner?.assertOurs();
  }

  /** Whether the lock with this text and these times is nobody's any more. A clock that was set back counts as well. */
  isStale(file: string, text: string, { mtimeMs }: Pick<Stats, 'mtimeMs'>, { staleAfter }: LockTiming): boolean {
    const machine = signed.exec(text)?.[1];
    if (machine === undefined || machine === this.#owner?.machine) {
      this.#seen.delete(file);
      return Math.abs(Date.now() - mtimeMs) > staleAfter;
    }
    const stamp = `${text} ${mtimeMs}`;
    const seen = this.#seen.get(file);
    if (seen?.stamp === stamp) return performance.now() - seen.since > 2 * staleAfter;
    this.#seen.set(file, { stamp, since: performance.now() });
    return false;
  }
}
