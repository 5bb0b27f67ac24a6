import type { Disposable, Event } from './event.ts';
import type { LockedContext, OperationContext } from './operationContext.ts';
import type { StateHindrance } from './stateHindrance.ts';

/** A file that could not be read; it lies in quarantine, unchanged, and the rest was loaded (semantics 29). */
export interface Quarantined {
  readonly file: string;
  readonly reason: string;
}

/** All that there is of a folder of records. */
export interface LoadedRecords<T> {
  readonly records: T[];
  readonly quarantined: Quarantined[];
  /** Ids of records that are there and cannot be read now, or by this version: what they say is as good as any other's. */
  readonly unread: string[];
}

/** A folder of records that every window shares: one record an id, no lost update (semantics 30). */
export interface RecordStore<T extends { id: string; revision: number }> {
  /** Everything readable. Unreadable files are quarantined; files of a newer schema are left alone and reported. */
  load(): Promise<LoadedRecords<T>>;
  /** The record as it is on disk now; null when there is none. */
  read(id: string): Promise<T | null>;
  /**
   * Reads, changes and writes one record while no other window can. `change` gets the record on disk and answers with
   * the next one, with null to remove it, or with the same object to leave it. Resolves with what is on disk then;
   * the store raises `revision`.
   */
  update(id: string, change: (current: T | null) => T | null): Promise<T | null>;
  /** Calls back when another window, or a person, changed a record; at most once a change, within a second. */
  watch(changed: (id: string) => void): Disposable;
  /** Where the record lies, for "Reveal state file". */
  fileOf(id: string): string;
}

/** One holder a key at a time, in this window and in all others. */
export interface KeyedLock {
  /**
   * Waits for its turn (or the signal), runs, releases. Turns of one process come in order. `work` gets the context with
   * the lock in it; one that has a lock already is asked for both from then on.
   */
  run<R>(key: string, ctx: OperationContext, work: (ctx: LockedContext) => Promise<R>): Promise<R>;
  /** Whether anybody, in any window, holds the key now. */
  isHeld(key: string): Promise<boolean>;
}

/** Makes one of all windows the observer; the others wait, and one of them takes over (semantics 30). */
export interface ObserverLease extends Disposable {
  /** Of our hold, and higher than that of every hold before, in any window. Undefined: this window does not observe. */
  readonly epoch: number | undefined;
  /**
   * Whether we hold it at this moment: asks both clocks and the disk, and never throws. To be asked right before each
   * act, and after each wait together with {@link epoch}, since the hold may be another one by then.
   */
  isHeld(): boolean;
  /** {@link epoch} has changed. */
  readonly onDidChange: Event<void>;
  /** Begins to wait for a turn, which ends with `dispose`. */
  start(): void;
  /** Gives the turn back, or waits for none any more. */
  resign(): void;
}

/** Which machine a state directory belongs to (semantics 39). */
export interface StateClaim {
  /** Undefined while it is this machine's. */
  readonly hindrance: StateHindrance | undefined;
  /** {@link hindrance} has changed; within a second or two. */
  readonly onDidChange: Event<void>;
  /**
   * Makes it this machine's, when a person wants that; the other one notices and only reads from then on. Rejects when
   * another one has it by now than `seen` tells, to which the person agreed.
   */
  takeOver(seen?: StateHindrance): Promise<void>;
}

/** An append-only text file that rotates by day; the audit log is written to one. */
export interface AppendLog {
  /** Appends one line and flushes it to the disk. Rejects when it can't. */
  append(line: string): Promise<void>;
  /** Every line of every writer, in files order; `problem` says why some of them cannot be read. */
  readAll(): Promise<{ writer: string; lines: string[]; problem?: string }[]>;
  /**
   * Removes what was written on other days than the last `days` on which anything was. `note` is told before of the lines
   * of each file that goes, the oldest first; when it rejects, nothing is removed.
   */
  prune(days: number, note: (going: readonly { writer: string; lines: string[] }[]) => Promise<void>): Promise<void>;
}

/** Values of variables marked secret, kept outside state, logs and labels (semantics 35). */
export interface SecretVault {
  read(instanceId: string): Promise<Record<string, string>>;
  store(instanceId: string, secrets: Readonly<Record<string, string>>): Promise<void>;
  forget(instanceId: string): Promise<void>;
}

/** The same, in which nothing is changed but by the holder of the instance's lock at that moment. */
export interface LockedVault extends Pick<SecretVault, 'read'> {
  store(instanceId: string, secrets: Readonly<Record<string, string>>, ctx: LockedContext): Promise<void>;
  forget(instanceId: string, ctx: LockedContext): Promise<void>;
}
