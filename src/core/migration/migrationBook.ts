import { migrationNotFound } from '../../model/errors.ts';
import { Emitter, type Event } from '../../model/event.ts';
import type { Migration, MigrationStep } from '../../model/migration.ts';
import type { RecordStore } from '../../model/stateStore.ts';
import { KeyedDebounce } from '../keyedDebounce.ts';
import { SharedRecords } from '../sharedRecords.ts';
import { isSpent, withStep } from './migrationSteps.ts';

/** Of those that only the list tells of, the youngest stay. */
const mostSpent = 50;
/** Milliseconds between two looks at what a step has moved. */
const tellEvery = 500;

/** Every migration, kept equal with the store that all windows share. What is written is on disk first. */
export class MigrationBook {
  readonly #records: SharedRecords<Migration>;
  readonly #changes = new Emitter<string>();
  /** What a step under way has moved so far, by migration; known to the window that carries it out, and on no disk. */
  readonly #moved = new Map<string, { readonly step: MigrationStep; readonly bytes: number }>();
  readonly #telling = new KeyedDebounce(tellEvery, id => this.#changes.fire(id));
  /** A migration, whose id this is, changed here or in another window. */
  readonly onDidChange: Event<string> = this.#changes.event;

  constructor(store: RecordStore<Migration>) {
    this.#records = new SharedRecords(store);
    this.#records.onDidChange(id => this.#changes.fire(id));
  }

  /** Reads everything and follows other windows from then on. Until then the book knows what was written here. */
  async load(): Promise<void> {
    await this.#records.load();
  }

  get(id: string): Migration | undefined {
    const migration = this.#records.get(id);
    return migration && this.#withMoved(migration);
  }

  /** Throws `migrationNotFound`. */
  known(id: string): Migration {
    const migration = this.get(id);
    if (!migration) throw migrationNotFound(id);
    return migration;
  }

  /** The youngest first. */
  list(): Migration[] {
    return this.#records
      .list()
      .map(migration => this.#withMoved(migration))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id));
  }

  async add(migration: Migration): Promise<Migration> {
    const written = await this.#write(migration.id, () => migration);
    for (const { id } of this.list().filter(isSpent).slice(mostSpent))
      await this.#records.update(id, current => (current && isSpent(current) ? null : current)).catch(() => {}); // The next one tries again.
    return written;
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

  /** All as they are on disk now, in no particular order. Rejects when one can't be read. */
  readAll(): Promise<Migration[]> {
    return this.#records.readAll();
  }

  /** Says what a step has moved so far. Nothing is written for that, and it may be called for every piece. */
  tell(id: string, step: MigrationStep, bytes: number): void {
    this.#moved.set(id, { step, bytes });
    this.#telling.wake(id);
  }

  async forget(id: string): Promise<void> {
    await this.#records.update(id, () => null);
  }

  dispose(): void {
    this.#records.dispose();
    this.#telling.dispose();
    this.#changes.dispose();
  }

  async #write(id: string, change: (current: Migration | null) => Migration): Promise<Migration> {
    const written = await this.#records.update(id, change);
    if (written === null) throw migrationNotFound(id);
    if (written.endedAt !== undefined) this.#moved.delete(id);
    return written;
  }

  /** More than the home is on its way with what is around it: nobody shall see that. */
  #withMoved(migration: Migration): Migration {
    const { step, bytes } = this.#moved.get(migration.id) ?? {};
    const now = migration.steps.find(state => state.step === step && state.status === 'running');
    if (!now || bytes === undefined) return migration;
    return withStep(migration, now.step, { bytes: Math.min(bytes, migration.plan.bytes) });
  }
}
