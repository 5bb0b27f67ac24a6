import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { user } from './containerSpec.ts';

/** Bytes of a file that are read: several times what the largest of ours can have. */
const mostBytes = 16 * 1024 * 1024;

/** A folder or a file to be laid into a container. `name` is relative, without a slash at its end. */
export type ArchiveEntry =
  | { readonly name: string; readonly mode: number; readonly text: string }
  | { readonly name: string; readonly mode: number };

/** A whole tar in memory, so that it can't be cut: an engine takes one that is cut at a file's end for a good one. */
export async function archiveOf(
  entries: readonly ArchiveEntry[],
  owner: { readonly uid: number; readonly gid: number } = user,
): Promise<Buffer> {
  const tar = pack();
  const bytes = buffer(tar);
  for (const entry of entries) {
    const header = { name: entry.name, mode: entry.mode, ...owner, mtime: new Date() };
    if ('text' in entry) tar.entry(header, entry.text);
    else tar.entry({ ...header, type: 'directory' });
  }
  tar.finalize();
  return bytes;
}

/**
 * The text of the one file in an archive; of one that is larger than any of ours can be, its beginning. The stream is
 * always ended, whatever happens: one that nobody reads holds its container's lock for ever.
 */
export async function fileInArchive(source: Readable, signal: AbortSignal): Promise<string> {
  const abort = () => source.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const tar = extract();
    source.on('error', error => tar.destroy(error));
    source.pipe(tar);
    for await (const entry of tar) return await firstText(entry);
    throw new Error('the engine sent an archive without a file');
  } finally {
    signal.removeEventListener('abort', abort);
    source.destroy();
  }
}

async function firstText(file: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of file) {
    const bytes = chunk as Buffer;
    chunks.push(bytes);
    size += bytes.length;
    if (size > mostBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
