import { type FileHandle, open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
/** Fast: homes are sources and packages, which shrink at any level. */
const level = { level: 1 };
/** What is compressed at once. */
const pieceSize = 1024 * 1024;

/** A file that is written compressed, piece by piece. */
export class PackedFile {
  readonly file: string;
  readonly #handle: FileHandle;
  #isOpen = true;
  /** Nothing was written yet, not even that there is nothing. */
  #isEmpty = true;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  static async open(file: string): Promise<PackedFile> {
    return new PackedFile(file, await open(file, 'wx', 0o600));
  }

  constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  async write(piece: Buffer): Promise<void> {
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes >= pieceSize) await this.#flush();
  }

  /** Bytes, with all that was written. */
  async size(): Promise<number> {
    if (this.#waiting.length > 0 || this.#isEmpty) await this.#flush();
    return (await this.#handle.stat()).size;
  }

  /** On disk; how many bytes it has there. */
  async close(): Promise<number> {
    const size = await this.size();
    await this.#handle.sync();
    await this.#handle.close();
    this.#isOpen = false;
    return size;
  }

  /** Without effect once it was closed. */
  async discard(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
    await rm(this.file, { force: true });
  }

  async #flush(): Promise<void> {
    const piece = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#isEmpty = false;
    await this.#handle.writeFile(await compress(piece, level));
  }
}
