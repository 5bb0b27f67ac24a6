import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Bytes kept of each stream of a command when its caller names no limit. */
export const defaultMostBytes = 1024 * 1024;
/** How long output may still come after a command's end, when something that it left running holds the pipe open; milliseconds. */
export const outputGrace = 250;

/** Writes all of the source and ends the stream. Rejects only when the source does: a command need not read what it is given. */
export async function feed(source: AsyncIterable<Uint8Array> | undefined, stdin: NodeJS.WritableStream): Promise<void> {
  try {
    await pipeline(source ? Readable.from(source, { objectMode: false }) : Readable.from([]), stdin);
  } catch (error) {
    if (!/^(EPIPE|ECONNRESET|ERR_STREAM_)/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The first bytes of a stream. */
export class CappedOutput {
  readonly #most: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  truncated = false;

  constructor(most: number) {
    this.#most = most;
  }

  add(chunk: Buffer): void {
    const room = this.#most - this.#size;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    const kept = chunk.subarray(0, room);
    this.#chunks.push(kept);
    this.#size += kept.length;
  }

  /** All of a stream is read, and that much of it is kept. */
  static async textOf(stream: AsyncIterable<Uint8Array>, most: number = defaultMostBytes): Promise<string> {
    const output = new CappedOutput(most);
    for await (const chunk of stream) output.add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    return output.text();
  }

  /** As UTF-8; a character that the cap cut in two is left out. */
  text(): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(this.#chunks), {
      stream: this.truncated,
    });
  }
}
