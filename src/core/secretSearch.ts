import { shortestForm } from './secretForms.ts';

/** Shorter ones are not looked for where lines are broken: they would be met by chance. */
const leastBroken = 16;
const codes = 1 << 16;
const bytes = 1 << 8;

/** Of a node whose link is not known yet. */
const unknown = 0xffffffff;

/**
 * Where any of some words stands in a text (Aho and Corasick, 1975): a tree of their beginnings, in which each knows the
 * longest other beginning that it ends with. It is made, and a text is read, in a time that grows with the length alone.
 * A node nearly always has one child, which is the next node, so that most of the tree is a few arrays; and it learns its
 * link when a text comes to it, as most never does.
 */
export class SecretSearch {
  /** The character that leads to the node. */
  readonly #codes: Uint16Array;
  /** Whether it is a child of the node before it. */
  readonly #follows: Uint8Array;
  readonly #parents: Uint32Array;
  readonly #shorter: Uint32Array;
  /** Length of the longest word that ends at the node, once that has its link; 0 for none. */
  readonly #ends: Uint16Array;
  /** Whether it has children that do not follow it. */
  readonly #forks: Uint8Array;
  /** Those, from a node by a character, both in one number. */
  readonly #others = new Map<number, number>();
  /** Of the root, by the commonest characters. */
  readonly #first = new Uint32Array(bytes);
  /** Whether any word begins with such characters, roughly: most of a text is passed over by it. */
  readonly #beginnings = new Uint8Array(codes);
  #count = 1;

  /** Words of at least {@link shortestForm} characters, and at most 65,535. */
  constructor(words: readonly string[]) {
    const most = words.reduce((sum, { length }) => sum + length, 2);
    this.#codes = new Uint16Array(most);
    this.#follows = new Uint8Array(most);
    this.#parents = new Uint32Array(most);
    this.#shorter = new Uint32Array(most).fill(unknown);
    this.#shorter[0] = 0;
    this.#ends = new Uint16Array(most);
    this.#forks = new Uint8Array(most);
    for (const word of words) this.#add(word);
  }

  /** `[from, to)`, in the order of their ends; a longer one also where it is broken into lines, as base64 often is. */
  spans(text: string): [number, number][] {
    const found: [number, number][] = [];
    this.#find(text, (from, to) => found.push([from, to]));
    if (!text.includes('\n')) return found;
    const broken = this.#broken(text);
    return broken.length === 0 ? found : [...found, ...broken].sort((one, other) => one[1] - other[1]);
  }

  /** What is broken has nothing else at the ends of its lines, nor blanks in it. */
  #broken(text: string): [number, number][] {
    const found: [number, number][] = [];
    /** Of what goes on from line to line: its pieces, and where each begins in it and in the text. */
    let [pieces, starts, offsets]: [string[], number[], number[]] = [[], [], []];
    let length = 0;
    const add = (from: number, to: number) => {
      pieces.push(text.slice(from, to));
      starts.push(length);
      offsets.push(from);
      length += to - from;
    };
    const inText = (index: number) => {
      let [low, high] = [0, starts.length];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((starts[middle] ?? 0) <= index) low = middle;
        else high = middle;
      }
      return index - (starts[low] ?? 0) + (offsets[low] ?? 0);
    };
    const end = () => {
      if (pieces.length > 1 && length >= leastBroken)
        this.#find(pieces.join(''), (from, to) => {
          if (to - from < leastBroken) return;
          const [first, last] = [inText(from), inText(to - 1)];
          if (last - first !== to - 1 - from) found.push([first, last + 1]);
        });
      [pieces, starts, offsets, length] = [[], [], [], 0];
    };
    for (let from = 0; from <= text.length; ) {
      const feed = text.indexOf('\n', from);
      const next = feed < 0 ? text.length : feed;
      const to = next > from && text[next - 1] === '\r' ? next - 1 : next;
      const line = text.slice(from, to);
      const [first, last] = [line.search(/[ \t]/), Math.max(line.lastIndexOf(' '), line.lastIndexOf('\t'))];
      if (first < 0) add(from, to);
      else {
        add(from, from + first);
        end();
        add(from + last + 1, to);
      }
      from = next + 1;
    }
    end();
    return found;
  }

  #find(text: string, found: (from: number, to: number) => void): void {
    let [node, ahead] = [0, 0];
    for (let index = 0; index < shortestForm - 1; index++) ahead = hashed(ahead, text, index);
    for (let index = 0; index < text.length; index++) {
      ahead = hashed(ahead, text, index + shortestForm - 1);
      if (node === 0 && this.#beginnings[ahead] === 0) continue;
      const code = text.charCodeAt(index);
      let next = this.#next(node, code);
      while (next === 0 && node !== 0) {
        node = this.#link(node);
        next = this.#next(node, code);
      }
      node = next;
      this.#link(node);
      const length = this.#ends[node] ?? 0;
      if (length > 0) found(index + 1 - length, index + 1);
    }
  }

  /** 0 for none. */
  #next(node: number, code: number): number {
    if (node === 0) return code < bytes ? (this.#first[code] ?? 0) : (this.#others.get(code) ?? 0);
    if (this.#follows[node + 1] === 1 && this.#codes[node + 1] === code) return node + 1;
    return this.#forks[node] === 1 ? (this.#others.get(node * codes + code) ?? 0) : 0;
  }

  #add(word: string): void {
    let [node, beginning] = [0, 0];
    for (let index = 0; index < shortestForm; index++) beginning = hashed(beginning, word, index);
    this.#beginnings[beginning] = 1;
    for (let index = 0; index < word.length; index++) {
      const code = word.charCodeAt(index);
      node = this.#next(node, code) || this.#child(node, code);
    }
    this.#ends[node] = word.length;
  }

  #child(node: number, code: number): number {
    const child = this.#count++;
    this.#codes[child] = code;
    this.#parents[child] = node;
    if (node === 0 && code < bytes) this.#first[code] = child;
    else if (node !== 0 && node === child - 1) this.#follows[child] = 1;
    else {
      this.#forks[node] = 1;
      this.#others.set(node * codes + code, child);
    }
    return child;
  }

  /** The longest other beginning that this one ends with. */
  #link(node: number): number {
    const known = this.#shorter[node] ?? 0;
    if (known !== unknown) return known;
    const parent = this.#parents[node] ?? 0;
    let link = 0;
    if (parent !== 0) {
      const code = this.#codes[node] ?? 0;
      let shorter = this.#link(parent);
      link = this.#next(shorter, code);
      while (link === 0 && shorter !== 0) {
        shorter = this.#link(shorter);
        link = this.#next(shorter, code);
      }
    }
    this.#link(link);
    this.#shorter[node] = link;
    this.#ends[node] = Math.max(this.#ends[node] ?? 0, this.#ends[link] ?? 0);
    return link;
  }
}

/** Of the last {@link shortestForm} characters up to there. */
const hashed = (before: number, text: string, index: number) =>
  ((before << 4) ^ (index < text.length ? text.charCodeAt(index) : 0)) & (codes - 1);
