import { randomBytes } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Random lower-case letters and digits; 256 is no multiple of 36, so bytes past the last one are drawn anew. */
export function randomId(length: number): string {
  let id = '';
  while (id.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 252 && id.length < length) id += letters[byte % 36];
    }
  }
  return id;
}
