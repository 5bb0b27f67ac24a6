import { SwarmError } from '../model/errors.ts';
import type { LockedVault, SecretVault } from '../model/stateStore.ts';
import { formsOf } from './secretForms.ts';

/** What stands in the place of a secret. */
const masked = '***';
/** Characters of values known at a time; beyond that those are forgotten that were not met for longest. */
const mostCharacters = 16_000;
/** Characters of a secret that was cut off, from which on its beginning is masked too. */
const leastPart = 4;
/** Errors below an error. */
const deepest = 8;

/**
 * Every secret value that this process has met, and what masks them in text that is passed on, as CI systems do: the
 * value, each of its lines, and what they look like in base64, hex, addresses and JSON. It helps against what is shown by
 * mistake; who may run commands where a secret is can always write it in another way. The time that it takes grows with
 * the length of a text and with nothing else, since all forms are looked for at once (Aho and Corasick, 1975).
 */
export class SecretMask {
  readonly #values = new Set<string>();
  #size = 0;
  #search: Search | undefined;

  /** Too short values are none that could be told from any other text. */
  learn(value: string): void {
    const isNew = !this.#values.delete(value);
    if (isNew && formsOf(value).length === 0) return;
    this.#values.add(value);
    if (!isNew) return;
    this.#search = undefined;
    this.#size += value.length;
    for (const oldest of this.#values) {
      if (this.#size <= mostCharacters || oldest === value) break;
      this.#values.delete(oldest);
      this.#size -= oldest.length;
    }
  }

  /** `isCut`: the text may end in the midst of a secret, whose beginning is masked then. */
  text(text: string, isCut = false): string {
    if (this.#values.size === 0) return text;
    this.#search ??= new Search([...this.#values].flatMap(formsOf));
    const spans = this.#search.spans(text, isCut ? leastPart : undefined);
    if (spans.length === 0) return text;
    let [result, from] = ['', 0];
    for (const [start, end] of spans) {
      result += text.slice(from, start) + masked;
      from = end;
    }
    return result + text.slice(from);
  }

  /** The same value with all its texts masked; names of members stay. */
  value<T>(value: T): T {
    return this.#values.size === 0 ? value : (this.#deep(value) as T);
  }

  /** The same error with its texts, and those of what caused it, masked. */
  error<T>(error: T, depth = 0): T {
    if (this.#values.size === 0 || !(error instanceof Error) || depth > deepest) return error;
    const [message, stack] = [this.text(error.message), this.text(error.stack ?? '')];
    const cause = this.error(error.cause, depth + 1);
    const hint = error instanceof SwarmError && error.hint !== undefined ? this.text(error.hint) : undefined;
    const hintBefore = error instanceof SwarmError ? error.hint : undefined;
    if (message === error.message && stack === (error.stack ?? '') && cause === error.cause && hint === hintBefore)
      return error;
    const { name } = error;
    const copy =
      error instanceof SwarmError
        ? new SwarmError({
            ...{ family: error.family, code: error.code, message, retryable: error.retryable, cause },
            ...(hint !== undefined && { hint }),
          })
        : Object.assign(new Error(message, { cause }), { name });
    copy.stack = stack;
    return copy as T;
  }

  /** The vault, from which nothing is read and into which nothing is put that is not masked from then on. */
  taughtBy(vault: SecretVault): LockedVault {
    const learn = (secrets: Readonly<Record<string, string>>) => {
      for (const value of Object.values(secrets)) this.learn(value);
    };
    return {
      read: async instanceId => {
        const secrets = await vault.read(instanceId);
        learn(secrets);
        return secrets;
      },
      store: async (instanceId, secrets, { lock }) => {
        learn(secrets);
        lock.assertHeld();
        await vault.store(instanceId, secrets);
      },
      forget: async (instanceId, { lock }) => {
        lock.assertHeld();
        await vault.forget(instanceId);
      },
    };
  }

  #deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map(one => this.#deep(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#deep(one)]));
  }
}

/** All words at once: a tree of their beginnings, in which each knows the longest other beginning that it ends with. */
class Search {
  /** From a node by a character, both in one number. */
  readonly #next = new Map<number, number>();
  readonly #shorter = [0];
  readonly #depth = [0];
  /** Length of the longest word that ends at the node; 0 for none. */
  readonly #ends = [0];
  /** Whether any word begins with two such characters, roughly: most of a text is passed over by it. */
  readonly #pairs = new Uint8Array(1 << 16);

  constructor(words: readonly string[]) {
    for (const word of words) this.#add(word);
    this.#link();
  }

  /** Where words stand, `[from, to)`, in order, those that touch as one. */
  spans(text: string, leastPart: number | undefined): [number, number][] {
    const starts: [number, number][] = [];
    let node = 0;
    for (let index = 0; index < text.length; index++) {
      if (node === 0 && this.#pairs[pairOf(text, index)] === 0) continue;
      const code = text.charCodeAt(index);
      let next = this.#next.get(edge(node, code));
      while (next === undefined && node !== 0) {
        node = this.#shorter[node] ?? 0;
        next = this.#next.get(edge(node, code));
      }
      node = next ?? 0;
      const length = this.#ends[node] ?? 0;
      if (length > 0) starts.push([index + 1 - length, index + 1]);
    }
    const part = this.#depth[node] ?? 0;
    if (leastPart !== undefined && part >= leastPart) starts.push([text.length - part, text.length]);
    return joined(starts);
  }

  #add(word: string): void {
    this.#pairs[pairOf(word, 0)] = 1;
    let node = 0;
    for (let index = 0; index < word.length; index++) {
      const key = edge(node, word.charCodeAt(index));
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#depth.push(index + 1) - 1;
        this.#ends.push(0);
        this.#shorter.push(0);
        this.#next.set(key, next);
      }
      node = next;
    }
    this.#ends[node] = word.length;
  }

  /** Nodes in the order of their depth, so that what is shorter is linked before. */
  #link(): void {
    const edges = [...this.#next].map(([key, node]) => ({ parent: Math.floor(key / codes), code: key % codes, node }));
    edges.sort((one, other) => (this.#depth[one.node] ?? 0) - (this.#depth[other.node] ?? 0));
    for (const { parent, code, node } of edges) {
      if (parent === 0) continue;
      let shorter = this.#shorter[parent] ?? 0;
      while (shorter !== 0 && !this.#next.has(edge(shorter, code))) shorter = this.#shorter[shorter] ?? 0;
      const link = this.#next.get(edge(shorter, code)) ?? 0;
      this.#shorter[node] = link;
      this.#ends[node] = Math.max(this.#ends[node] ?? 0, this.#ends[link] ?? 0);
    }
  }
}

const codes = 1 << 16;
const edge = (node: number, code: number) => node * codes + code;
const pairOf = (text: string, index: number) =>
  ((text.charCodeAt(index) << 5) ^ (index + 1 < text.length ? text.charCodeAt(index + 1) : 0)) & (codes - 1);

/** By their ends ascending, as they were found; one that begins earlier than those before swallows them. */
function joined(spans: readonly [number, number][]): [number, number][] {
  const result: [number, number][] = [];
  for (let [start, end] of spans) {
    for (let last = result.at(-1); last && last[1] >= start; last = result.at(-1)) {
      start = Math.min(start, last[0]);
      end = Math.max(end, last[1]);
      result.pop();
    }
    result.push([start, end]);
  }
  return result;
}
