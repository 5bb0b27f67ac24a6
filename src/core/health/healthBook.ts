import pLimit from 'p-limit';
import { SwarmError } from '../../model/errors.ts';
import { type Disposable, Emitter, type Event } from '../../model/event.ts';
import type { InstanceHealth } from '../../model/health.ts';
import type { Quarantined, RecordStore } from '../../model/stateStore.ts';
import type { InstanceRegistry } from '../instanceRegistry.ts';
import { timestamp } from '../records.ts';
import { firstHealth } from './healthRules.ts';

/** Records written at once, of each kind. */
const writersAtOnce = 8;

/** When what is shown is written: `with-the-next` goes along with whatever is written of that instance next. */
export type Urgency = 'now' | 'later' | 'with-the-next';

/**
 * The health of every instance, in memory, kept equal with a store that all windows share. Two write it: the observer
 * what it sees and does, with `put`, and persons in any window what they want, with `amend`; neither undoes the other
 * (see {@link merged}). An observer that has lost its lease to another one is known by its epoch: what it still puts is
 * dropped (semantics 30). Until `load` is called the book knows only what was written here, and follows nobody.
 */
export class HealthBook {
  readonly #store: RecordStore<InstanceHealth>;
  readonly #autoSaveSeconds: () => number;
  /** As last read or written. */
  readonly #disk = new Map<string, InstanceHealth>();
  /** What was put and is not yet written. */
  readonly #pending = new Map<string, InstanceHealth>();
  /** What of the pending has to be written for its own sake. */
  readonly #unsaved = new Set<string>();
  /** What has to be written now does not queue behind what had time. */
  readonly #writers = { now: pLimit(writersAtOnce), later: pLimit(writersAtOnce) };
  readonly #changes = new Emitter<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: Disposable | undefined;

  /** What is shown of an instance, whose id this is, may have changed. */
  readonly onDidChange: Event<string> = this.#changes.event;

  constructor(store: RecordStore<InstanceHealth>, autoSaveSeconds: () => number) {
    this.#store = store;
    this.#autoSaveSeconds = autoSaveSeconds;
  }

  /** Reads everything and follows other windows from then on. Resolves with the files that could not be read. */
  async load(): Promise<Quarantined[]> {
    this.#watch ??= this.#store.watch(id => void this.#refresh(id));
    const { records, quarantined } = await this.#store.load();
    for (const record of records) {
      this.#know(record.id, record);
      this.#changes.fire(record.id);
    }
    return quarantined;
  }

