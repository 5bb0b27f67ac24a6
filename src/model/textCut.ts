const encoder = new TextEncoder();

/** Length of a text as UTF-8. */
export const bytesOf = (text: string) => encoder.encode(text).length;

/** At most `most` characters, with an ellipsis where something was left out. Never cuts a surrogate pair. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${whole(text.slice(0, most - 1))}…`;
}

/** The first and the last part of a long text with a note between; at most `mostBytes` of UTF-8, the note included. */
export function headAndTail(text: string, mostBytes: number): string {
  const size = bytesOf(text);
  if (size <= mostBytes) return text;
  const note = `\n… ${size} bytes in all, the middle is left out …\n`;
  const half = Math.floor((mostBytes - bytesOf(note)) / 2);
  return `${firstBytes(text, half)}${note}${lastBytes(text, half)}`;
}

/** The longest end of `lines` whose JSON fits in `mostBytes`; of a last line that is too long alone, its end. */
export function lastLines(lines: readonly string[], mostBytes: number): string[] {
  const kept: string[] = [];
  let room = mostBytes;
  for (const line of lines.toReversed()) {
    const size = bytesOf(JSON.stringify(line)) + 1;
    if (size > room) {
      // Escaping makes a character up to six bytes long.
      if (kept.length === 0) kept.push(lastBytes(line, Math.floor(room / 6)));
      break;
    }
    kept.push(line);
    room -= size;
  }
  return kept.reverse();
}

/** Shows what a screen would hide or reorder: control, format and unseen characters, line breaks and tabs aside, as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(
    /[^\P{C}\n\t]|[\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu,
    character => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** The same on one line of at most `most` characters: what a foreign text may look like inside a sentence. */
export const onOneLine = (text: string, most: number) => cut(visible(text).replace(/\s+/g, ' '), most);

const whole = (text: string) => text.replace(/[\uD800-\uDBFF]$/, '');

function firstBytes(text: string, most: number): string {
  const room = new Uint8Array(most);
  return text.slice(0, encoder.encodeInto(text, room).read);
}

function lastBytes(text: string, most: number): string {
  let from = text.length;
  let size = 0;
  while (from > 0) {
    const step = from > 1 && /[\uDC00-\uDFFF]/.test(text.charAt(from - 1)) ? 2 : 1;
    size += bytesOf(text.slice(from - step, from));
    if (size > most) break;
    from -= step;
  }
  return text.slice(from);
}
