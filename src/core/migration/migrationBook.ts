import { migrationNotFound } from '../../model/errors.ts';
import type { Event } from '../../model/event.ts';
import type { Migration } from '../../model/migration.ts';
import type { RecordStore } from '../../model/stateStore.ts';
import { SharedRecords } from '../sharedRecords.ts';

/** Every migration, kept equal with the store that all windows share. What is written is on disk first. */
export class MigrationBook {
  readonly #records: SharedRecords<Migration>;
  /** A migration, whose id this is, changed here or in another window. */
  readonly onDidChange: Event<string>;

  constructor(store: RecordStore<Migration>) {
    this.#records = new SharedRecords(store);
    this.onDidChange = this.#records.onDidChange;
  }

  /** Reads everything and follows other windows from then on. Until then the book knows what was written here. */
  async load(): Promise<void> {
    await this.#records.load();
  }

  get(id: string): Migration | undefined {
    return this.#records.get(id);
  }

  /** The youngest first. */
  list(): Migration[] {
    return this.#records.list().sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id));
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
    await this.#records.update(id, () => null);
  }

  dispose(): void {
    this.#records.dispose();
  }

  async #write(id: string, change: (current: Migration | null) => Migration): Promise<Migration> {
    const written = await this.#records.update(id, change);
    if (written === null) throw migrationNotFound(id);
    return written;
  }
}
