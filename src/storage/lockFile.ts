import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { lockLost } from '../model/errors.ts';
import type { LockHandle } from '../model/operationContext.ts';
import { unlessInUseSync } from './fileInUse.ts';
import { LockJudge } from './lockJudge.ts';

/** Milliseconds. All who share a lock must agree on it. */
export interface LockTiming {
  /** A lock that was not renewed for this long is free. */
  readonly staleAfter: number;
  readonly renewEvery: number;
}

const usualTiming: LockTiming = { staleAfter: 5_000, renewEvery: 1_000 };

/** Whether what was last renewed at `time` is nobody's any more; a clock that was set back counts as well. */
const isStale = (time: number, { staleAfter }: LockTiming) => Math.abs(Date.now() - time) > staleAfter;

/** Runs `call`; undefined when the file was not there, or was there already. */
function unlessRaced<R>(call: () => R): R | undefined {
  try {
    return unlessInUseSync(call);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EEXIST') return undefined;
    throw error;
  }
}

/**
 * One hold of a lock among processes: a file that holds a random token and whose modification time is renewed again
 * and again. Whoever holds it can always tell whether the token in the file is still its own, and a release never takes
 * another's lock away: the two things that proper-lockfile cannot promise, whose lock is a folder without content.
 * The calls are synchronous, so that between a look and what follows from it lies nothing but the next system call.
 */
export class LockFile implements LockHandle {
  readonly #file: string;
  readonly #key: string;
  readonly #judge: LockJudge;
  readonly #text: string;
  readonly #timing: LockTiming;
  readonly #descriptor: number;
  readonly #timer: NodeJS.Timeout;
  #renewed = bothClocks();
  #lost = false;

  private constructor(file: string, key: string, timing: LockTiming, judge: LockJudge, descriptor: number) {
    this.#file = file;
    this.#key = key;
    this.#timing = timing;
    this.#descriptor = descriptor;
    this.#judge = judge;
    this.#text = `${randomUUID()}${judge.signature}`;
    fs.writeSync(descriptor, this.#text);
    this.#timer = setInterval(() => this.#renew(), timing.renewEvery).unref();
  }

  /** Takes the lock when it is free or its holder is dead; undefined when it is held. `key` names it in errors. */
  static take(file: string, key: string, timing = usualTiming, judge = new LockJudge()): LockFile | undefined {
    judge.assertOurs();
    removeStale(file, timing, judge);
    const descriptor = unlessRaced(() => fs.openSync(file, 'wx', 0o600));
    if (descriptor === undefined) return undefined;
    try {
      return new LockFile(file, key, timing, judge, descriptor);
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
  }

  /** Whether a living process holds the lock. Costs one look where there is none. */
  static isHeld(file: string, timing = usualTiming, judge = new LockJudge()): boolean {
    const found = look(file);
    return found !== undefined && !judge.isStale(file, found.text, found.stat, timing);
  }

  /** Whether the lock is still this one's, by both clocks and by what is on disk; once it is not, it never is again. */
  isOurs(): boolean {
    this.#lost ||= this.#isOutdated() || this.#isBarred() || textOf(this.#file) !== this.#text;
    return !this.#lost;
  }

  assertHeld(): void {
    if (this.isOurs()) return;
    this.#judge.assertOurs();
    throw lockLost(this.#key);
  }

  /** Gives the lock back; leaves the file alone when it is another's by now. */
  release(): void {
    clearInterval(this.#timer);
    try {
      if (textOf(this.#file) === this.#text) unlessRaced(() => fs.unlinkSync(this.#file));
    } finally {
      fs.closeSync(this.#descriptor);
    }
  }

  /** The wall clock goes on while the machine sleeps, and the other one cannot be set back. */
  #isOutdated(): boolean {
    return (
      isStale(this.#renewed.wall, this.#timing) || performance.now() - this.#renewed.monotonic > this.#timing.staleAfter
    );
  }

  /** Whether the directory is another machine's by now, or on its way elsewhere. */
  #isBarred(): boolean {
    try {
      this.#judge.assertOurs();
      return false;
    } catch {
      return true;
    }
  }

  /** By descriptor, so that a successor's file is never renewed by its predecessor. */
  #renew(): void {
    try {
      if (!this.isOurs()) {
        clearInterval(this.#timer);
        return;
      }
      const now = bothClocks();
      fs.futimesSync(this.#descriptor, now.wall / 1000, now.wall / 1000);
      this.#renewed = now;
    } catch {
      // A disk that fails for a moment gets its next chance soon; for long, and the lock is lost by the clock.
    }
  }
}

const bothClocks = () => ({ wall: Date.now(), monotonic: performance.now() });

const textOf = (file: string) => unlessRaced(() => fs.readFileSync(file, 'utf8'));

/** Reads before it asks for the times: on a network drive only an open looks at what is there now. */
function look(file: string): { readonly text: string; readonly stat: fs.Stats } | undefined {
  const text = textOf(file);
  const stat = text === undefined ? undefined : fs.statSync(file, { throwIfNoEntry: false });
  return text !== undefined && stat ? { text, stat } : undefined;
}

/** Takes a dead holder's file away, so that exactly one of those who wait can make its own. */
function removeStale(file: string, timing: LockTiming, judge: LockJudge): void {
  const found = look(file);
  if (found === undefined || !judge.isStale(file, found.text, found.stat, timing)) return;
  const aside = `${file}.${randomUUID()}`;
  const moved = unlessRaced(() => {
    fs.renameSync(file, aside);
    return true;
  });
  if (!moved) return;
  // Another may have taken over between our look and our rename: what we hold in our hands is then its living lock.
  if (fs.readFileSync(aside, 'utf8') !== found.text || !judge.isStale(file, found.text, fs.statSync(aside), timing)) {
    unlessRaced(() => fs.linkSync(aside, file));
  }
  fs.unlinkSync(aside);
}
