import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { lockLost } from '../model/errors.ts';
import type { LockHandle } from '../model/stateStore.ts';

/** A lock that was not renewed for this long is free, in milliseconds. */
const staleAfter = 5_000;
const renewEvery = 1_000;

/** Whether what was last renewed at `time` is nobody's any more; a clock that was set back counts as well. */
const isStale = (time: number) => Math.abs(Date.now() - time) > staleAfter;

/** Runs `call`; undefined when the file was not there, or was there already. */
function unlessRaced<R>(call: () => R): R | undefined {
  try {
    return call();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EEXIST') return undefined;
    throw error;
  }
}

/**
 * One hold of a lock among processes: a file that holds a random token and whose modification time is renewed every
 * second. Whoever holds it can always tell whether the token in the file is still its own, and a release never takes
 * another's lock away: the two things that proper-lockfile cannot promise, whose lock is a folder without content.
 * The calls are synchronous, so that between a look and what follows from it lies nothing but the next system call.
 */
export class LockFile implements LockHandle {
  readonly #file: string;
  readonly #key: string;
  readonly #token = randomUUID();
  readonly #descriptor: number;
  readonly #timer: NodeJS.Timeout;
  #renewedAt = Date.now();
  #lost = false;

  private constructor(file: string, key: string, descriptor: number) {
    this.#file = file;
    this.#key = key;
    this.#descriptor = descriptor;
    fs.writeSync(descriptor, this.#token);
    this.#timer = setInterval(() => this.#renew(), renewEvery).unref();
  }

  /** Takes the lock when it is free or its holder is dead; undefined when it is held. `key` names it in errors. */
  static take(file: string, key: string): LockFile | undefined {
    removeStale(file);
    const descriptor = unlessRaced(() => fs.openSync(file, 'wx', 0o600));
    return descriptor === undefined ? undefined : new LockFile(file, key, descriptor);
  }

  /** Whether a living process holds the lock. */
  static isHeld(file: string): boolean {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    return stat !== undefined && !isStale(stat.mtimeMs);
  }

  assertHeld(): void {
    if (!this.#isOurs()) throw lockLost(this.#key);
  }

  /** Gives the lock back; leaves the file alone when it is another's by now. */
  release(): void {
    clearInterval(this.#timer);
    if (this.#tokenOnDisk() === this.#token) unlessRaced(() => fs.unlinkSync(this.#file));
    fs.closeSync(this.#descriptor);
  }

  #isOurs(): boolean {
    this.#lost ||= isStale(this.#renewedAt) || this.#tokenOnDisk() !== this.#token;
    return !this.#lost;
  }

  #tokenOnDisk(): string | undefined {
    return unlessRaced(() => fs.readFileSync(this.#file, 'utf8'));
  }

  /** By descriptor, so that a successor's file is never renewed by its predecessor. */
  #renew(): void {
    if (!this.#isOurs()) {
      clearInterval(this.#timer);
      return;
    }
    const now = Date.now();
    try {
      fs.futimesSync(this.#descriptor, now / 1000, now / 1000);
      this.#renewedAt = now;
    } catch {
      // A disk that fails for a moment gets its next chance in a second; for long, and the lock is lost by the clock.
    }
  }
}

/** Takes a dead holder's file away, so that exactly one of those who wait can make its own. */
function removeStale(file: string): void {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || !isStale(stat.mtimeMs)) return;
  const token = unlessRaced(() => fs.readFileSync(file, 'utf8'));
  const aside = `${file}.${randomUUID()}`;
  const moved = unlessRaced(() => {
    fs.renameSync(file, aside);
    return true;
  });
  if (!moved) return;
  // Another may have taken over between our look and our rename: what we hold in our hands is then its living lock.
  if (fs.readFileSync(aside, 'utf8') !== token || !isStale(fs.statSync(aside).mtimeMs)) {
    unlessRaced(() => fs.linkSync(aside, file));
  }
  fs.unlinkSync(aside);
}
