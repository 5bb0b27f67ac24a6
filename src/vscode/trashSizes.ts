import type { InstanceRecord } from '../model/instance.ts';

type Read = (providerId: string, instanceIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;

/** What homes in the trash take, in bytes. Each is asked for once, and only when somebody looks: there nothing changes. */
export class TrashSizes {
  readonly #read: Read;
  readonly #known = new Map<string, number>();
  readonly #asking = new Set<string>();

  /** `read` asks a provider about some of its homes; what it can't tell is asked for again at the next look. */
  constructor(read: Read) {
    this.#read = read;
  }

  /** Undefined when it is not known, or not in the trash. */
  of(record: InstanceRecord): number | undefined {
    return this.#known.get(keyOf(record));
  }

  /** Asks for what is not known. Resolves with whether anything came of it; never rejects. */
  async ask(records: readonly InstanceRecord[]): Promise<boolean> {
    const wanted = records.filter(record => this.of(record) === undefined && !this.#asking.has(keyOf(record)));
    const told = await Promise.all(
      [...Map.groupBy(wanted, ({ providerId }) => providerId)].map(([providerId, some]) =>
        this.#askOne(providerId, some),
      ),
    );
    return told.includes(true);
  }

  async #askOne(providerId: string, records: readonly InstanceRecord[]): Promise<boolean> {
    for (const record of records) this.#asking.add(keyOf(record));
    const ids = records.map(({ id }) => id);
    const sizes = await this.#read(providerId, ids).catch(() => new Map<string, number>());
    for (const record of records) {
      const bytes = sizes.get(record.id);
      if (bytes !== undefined) this.#known.set(keyOf(record), bytes);
      this.#asking.delete(keyOf(record));
    }
    return sizes.size > 0;
  }
}

const keyOf = ({ id, trashedAt }: InstanceRecord) => `${id} ${trashedAt}`;
