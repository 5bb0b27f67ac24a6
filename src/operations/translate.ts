/** Looks a text up in the user's language; `{0}`, `{1}` stand for the arguments. */
export interface Translate {
  (message: string, ...args: (string | number | boolean)[]): string;
  /** The language's name for `Intl`, BCP 47. */
  readonly locale: string;
}

/** For callers without a language: the text itself, its arguments filled in. */
export const inEnglish: Translate = Object.assign(
  (message: string, ...args: (string | number | boolean)[]) =>
    message.replace(/\{(\d+)\}/g, (placeholder, index) => String(args[Number(index)] ?? placeholder)),
  { locale: 'en' },
);
