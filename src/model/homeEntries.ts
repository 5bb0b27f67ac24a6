import { HomeEntry } from './homeArchive.ts';
import { homeStreamBroken } from './homeErrors.ts';
import { linesOf, longestJson } from './linesOf.ts';

/**
 * What `home.mjs list` tells of a home, in one order, that of {@link orderOf}; the last line, which sums it up, is left
 * out. Rejects with `home-stream-broken` when that does not come.
 */
export async function* homeEntriesIn(stream: AsyncIterable<Uint8Array>): AsyncGenerator<HomeEntry> {
  for await (const line of linesOf(stream, longestJson)) {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && 'digest' in value) return;
    yield HomeEntry.parse(value);
  }
  throw homeStreamBroken();
}

/** In a home: what the editor server and its extensions keep. */
export const editorFolder = '.vscode-server';

/** Sorts a folder before what is in it, and that before its next sibling. */
export const orderOf = (path: string) => (path === '.' ? '' : path.replaceAll('/', '\0'));
