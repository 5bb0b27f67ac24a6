/** Pairs as people type them: `NAME=value OTHER="two words"`. A backslash keeps the next character as it is. */
export type Assignments = Readonly<Record<string, string>>;

/** What was typed, as pairs, or what is wrong with it. */
export function parseAssignments(text: string): { pairs: Assignments } | { problem: 'name' | 'quote'; at: string } {
  const pairs: Record<string, string> = {};
  for (const word of words(text)) {
    if (word.open) return { problem: 'quote', at: word.text };
    const equals = word.text.indexOf('=');
    if (equals < 1) return { problem: 'name', at: word.text };
    Object.defineProperty(pairs, word.text.slice(0, equals), {
      value: word.text.slice(equals + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { pairs };
}

/** The text that `parseAssignments` reads as these pairs. */
export function formatAssignments(pairs: Assignments): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${/^[\w./:@%+,-]*$/.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`}`)
    .join(' ');
}

/** Words separated by blanks or commas. */
export function parseList(text: string): string[] {
  return text.split(/[\s,]+/).filter(word => word !== '');
}

function words(text: string): { text: string; open: boolean }[] {
  const found: { text: string; open: boolean }[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\\' && quote !== "'" && index + 1 < text.length) word = (word ?? '') + text.charAt(++index);
    else if (quote !== '' && character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) found.push({ text: word, open: false });
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) found.push({ text: word, open: quote !== '' });
  return found;
}
