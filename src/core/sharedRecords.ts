import { type Disposable, Emitter, type Event } from '../model/event.ts';
import type { RecordStore } from '../model/stateStore.ts';

/**
 * Records in memory, as last read or written, kept equal with a store that all windows share. What is written is on disk
 * first. Until `load` is called they are what was written here, and follow nobody.
 */
export class SharedRecords<T extends { id: string; revision: number }> {
  readonly #store: RecordStore<T>;
  readonly #known = new Map<string, T>();
  readonly #changes = new Emitter<string>();
  #watch: Disposable | undefined;
  #loaded: Promise<void> | undefined;
  /** A record, whose id this is, changed here or in another window. */
  readonly onDidChange: Event<string> = this.#changes.event;

  constructor(store: RecordStore<T>) {
    this.#store = store;
  }

  /** Reads everything, once, and follows other windows from then on. */
  load(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  get(id: string): T | undefined {
    return this.#known.get(id);
  }

  /** In no particular order. */
  list(): T[] {
    return [...this.#known.values()];
  }

  /**
   * As they are on disk now, ahead of the word that comes from other windows. Rejects when one can't be read: whoever must
   * know all knows too little then.
   */
  async readAll(): Promise<T[]> {
    const { records, unread } = await this.#store.load();
    for (const id of unread) {
      const record = await this.#store.read(id);
      if (record) records.push(record);
    }
    return records;
  }

  /** As {@link RecordStore.update} does. */
  async update(id: string, change: (current: T | null) => T | null): Promise<T | null> {
    const written = await this.#store.update(id, change);
    const before = this.#known.get(id);
    // A later write may have been seen while this one was on its way here.
    if (!written || !before || before.revision < written.revision) this.#know(id, written);
    return written;
  }

  dispose(): void {
    this.#watch?.dispose();
    this.#changes.dispose();
  }

  async #load(): Promise<void> {
    this.#watch = this.#store.watch(id => void this.#refresh(id));
    for (const record of (await this.#store.load()).records) this.#know(record.id, record);
  }

  /** Takes over what another window wrote. Reads again when the record changed here meanwhile. */
  async #refresh(id: string): Promise<void> {
    let before: T | undefined;
    let disk: T | null;
    do {
      before = this.#known.get(id);
      try {
        disk = await this.#store.read(id);
      } catch {
        return; // Not ours to read now; what was known stays so.
      }
    } while (this.#known.get(id) !== before);
    this.#know(id, disk);
  }

  #know(id: string, record: T | null): void {
    if (record?.revision === this.#known.get(id)?.revision) return;
    if (record) this.#known.set(id, record);
    else this.#known.delete(id);
    this.#changes.fire(id);
  }
}
