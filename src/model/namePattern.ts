import { looksOf } from './lookalike.ts';

const anyText = Symbol('*');
const anyCharacter = Symbol('?');
type Token = string | typeof anyText | typeof anyCharacter;

/**
 * Tells which names fit a pattern: `*` stands for any text, `?` for one character, all else for itself and what looks
 * like it. No pattern takes longer than the product of both lengths.
 */
export function namePattern(pattern: string): (name: string) => boolean {
  const parts = pattern.split(/([*?])/);
  const forms = [0, 1, 2].map(form =>
    parts.flatMap((part): Token[] => {
      if (part === '*') return [anyText];
      return part === '?' ? [anyCharacter] : [...(looksOf(part)[form] ?? '')];
    }),
  );
  return name => looksOf(name).some((look, form) => fits(forms[form] ?? [], [...look]));
}

/** What does not fit after a `*` is tried again one character later; a later `*` takes what the one before left open. */
function fits(tokens: readonly Token[], characters: readonly string[]): boolean {
  let token = 0;
  let star = -1;
  let resumeAt = 0;
  for (let at = 0; at < characters.length; ) {
    if (tokens[token] === anyText) {
      star = token++;
      resumeAt = at;
    } else if (token < tokens.length && (tokens[token] === anyCharacter || tokens[token] === characters[at])) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (tokens[token] === anyText) token++;
  return token === tokens.length;
}
