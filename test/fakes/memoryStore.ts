import { AsyncResource } from 'node:async_hooks';
import type * as z from 'zod';
import { invalidInput } from '../../src/model/errors.ts';
import { type Disposable, Emitter } from '../../src/model/event.ts';
import type { LoadedRecords, RecordStore } from '../../src/model/stateStore.ts';

/** What the windows of a test share: records as text, and word of every change with its author. */
export class MemoryDisk {
  readonly records = new Map<string, string>();
  readonly changes = new Emitter<{ id: string; author: object }>();
}

/** {@link RecordStore} in memory; stores on one {@link MemoryDisk} see each other as windows do. */
export class MemoryStore<T extends { id: string; revision: number }> implements RecordStore<T> {
  readonly #schema: z.ZodType<T> & { readonly shape: { readonly id: z.ZodType<string> } };
  readonly #disk: MemoryDisk;

  constructor(
    schema: z.ZodType<T> & { readonly shape: { readonly id: z.ZodType<string> } },
    disk: MemoryDisk = new MemoryDisk(),
  ) {
    this.#schema = schema;
    this.#disk = disk;
  }

  async load(): Promise<LoadedRecords<T>> {
    return {
      records: [...this.#disk.records.values()].map(text => this.#schema.parse(JSON.parse(text))),
      quarantined: [],
      unread: [],
    };
  }

  async read(id: string): Promise<T | null> {
    this.fileOf(id);
    return this.#read(id);
  }

  async update(id: string, change: (current: T | null) => T | null): Promise<T | null> {
    this.fileOf(id);
    const current = this.#read(id);
    const next = change(current);
    if (next === current) return current;
    if (next === null) this.#disk.records.delete(id);
    else this.#disk.records.set(id, this.#write(id, { ...next, revision: (current?.revision ?? 0) + 1 }));
    this.#disk.changes.fire({ id, author: this });
    return this.#read(id);
  }

  watch(changed: (id: string) => void): Disposable {
    let ended = false;
    // In the window that watches, whoever changed something.
    const tell = AsyncResource.bind((id: string) => ended || changed(id));
    const subscription = this.#disk.changes.event(({ id, author }) => {
      if (author !== this) queueMicrotask(() => tell(id));
    });
    return {
      dispose: () => {
        ended = true;
        subscription.dispose();
      },
    };
  }

  fileOf(id: string): string {
    if (!this.#schema.shape.id.safeParse(id).success) throw invalidInput('The id', [`"${id}" cannot name a record`]);
    return `memory:/${id}.json`;
  }

  #read(id: string): T | null {
    const text = this.#disk.records.get(id);
    return text === undefined ? null : this.#schema.parse(JSON.parse(text));
  }

  #write(id: string, next: T): string {
    const { data, error } = this.#schema.safeParse(next);
    if (error || data.id !== id) throw invalidInput(`The record of "${id}"`, [error?.message ?? 'it has another id']);
    return JSON.stringify(data);
  }
}