  get(id: string): InstanceHealth | undefined {
    return merged(this.#disk.get(id), this.#pending.get(id));
  }

  /** In no particular order. */
  list(): InstanceHealth[] {
    const ids = new Set([...this.#disk.keys(), ...this.#pending.keys()]);
    return [...ids].map(id => this.get(id)).filter(health => health !== undefined);
  }

  /**
   * Shows what the observer says of an instance, and writes it: `now`, before the call resolves, or `later`, at the
   * auto-save interval. `next` bears the revision of the health that it was made from, 0 when there was none; without
   * any effect when that was forgotten meanwhile, or when a later observer has written. A `now` that rejects is shown,
   * and tried again later where that may help.
   */
  async put(next: InstanceHealth, write: Urgency): Promise<void> {
    if (!isWanted(this.#disk.get(next.id), next)) return;
    this.#pending.set(next.id, next);
    if (write !== 'with-the-next') this.#unsaved.add(next.id);
    if (write === 'later') this.#saveLater();
    this.#changes.fire(next.id);
    if (write === 'now') await this.#save(next.id, write);
  }

  /**
   * Writes what a person wants, in whatever window: `pausedSince`, or another `recovery`, which counts as a reset.
   * Those stand whatever the observer puts; what else `change` answers with stands until it puts something.
   */
  async amend(id: string, change: (current: InstanceHealth) => InstanceHealth): Promise<void> {
    await this.#write(id, (disk, put) => {
      const before = merged(disk, put) ?? firstHealth(id, timestamp());
      return amended(before, change(before), (disk?.revision ?? 0) + 1);
    });
    this.#changes.fire(id);
  }

  /** Forgets an instance, here and on disk. */
  async forget(id: string): Promise<void> {
    await this.#store.update(id, () => null);
    this.#disk.delete(id);
    this.#drop(id);
    this.#changes.fire(id);
  }

  /** Writes everything now. Rejects with the first failure, when all were tried. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const outcomes = await Promise.allSettled([...this.#unsaved].map(id => this.#save(id, 'later')));
    const failed = outcomes.find(outcome => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Ends following, and writes everything as far as it can be written. Never rejects. */
  async dispose(): Promise<void> {
    this.#watch?.dispose();
    this.#changes.dispose();
    await this.flush().catch(() => {});
    clearTimeout(this.#timer);
  }

  /** Nothing of this instance waits to be written any more. */
  #drop(id: string): void {
    this.#pending.delete(id);
    this.#unsaved.delete(id);
  }

  #saveLater(): void {
    this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), this.#autoSaveSeconds() * 1000);
  }

  #save(id: string, write: 'now' | 'later'): Promise<void> {
    return this.#writers[write](async () => {
      try {
        const { interfered } = await this.#write(id, merged);
        if (interfered) this.#changes.fire(id);
      } catch (error) {
        if (error instanceof SwarmError && !error.retryable) {
          this.#drop(id);
          this.#changes.fire(id);
        } else {
          this.#saveLater();
        }
        throw error;
      }
    });
  }

  /** Writes what `change` makes of the record on disk and of what was put; `interfered` when others had written. */
  async #write(id: string, change: typeof merged): Promise<{ interfered: boolean }> {
    let interfered = false;
    let put: InstanceHealth | undefined;
    const written = await this.#store.update(id, found => {
      const disk = found ?? undefined;
      interfered = disk?.revision !== this.#disk.get(id)?.revision;
      this.#find(id, found);
      put = this.#pending.get(id);
      return change(disk, put) ?? null;
    });
    if (this.#pending.get(id) === put) this.#drop(id);
    this.#know(id, written);
    return { interfered };
  }

  /** Takes over what is on disk; a later write may have been seen while an earlier one was on its way here. */
  #know(id: string, disk: InstanceHealth | null): void {
    if (disk === null) this.#disk.delete(id);
    else if (disk.revision >= (this.#disk.get(id)?.revision ?? 0)) this.#disk.set(id, disk);
  }

  /** Takes over what is on disk at this moment, whatever was known: a record may have been removed and made anew. */
  #find(id: string, disk: InstanceHealth | null): void {
    this.#disk.delete(id);
    this.#know(id, disk);
  }

  /** Shows what another window wrote. Reads again when the record changed here meanwhile. */
  async #refresh(id: string): Promise<void> {
    let before: InstanceHealth | undefined;
    let disk: InstanceHealth | null;
    do {
      before = this.#disk.get(id);
      try {
        disk = await this.#store.read(id);
      } catch {
        return; // Not ours to read now; what was known stays shown.
      }
    } while (this.#disk.get(id) !== before);
    this.#find(id, disk);
    this.#changes.fire(id);
  }
}

/** Of instances that were removed while nobody observed, nothing is kept. What can't be told, or removed, now is left. */
export async function forgetGone(registry: Pick<InstanceRegistry, 'readIds'>, book: HealthBook): Promise<void> {
  try {
    const ids = await registry.readIds();
    for (const { id } of book.list()) if (!ids.has(id)) await book.forget(id);
  } catch {
    // The next observer tries again.
  }
}

/** Whether `next` counts: not when a later observer has written, nor when what it was made from was forgotten. */
function isWanted(disk: InstanceHealth | undefined, next: InstanceHealth): boolean {
  return disk === undefined ? next.revision === 0 : next.observerEpoch >= disk.observerEpoch;
}

/**
 * What stands when the observer put `next` while `disk` is on disk: what it says, but for what persons wanted. Its
 * counters fall when they were reset since it looked at them.
 */
function merged(disk: InstanceHealth | undefined, next: InstanceHealth | undefined): InstanceHealth | undefined {
  if (next === undefined || !isWanted(disk, next)) return disk;
  if (disk === undefined) return next;
  const { pausedSince: _, ...seen } = next;
  const { pausedSince, recovery, revision } = disk;
  const { resetRevision } = recovery;
  return {
    ...seen,
    revision,
    ...(pausedSince === undefined ? {} : { pausedSince }),
    ...(resetRevision === undefined
      ? {}
      : { recovery: next.revision < resetRevision ? recovery : { ...next.recovery, resetRevision } }),
  };
}

/** What a person made of `before`, which is going to be written as `revision`. */
function amended(before: InstanceHealth, after: InstanceHealth, revision: number): InstanceHealth {
  const isReset = after.recovery !== before.recovery;
  return {
    ...after,
    observerEpoch: before.observerEpoch,
    recovery: isReset ? { ...after.recovery, resetRevision: revision } : before.recovery,
  };
}
