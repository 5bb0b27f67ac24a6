import { homeStreamBroken } from '../model/homeErrors.ts';

/** A piece of what `home.mjs export` writes; `D` holds bytes of a file, all other kinds JSON. */
export interface HomeFrame {
  readonly kind: 'E' | 'D' | 'Z' | 'F' | 'R' | 'X';
  readonly payload: Buffer;
}

const headBytes = 5;
/** More than any frame has. */
const mostBytes = 1024 * 1024;

export function frameOf(kind: HomeFrame['kind'], payload: Buffer | object): Buffer {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  const head = Buffer.alloc(headBytes);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The frames up to the one that ends them. Rejects with `home-stream-broken` when that does not come. */
export async function* framesIn(stream: AsyncIterable<Uint8Array>): AsyncGenerator<HomeFrame> {
  const reader = new ByteReader(stream);
  for (;;) {
    const head = await reader.take(headBytes);
    const kind = head?.toString('latin1', 0, 1) ?? '';
    const length = head?.readUInt32BE(1) ?? 0;
    if (!isKind(kind) || length > mostBytes) throw homeStreamBroken();
    const payload = await reader.take(length);
    if (!payload) throw homeStreamBroken();
    yield { kind, payload };
    if (kind === 'X') return reader.drain();
  }
}

const isKind = (kind: string): kind is HomeFrame['kind'] => kind.length === 1 && 'EDZFRX'.includes(kind);

class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** Whoever wrote the stream waits until it is read. */
  async drain(): Promise<void> {
    while (!(await this.#source.next()).done);
  }

  /** Undefined at the end. */
  async take(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = length;
    for (;;) {
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
      if (missing === 0) return Buffer.concat(parts);
      const { value, done } = await this.#source.next();
      if (done) return undefined;
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
  }
}
