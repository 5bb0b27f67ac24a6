import pLimit from 'p-limit';
import { type FoundResource, foundRowId } from './instanceTree.ts';

const readersAtOnce = 4;

/** The names of found resources. Each is read once, and only when somebody looks: a list of them tells none. */
export class FoundNames {
  readonly #read: (found: FoundResource) => Promise<string | undefined>;
  readonly #known = new Map<string, string>();
  readonly #asking = new Map<string, Promise<void>>();
  readonly #limit = pLimit(readersAtOnce);

  constructor(read: (found: FoundResource) => Promise<string | undefined>) {
    this.#read = read;
  }

  /** The same resources with the names known so far. */
  shown(found: readonly FoundResource[]): FoundResource[] {
    return found.map(one => {
      const name = this.#known.get(foundRowId(one));
      return name === undefined ? one : { ...one, name };
    });
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
    const name = await this.#read(found).catch(() => undefined);
    if (name !== undefined) this.#known.set(key, name);
    this.#asking.delete(key);
  }
}
