import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';

/** Where a `.git` leads that is a link or a file with a place in it. */
export async function pointed(at: string) {
  const isLink = (await lstat(at).catch(() => undefined))?.isSymbolicLink() === true;
  const linked = await realpath(at).catch(() => undefined);
  if (linked === undefined)
    return isLink ? { isLink, named: await readlink(at), real: at, isRepository: false } : undefined;
  if ((await stat(linked)).isDirectory())
    return { isLink, named: linked, real: linked, isRepository: await isRepository(linked) };
  const [, named] = /^gitdir: ([^\r\n]+)/.exec((await textOf(linked)) ?? '') ?? [];
  if (named === undefined) return undefined;
  const real = await realpath(path.resolve(path.dirname(linked), named)).catch(() => undefined);
  return { isLink: false, named, real: real ?? '', isRepository: real !== undefined && (await isRepository(real)) };
}

export async function commonOf(own: string): Promise<string> {
  const named = (await textOf(path.join(own, 'commondir')))?.trimEnd();
  return named === undefined ? own : realpath(path.resolve(own, named));
}

/** What git takes for a repository: one of its own, or what a worktree has for itself. */
export const looksLikeRepository = (names: readonly string[]): boolean =>
  names.includes('HEAD') && names.includes('objects') && names.includes('refs');

async function isRepository(at: string): Promise<boolean> {
  const names: string[] = await readdir(at).catch(() => []);
  if (looksLikeRepository(names)) return true;
  if (!names.includes('HEAD') || !names.includes('commondir')) return false;
  const common = await commonOf(at).catch(() => undefined);
  return common !== undefined && looksLikeRepository(await readdir(common).catch(() => []));
}

export async function isInRepository(at: string): Promise<boolean> {
  const real = await realpath(at).catch(() => undefined);
  for (let above = real; above !== undefined; above = path.dirname(above)) {
    if (looksLikeRepository(await readdir(above).catch(() => []))) return true;
    if (path.dirname(above) === above) break;
  }
  return false;
}

/** Small text files of git; undefined for one that is not there, or no file. */
export async function textOf(file: string): Promise<string | undefined> {
  const seen = await stat(file).catch(() => undefined);
  if (!seen?.isFile() || seen.size > 1_000_000) return undefined;
  return readFile(file, 'utf8');
}

export const exists = (file: string) =>
  lstat(file).then(
    () => true,
    () => false,
  );
