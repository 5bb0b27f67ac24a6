import pLimit from 'p-limit';
import type { VSCodeInstance } from '../model/instance.ts';
import { type FoundResource, foundRowId } from './instanceTree.ts';

const readersAtOnce = 4;

/** The names of found resources, and of their owners. Each is read once, and only when somebody looks: a list of them tells none. */
export class FoundNames {
  readonly #read: (found: FoundResource) => Promise<VSCodeInstance | null | undefined>;
  readonly #known = new Map<string, Pick<FoundResource, 'name' | 'owner'>>();
  readonly #asking = new Map<string, Promise<void>>();
  readonly #limit = pLimit(readersAtOnce);

  constructor(read: (found: FoundResource) => Promise<VSCodeInstance | null | undefined>) {
    this.#read = read;
  }

  /** The same resources with the names known so far. */
  shown(found: readonly FoundResource[]): FoundResource[] {
    return found.map(one => ({ ...one, ...this.#known.get(foundRowId(one)) }));
  }

  /** The same resources with the names of all that can be read. Never rejects. */
  async asked(found: readonly FoundResource[]): Promise<FoundResource[]> {
    await Promise.all(found.map(one => this.#ask(foundRowId(one), one)));
    return this.shown(found);
  }

  #ask(key: string, found: FoundResource): Promise<void> {
    if (this.#known.has(key)) return Promise.resolve();
    const asking = this.#asking.get(key) ?? this.#limit(() => this.#note(key, found));
    this.#asking.set(key, asking);
    return asking;
  }

  async #note(key: string, found: FoundResource): Promise<void> {
    const there = await this.#read(found).catch(() => undefined);
    if (there) this.#known.set(key, { name: there.config.name, owner: there.owner });
    this.#asking.delete(key);
  }
}
