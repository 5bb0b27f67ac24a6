/** Bytes of a line of text that are kept, unless its reader says more. */
export const longestLine = 64 * 1024;
/** The same for what comes in lines of JSON, of which a part is of no use. */
export const longestJson = 64 * 1024 * 1024;

/** How a line that was cut ends. */
export const cutNote = /… \(\d+ more bytes\)$/;

const lineFeed = 0x0a;
const decoderOf = () => new TextDecoder('utf-8', { ignoreBOM: true });
/** For whole lines only: it keeps nothing from one to the next. */
const whole = decoderOf();

/**
 * Takes lines of UTF-8 out of what comes, however it is cut, at a cost that grows with its length alone. Of a line that
 * is too long the beginning is kept, with a note of how much is left out.
 */
export class LineReader {
  readonly #most: number;
  #parts: Uint8Array[] = [];
  #kept = 0;
  #length = 0;

  constructor(most: number = longestLine) {
    this.#most = most;
  }

  /** The lines that end in this piece, without their ends. */
  take(piece: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = piece.indexOf(lineFeed); end >= 0; end = piece.indexOf(lineFeed, from)) {
      const last = piece.subarray(from, end);
      if (this.#length === 0 && last.length <= this.#most) lines.push(whole.decode(last));
      else {
        this.#add(last);
        lines.push(this.rest());
      }
      from = end + 1;
    }
    this.#add(piece.subarray(from));
    return lines;
  }

  /** What followed the last line feed; empty when nothing did. */
  rest(): string {
    const bytes = new Uint8Array(this.#kept);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const left = this.#length - this.#kept;
    this.#parts = [];
    this.#kept = 0;
    this.#length = 0;
    // Decoded as a beginning, a character that the cut parts is left out.
    return left === 0 ? whole.decode(bytes) : `${decoderOf().decode(bytes, { stream: true })}… (${left} more bytes)`;
  }

  #add(piece: Uint8Array): void {
    this.#length += piece.length;
    const kept = piece.subarray(0, this.#most - this.#kept);
    if (kept.length === 0) return;
    this.#kept += kept.length;
    // A copy: the piece may be a small part of something large, or be written over.
    this.#parts.push(kept.slice());
  }
}

/** The whole lines of a stream of UTF-8, without their ends; what follows the last line feed is none. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>, most?: number): AsyncGenerator<string> {
  const reader = new LineReader(most);
  for await (const chunk of stream) yield* reader.take(chunk);
}
