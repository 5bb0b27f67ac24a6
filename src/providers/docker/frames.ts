import { Readable } from 'node:stream';
import { LineReader } from '../../model/linesOf.ts';

/** A piece of a process's output as Docker frames it: stream number, length, bytes. */
export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Takes an engine's multiplexed stream apart, in whatever pieces it comes. */
export class FrameReader {
  readonly #header = Buffer.alloc(8);
  #headed = 0;
  #stream: Frame['stream'] = 'stdout';
  #left = 0;

  /** What a piece has of frames; of one that is cut, what there is. */
  take(piece: Buffer): Frame[] {
    const found: Frame[] = [];
    for (let at = 0; at < piece.length; ) {
      if (this.#left > 0) {
        const data = piece.subarray(at, at + this.#left);
        found.push({ stream: this.#stream, data });
        this.#left -= data.length;
        at += data.length;
        continue;
      }
      const copied = piece.copy(this.#header, this.#headed, at);
      this.#headed += copied;
      at += copied;
      if (this.#headed < this.#header.length) break;
      this.#headed = 0;
      this.#stream = this.#header[0] === 2 ? 'stderr' : 'stdout';
      this.#left = this.#header.readUInt32BE(4);
    }
    return found;
  }
}

/** All frames of a stream. A last one that was cut is given as far as it came. */
export async function* frames(source: Readable): AsyncGenerator<Frame> {
  const reader = new FrameReader();
  for await (const chunk of source) yield* reader.take(chunk);
}

/** The bytes of one of the two streams. */
export async function* streamOf(source: Readable, wanted: Frame['stream']): AsyncGenerator<Buffer> {
  for await (const { stream, data } of frames(source)) if (stream === wanted) yield data;
}

/** The lines of both streams in order of arrival; each stream's last line also without its line feed. */
export async function* linesOf(source: Readable): AsyncGenerator<string> {
  const readers = { stdout: new LineReader(), stderr: new LineReader() };
  for await (const { stream, data } of frames(source)) {
    for (const line of readers[stream].take(data)) yield line.replace(/\r$/, '');
  }
  for (const reader of Object.values(readers)) {
    const last = reader.rest();
    if (last !== '') yield last;
  }
}

/** The lines of a whole log. */
export async function linesIn(log: Buffer): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from([log]))) lines.push(line);
  return lines;
}
