import { formsOf } from './secretForms.ts';
import { SecretSearch } from './secretSearch.ts';

/** Values that must not be shown, and where they stand in a text. What looks for them is made once a change. */
export class KnownSecrets {
  readonly #values = new Set<string>();
  readonly #forms = new Set<string>();
  #search: SecretSearch | undefined;

  /** Too short values are none that could be told from any other text. */
  learn(values: Iterable<string>): void {
    for (const value of values) {
      if (this.#values.has(value)) continue;
      this.#values.add(value);
      for (const form of formsOf(value)) this.#forms.add(form);
      this.#search = undefined;
    }
  }

  /** `[from, to)`, in the order of their ends. */
  spans(text: string): [number, number][] {
    if (this.#forms.size === 0) return [];
    this.#search ??= new SecretSearch([...this.#forms]);
    return this.#search.spans(text);
  }
}
