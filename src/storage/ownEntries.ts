import { createReadStream } from 'node:fs';
import type { OwnEntry, OwnRepositories } from './copyPlan.ts';
import { tarHead, tarPadding } from './tarEntry.ts';

/** What a copy at `workspace` has as its own, as the beginning of a tar, which goes on with the rest of the folder. */
export async function* ownEntries(
  own: OwnRepositories,
  workspace: string,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for (const [name, entry] of own.entries) {
    const { like, from, text } = entry;
    if (text !== undefined) {
      const content = Buffer.from(text(workspace));
      yield tarHead(`./${name}`, { type: 'file', like, size: content.length });
      yield content;
      yield tarPadding(content.length);
    } else if (from === undefined) yield tarHead(`./${name}/`, { type: 'folder', like, size: 0 });
    else yield* copied(name, from, like, signal);
  }
}

async function* copied(
  name: string,
  from: string,
  like: OwnEntry['like'],
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  yield tarHead(`./${name}`, { type: 'file', like, size: like.size });
  let left = like.size;
  if (left > 0)
    for await (const chunk of createReadStream(from, { end: left - 1, signal })) {
      left -= (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
  if (left > 0) throw new Error(`${from} became shorter while it was copied; try again`);
  yield tarPadding(like.size);
}
