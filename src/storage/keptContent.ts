import { hash } from 'node:crypto';
import { readFile as callbackReadFile, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { createGunzip, gunzipSync } from 'node:zlib';
import * as z from 'zod';
import type { HomeEntry } from '../model/homeArchive.ts';
import { ContentSum } from './contentSum.ts';
import { framesIn } from './homeFrames.ts';

/** Bytes of a content, compressed, that is read at once to be proven: a piece of zeros makes a thousand times as many. */
const smallBlob = 16 * 1024;
/** Not `fs/promises`: its handles make small files slow. */
const readFile = promisify(callbackReadFile);

/** What every content is called that this version keeps. */
export const contentName = /^[0-9a-f]{64}(\.pieces)?\.gz$/;
const pieces = '.pieces.gz';

/** A run of zeros in a file that is told in pieces. */
export const LargeHole = z.object({ length: z.int().min(0) });

/** What the content of a file is called where it is kept. */
export const contentNameOf = ({ sha, pieces: inPieces }: Pick<HomeEntry, 'sha' | 'pieces'>) =>
  sha + (inPieces ? pieces : '.gz');

/** What a kept content holds; of one in pieces also the lengths of runs of zeros. */
export async function* contentIn(file: string): AsyncGenerator<Buffer | number> {
  if (!file.endsWith(pieces)) return yield* unpacked(file);
  for await (const { kind, payload } of framesIn(unpacked(file))) {
    if (kind === 'D') yield payload;
    else if (kind === 'Z') yield LargeHole.parse(JSON.parse(payload.toString())).length;
  }
}

/** Whether a kept content can be read, and is what its name says. */
export async function isWholeContent(file: string): Promise<boolean> {
  const inPieces = file.endsWith(pieces);
  const wanted = path.basename(file).slice(0, 64);
  try {
    const { size } = await stat(file);
    // Most are small, and a stream for each would take five times as long.
    if (size <= smallBlob && !inPieces) return hash('sha256', gunzipSync(await readFile(file))) === wanted;
    const sum = new ContentSum(inPieces);
    for await (const piece of contentIn(file)) sum.add(piece);
    return sum.end().sha === wanted;
  } catch {
    return false;
  }
}

/** A compressed file. */
export async function* unpacked(file: string): AsyncGenerator<Buffer> {
  const source = createReadStream(file);
  const plain = createGunzip();
  source.on('error', error => plain.destroy(error));
  try {
    for await (const chunk of source.pipe(plain)) yield chunk;
  } finally {
    source.destroy();
  }
}
