import pLimit from 'p-limit';
import type { VSCodeInstance } from '../model/instance.ts';
import { type FoundResource, foundRowId } from './instanceTree.ts';

const readersAtOnce = 4;

/** The names of found resources, and of their owners. Each is read once, and only when somebody looks: a list of them tells none. */
export class FoundNames {
  readonly #read: (found: FoundResource) => Promise<VSCodeInstance | null | undefined>;
  readonly #known = new Map<string, { of: string; told: Pick<FoundResource, 'name' | 'owner'> }>();
  readonly #asking = new Map<string, Promise<void>>();
  readonly #limit = pLimit(readersAtOnce);

  constructor(read: (found: FoundResource) => Promise<VSCodeInstance | null | undefined>) {
    this.#read = read;
  }

  /** The same resources with the names known so far. */
  shown(found: readonly FoundResource[]): FoundResource[] {
    return found.map(one => ({ ...one, ...this.#told(one) }));
  }

  /** The same resources with the names of all that can be read. Never rejects. */
  async asked(found: readonly FoundResource[]): Promise<FoundResource[]> {
    const keys = new Set(found.map(foundRowId));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    await Promise.all(found.map(one => this.#ask(foundRowId(one), one)));
    return this.shown(found);
  }

  /** Whoever has taken it over since, or renamed it there, is read anew. */
  #told(found: FoundResource): Pick<FoundResource, 'name' | 'owner'> | undefined {
    const known = this.#known.get(foundRowId(found));
    return known?.of === ownershipOf(found) ? known.told : undefined;
  }

  #ask(key: string, found: FoundResource): Promise<void> {
    if (this.#told(found)) return Promise.resolve();
    const asking = this.#asking.get(key) ?? this.#limit(() => this.#note(key, found));
    this.#asking.set(key, asking);
    return asking;
  }

  async #note(key: string, found: FoundResource): Promise<void> {
    const there = await this.#read(found).catch(() => undefined);
    if (there) this.#known.set(key, { of: ownershipOf(found), told: { name: there.config.name, owner: there.owner } });
    this.#asking.delete(key);
  }
}

const ownershipOf = ({ observation: { swarmId, epoch, generation = 0 } }: FoundResource) =>
  `${swarmId} ${epoch} ${generation}`;
