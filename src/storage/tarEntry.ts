import type { Stats } from 'node:fs';

const block = 512;

/** What is written of an entry beside its name. */
export interface TarEntry {
  readonly type: 'file' | 'folder';
  /** Whose times, owner and rights it has. */
  readonly like: Pick<Stats, 'mode' | 'uid' | 'gid' | 'mtimeMs'>;
  /** Bytes of a file. */
  readonly size: number;
}

/**
 * The head of an entry as every tar reads it, those of small images too: a name of any length and any characters. After
 * it come the bytes of the file and {@link tarPadding}.
 */
export function tarHead(name: string, entry: TarEntry): Uint8Array {
  const bytes = Buffer.from(name);
  const own = header(bytes, entry.type === 'file' ? '0' : '5', entry.size, entry.like);
  if (bytes.length <= 100) return own;
  const long = Buffer.concat([bytes, Buffer.alloc(1)]);
  const said = header(Buffer.from('././@LongLink'), 'L', long.length, { mode: 0, uid: 0, gid: 0, mtimeMs: 0 });
  return Buffer.concat([said, long, tarPadding(long.length), own]);
}

/** What follows the bytes of a file of that size. */
export const tarPadding = (size: number): Uint8Array => Buffer.alloc((block - (size % block)) % block);

function header(name: Uint8Array, type: string, size: number, like: TarEntry['like']): Buffer {
  const head = Buffer.alloc(block);
  head.set(name.subarray(0, 100), 0);
  number(head, 100, 8, like.mode & 0o7777);
  number(head, 108, 8, like.uid);
  number(head, 116, 8, like.gid);
  number(head, 124, 12, size);
  number(head, 136, 12, Math.max(0, Math.floor(like.mtimeMs / 1000)));
  head.write('        ', 148);
  head.write(type, 156);
  head.write('ustar  \0', 257);
  const sum = head.reduce((all, byte) => all + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return head;
}

/** Octal with a NUL behind it or, what is too large for that, as GNU and BSD write it: big-endian after a byte 0x80. */
function number(head: Buffer, at: number, width: number, value: number): void {
  const octal = value.toString(8).padStart(width - 1, '0');
  if (octal.length < width) {
    head.write(octal, at);
    return;
  }
  head.writeUInt8(0x80, at);
  head.writeUIntBE(value, at + width - 6, 6);
}
