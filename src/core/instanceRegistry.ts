import pLimit from 'p-limit';
import { instanceExists, instanceNotFound, invalidInput, SwarmError } from '../model/errors.ts';
import { type Disposable, Emitter, type Event } from '../model/event.ts';
import type { InstanceRecord, InstanceStatus } from '../model/instance.ts';
import { namePattern } from '../model/namePattern.ts';
import { type LockedContext, underLock } from '../model/operationContext.ts';
import type { Quarantined, RecordStore } from '../model/stateStore.ts';
import { isSame } from './isSame.ts';

/** What is seen of an instance, and not asked for. Only these may be shown before they are written. */
export const observedFields = ['status', 'detail', 'port', 'elsewhere', 'statusSince'] as const;
type Observed = Pick<InstanceRecord, (typeof observedFields)[number]>;

/** Records written at once by a flush. */
const writersAtOnce = 8;

/** A record appeared or changed in a way that shows; `record` is undefined when it is gone. */
export interface RegistryChange {
  readonly id: string;
  readonly record: InstanceRecord | undefined;
}

/**
 * Every instance that the swarm knows, in memory, kept equal with a store that other windows share (seed, Instance
 * Registry). What is asked for is written before a call resolves. What is observed is shown at once and written at the
 * auto-save interval; where memory and disk then disagree, the status that began later holds. Until `load` is called the
 * registry knows only what was registered here, and follows nobody.
 */
export class InstanceRegistry {
  readonly #store: RecordStore<InstanceRecord>;
  readonly #autoSaveSeconds: () => number;
  readonly #records = new Map<string, InstanceRecord>();
  /** Observations that are shown and not yet written. */
  readonly #pending = new Map<string, Observed>();
  readonly #changes = new Emitter<RegistryChange>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: Disposable | undefined;
  #loaded: Promise<Quarantined[]> | undefined;

  readonly onDidChange: Event<RegistryChange> = this.#changes.event;

  constructor(store: RecordStore<InstanceRecord>, autoSaveSeconds: () => number) {
    this.#store = store;
    this.#autoSaveSeconds = autoSaveSeconds;
  }

