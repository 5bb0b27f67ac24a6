import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const zeros = Buffer.alloc(64 * 1024);

/**
 * What the bytes of a file come to, as `home.mjs` has it: a hash, and the CRC-32 that goes along with them. Of a file that
 * is told in pieces, they are those of each piece after the length of the zeros before it.
 */
export class ContentSum {
  readonly #inPieces: boolean;
  readonly #hash = createHash('sha256');
  #crc = 0;
  #gap = 0;
  #ended: { readonly sha: string; readonly sum: number } | undefined;

  constructor(inPieces: boolean) {
    this.#inPieces = inPieces;
  }

  /** A piece, or the length of a run of zeros. */
  add(piece: Uint8Array | number): void {
    if (typeof piece === 'number') {
      this.#gap += piece;
      if (!this.#inPieces) this.#addZeros();
      return;
    }
    if (this.#inPieces) this.#endGap();
    this.#add(piece);
  }

  end(): { readonly sha: string; readonly sum: number } {
    if (!this.#ended && this.#inPieces) this.#endGap();
    this.#ended ??= { sha: this.#hash.digest('hex'), sum: this.#crc };
    return this.#ended;
  }

  #addZeros(): void {
    for (; this.#gap > 0; this.#gap -= Math.min(this.#gap, zeros.length)) this.#add(zeros.subarray(0, this.#gap));
  }

  #endGap(): void {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(this.#gap));
    this.#gap = 0;
    this.#add(length);
  }

  #add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#crc = crc32(bytes, this.#crc);
  }
}
