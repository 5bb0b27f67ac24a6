import { SwarmError } from '../model/errors.ts';
import type { KnownSecrets } from './knownSecrets.ts';
import { longestForm } from './secretForms.ts';

/** What stands in the place of a secret. */
const masked = '***';
/** Characters before a cut that may be the beginning of a secret, broken into lines. */
const unsure = 2 * longestForm;
/** Errors below an error. */
const deepest = 8;

/**
 * Masks secret values in text that is passed on, as CI systems do: the value, each of its lines, and what they look like
 * in base64, hex, addresses and JSON. It helps against what is shown by mistake; who may run commands where a secret is
 * can always write it in another way.
 */
export class SecretMask {
  readonly #known: readonly KnownSecrets[];

  constructor(known: readonly KnownSecrets[]) {
    this.#known = known;
  }

  /**
   * `isCut`: the text may end in the midst of a secret. What could be its beginning is left out, whatever it is: masked
   * only where it begins one, it would tell how that begins.
   */
  text(text: string, isCut = false): string {
    const most = isCut ? Math.max(0, text.length - unsure) : text.length;
    let [result, from] = ['', 0];
    for (const [start, end] of this.#spans(text)) {
      if (start >= most) break;
      // Lines stay lines.
      result += text.slice(from, start) + text.slice(start, end).replace(/[^\r\n]+/g, masked);
      from = end;
    }
    return result + text.slice(from, Math.max(from, most));
  }

  /** The same value with all its texts masked; names of members stay. */
  value<T>(value: T): T {
    return this.#deep(value) as T;
  }

  /** The same error with its texts, and those of what caused it, masked. */
  error<T>(error: T, depth = 0): T {
    if (!(error instanceof Error) || depth > deepest) return error;
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

  #spans(text: string): [number, number][] {
    const found = this.#known.map(secrets => secrets.spans(text)).filter(({ length }) => length > 0);
    return joined(found.length === 1 ? (found[0] ?? []) : found.flat().sort((one, other) => one[1] - other[1]));
  }

  #deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map(one => this.#deep(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#deep(one)]));
  }
}

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