  /** Reads everything, once, and follows other windows from then on. Resolves with the files that could not be read. */
  load(): Promise<Quarantined[]> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async #load(): Promise<Quarantined[]> {
    this.#watch ??= this.#store.watch(id => void this.#read(id).catch(() => {})); // What can't be read stays shown as it was.
    const { records, quarantined } = await this.#store.load();
    for (const record of records) this.#showUnlessOlder(record);
    return quarantined;
  }

  /** Writes a first record. Rejects with `instance-exists` when there is one of that id. */
  async registerInstance(record: InstanceRecord, { lock }: LockedContext): Promise<InstanceRecord> {
    const written = await this.#store.update(record.id, current => {
      if (current !== null) throw instanceExists(record.id);
      lock.assertHeld();
      return record;
    });
    return this.#written(record.id, written);
  }

  /** Changes a record on disk, then in memory. `change` gets it as it is on disk, with what was observed since. */
  async updateInstance(id: string, change: (current: InstanceRecord) => InstanceRecord): Promise<InstanceRecord> {
    let included: Observed | undefined;
    const written = await this.#store.update(id, disk => {
      if (disk === null) return null;
      included = this.#pending.get(id);
      return change(withObserved(disk, included));
    });
    if (this.#pending.get(id) === included) this.#pending.delete(id);
    return this.#written(id, written);
  }

  /**
   * Shows what was seen of an instance; of what `change` answers with, only the {@link observedFields} count. Does
   * nothing for an instance that is not known.
   */
  observeInstance(id: string, change: (current: InstanceRecord) => InstanceRecord): void {
    const current = this.#records.get(id);
    if (current === undefined) return;
    const seen = observedOf(change(current));
    if (observedFields.every(field => seen[field] === current[field])) return;
    this.#pending.set(id, seen);
    this.#saveLater();
    this.#show(id, withObserved(current, seen));
  }

  /** Forgets an instance, here and on disk. */
  async removeInstance(id: string, ctx: LockedContext): Promise<void> {
    await this.#store.update(
      id,
      underLock(ctx, () => null),
    );
    this.#show(id, undefined);
  }

  /** Every record as it is on disk now, ahead of the word that comes from other windows. Rejects when it can't be read. */
  async readAll(): Promise<InstanceRecord[]> {
    const { records } = await this.#store.load();
    if (this.#watch) for (const record of records) this.#showUnlessOlder(record);
    return records;
  }

  /** Ids of all instances there are now, also of those whose records can't be read: what those say is not for us to judge. */
  async readIds(): Promise<Set<string>> {
    const { records, unread } = await this.#store.load();
    return new Set([...records.map(({ id }) => id), ...unread]);
  }

  /** The record as it is on disk now. Rejects with `instance-not-found`, and when it can't be read: then nothing may be done. */
  async readInstance(id: string): Promise<InstanceRecord> {
    const record = await this.findInstance(id);
    if (record === undefined) throw instanceNotFound(id);
    return record;
  }

  /** The same; undefined when there is none. */
  async findInstance(id: string): Promise<InstanceRecord | undefined> {
    await this.#read(id);
    return this.#records.get(id);
  }

  getInstance(id: string): InstanceRecord | undefined {
    return this.#records.get(id);
  }

  /** In no particular order. */
  listInstances(providerId?: string, status?: InstanceStatus): InstanceRecord[] {
    return this.#find(
      record =>
        (providerId === undefined || record.providerId === providerId) &&
        (status === undefined || record.status === status),
    );
  }

  getInstanceCount(providerId?: string): number {
    return providerId === undefined ? this.#records.size : this.listInstances(providerId).length;
  }

  /** By a pattern of the name, ignoring case: `*` stands for any text, `?` for one character. */
  findInstancesByName(pattern: string): InstanceRecord[] {
    if (pattern === '') throw invalidInput('The name pattern', ['it must not be empty']);
    const matches = namePattern(pattern);
    return this.#find(record => matches(record.config.name));
  }

  findInstancesByMetadata(key: string, value: string): InstanceRecord[] {
    return this.#find(({ config: { metadata } }) => Object.hasOwn(metadata, key) && metadata[key] === value);
  }

  /** Where the record lies, for "Reveal state file". */
  fileOf(id: string): string {
    return this.#store.fileOf(id);
  }

  /** Writes every observation now. Rejects with the first failure, when all were tried; those stay to be written later. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const limit = pLimit(writersAtOnce);
    const outcomes = await Promise.allSettled([...this.#pending.keys()].map(id => limit(() => this.#save(id))));
    if (this.#pending.size > 0) this.#saveLater();
    const failed = outcomes.find(outcome => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Ends following, and writes what was observed as far as it can be written. Never rejects. */
  async dispose(): Promise<void> {
    this.#watch?.dispose();
    this.#changes.dispose();
    await this.flush().catch(() => {});
    clearTimeout(this.#timer);
  }

  #find(wanted: (record: InstanceRecord) => boolean): InstanceRecord[] {
    return [...this.#records.values()].filter(wanted);
  }

  #saveLater(): void {
    this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), this.#autoSaveSeconds() * 1000);
  }

  async #save(id: string): Promise<void> {
    try {
      await this.updateInstance(id, current => current);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      // Removed by another window, or written by a later version: nobody waits for this observation.
      if (error.code === 'newer-state') this.#pending.delete(id);
      else if (error.code !== 'instance-not-found') throw error;
    }
  }

  /** Shows what the store wrote, or that there is nothing any more. */
  #written(id: string, written: InstanceRecord | null): InstanceRecord {
    if (written === null) {
      this.#show(id, undefined);
      throw instanceNotFound(id);
    }
    this.#showUnlessOlder(written);
    return this.#records.get(id) ?? written;
  }

  /** A later write may have been seen while an earlier one was on its way here. */
  #showUnlessOlder(record: InstanceRecord): void {
    const shown = this.#records.get(record.id);
    if (shown && shown.revision > record.revision) return;
    this.#show(record.id, withObserved(record, this.#pending.get(record.id)));
  }

  /** Shows what is on disk. Reads again when the record changed here meanwhile. */
  async #read(id: string): Promise<void> {
    let before: InstanceRecord | undefined;
    let disk: InstanceRecord | null;
    do {
      before = this.#records.get(id);
      disk = await this.#store.read(id);
    } while (this.#records.get(id) !== before);
    this.#show(id, disk === null ? undefined : withObserved(disk, this.#pending.get(id)));
  }

  #show(id: string, record: InstanceRecord | undefined): void {
    const before = this.#records.get(id);
    if (record === undefined) {
      this.#records.delete(id);
      this.#pending.delete(id);
    } else {
      this.#records.set(id, record);
    }
    if (!isSame({ ...before, ...unseen }, { ...record, ...unseen })) this.#changes.fire({ id, record });
  }
}

/**
 * `record` with what was observed of it, unless it says the same, or its own status began later. A beginning in the
 * future tells of a clock that was set back, and is later than nothing.
 */
function withObserved(record: InstanceRecord, observed: Observed | undefined): InstanceRecord {
  if (observed === undefined || isSame({ ...observed, ...unseen }, { ...observedOf(record), ...unseen })) return record;
  const since = Date.parse(record.statusSince);
  if (since <= Date.now() && Date.parse(observed.statusSince) < since) return record;
  return { ...record, ...observed };
}

function observedOf({ status, detail, port, elsewhere, statusSince }: InstanceRecord): Observed {
  return { status, detail, port, elsewhere, statusSince };
}

/** Bookkeeping, laid over records before they are compared. */
const unseen = { revision: 0, statusSince: '' };
