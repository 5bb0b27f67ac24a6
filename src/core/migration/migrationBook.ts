import { migrationNotFound } from '../../model/errors.ts';
import { type Disposable, Emitter, type Event } from '../../model/event.ts';
import type { Migration } from '../../model/migration.ts';
import type { RecordStore } from '../../model/stateStore.ts';

/** Every migration, in memory, kept equal with the store that all windows share. What is written is on disk first. */
export class MigrationBook {
  readonly #store: RecordStore<Migration>;
  readonly #known = new Map<string, Migration>();
  readonly #changes = new Emitter<string>();
  #watch: Disposable | undefined;
  /** A migration, whose id this is, changed here or in another window. */
  readonly onDidChange: Event<string> = this.#changes.event;

  constructor(store: RecordStore<Migration>) {
    this.#store = store;
  }

  /** Reads everything and follows other windows from then on. Until then the book knows what was written here. */
  async load(): Promise<void> {
    this.#watch ??= this.#store.watch(id => void this.#refresh(id));
    for (const record of (await this.#store.load()).records) this.#know(record.id, record);
  }

  get(id: string): Migration | undefined {
    return this.#known.get(id);
  }

  /** The youngest first. */
  list(): Migration[] {
    return [...this.#known.values()].sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id));
  }

  async add(migration: Migration): Promise<Migration> {
    return this.#write(migration.id, () => migration);
  }

  /** Changes the migration as it is on disk. Rejects with `migration-not-found`. */
  async update(id: string, change: (current: Migration) => Migration): Promise<Migration> {
    return this.#write(id, current => {
      if (current === null) throw migrationNotFound(id);
      return change(current);
    });
  }

  /** As it is on disk now. Rejects with `migration-not-found`. */
  async read(id: string): Promise<Migration> {
    return this.update(id, current => current);
  }

  async forget(id: string): Promise<void> {
    await this.#store.update(id, () => null);
    this.#know(id, null);
  }

  dispose(): void {
    this.#watch?.dispose();
    this.#changes.dispose();
  }

  async #write(id: string, change: (current: Migration | null) => Migration): Promise<Migration> {
    const written = await this.#store.update(id, change);
    if (written === null) throw migrationNotFound(id);
    this.#know(id, written);
    return written;
  }

  async #refresh(id: string): Promise<void> {
    try {
      this.#know(id, await this.#store.read(id));
    } catch {
      // Not ours to read now; what was known stays shown.
    }
  }

  #know(id: string, record: Migration | null): void {
    const before = this.#known.get(id);
    if (record && before && before.revision >= record.revision) return;
    if (record) this.#known.set(id, record);
    else this.#known.delete(id);
    this.#changes.fire(id);
  }
}
