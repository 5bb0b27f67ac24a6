/** Looks a text up in the user's language; `{0}`, `{1}` stand for the arguments. */
export type Translate = (message: string, ...args: (string | number | boolean)[]) => string;

/** For callers without a language: the text itself, its arguments filled in. */
export const inEnglish: Translate = (message, ...args) =>
  message.replace(/\{(\d+)\}/g, (placeholder, index) => String(args[Number(index)] ?? placeholder));
