import * as z from 'zod';

export interface HomeSize {
  readonly bytes: number;
  readonly files: number;
}

/** Entries of a home: how many, and the names of the first, a character for each byte. */
export const HomeNames = z.object({ count: z.int().min(0), names: z.array(z.string()) });
export type HomeNames = z.infer<typeof HomeNames>;

/** What a home holds; the digest is equal for two homes only when they are (semantics 16). */
export interface HomeFacts extends HomeSize {
  readonly digest: string;
  /** Bytes without the holes in files, which take no room; undefined when that was not looked at. */
  readonly solid?: number | undefined;
  /** Sockets, pipes and devices, which do not travel. */
  readonly skipped: HomeNames;
  /** What has extended attributes or access lists, which do not travel either, as far as the place can see them. */
  readonly attributed?: HomeNames;
  /** What is another user's or group's than the home: a place whose program is not root's makes it the home's own. */
  readonly foreign?: HomeNames;
}

/** One entry of a home, as `home.mjs` tells it: folders before what is in them, paths with a character for each byte. */
export const HomeEntry = z.strictObject({
  path: z.string().min(1),
  type: z.enum(['d', 'f', 'l', 'h']),
  mode: z.int().min(0),
  size: z.int().min(0),
  /** Nanoseconds since 1970. */
  mtime: z.string().regex(/^-?\d+$/),
  /** User and group, null for the home's own. */
  own: z.tuple([z.int().nullable(), z.int().nullable()]).nullable(),
  /** Of a symbolic link, what it says; of a further name of a file, its first name. */
  target: z.string(),
  sha: z.string().regex(/^([a-f0-9]{64})?$/),
  /** Of a large file: its hash is that of the pieces of it that are not all zeros, each after the length of the zeros before. */
  pieces: z.literal(true).optional(),
});
export type HomeEntry = z.infer<typeof HomeEntry>;

export const HomeChangeKind = z.enum(['only-there', 'only-here', 'changed']);

/** One place in which two homes differ. */
export interface HomeChange {
  /** Bytes that are no UTF-8 are shown as replacement characters. */
  readonly path: string;
  readonly what: z.infer<typeof HomeChangeKind>;
  /** Of a file there; of one that is only here, here. */
  readonly bytes: number;
}

/** In what a home there differs from the one here. */
export interface HomeDifference {
  readonly count: number;
  /** The first of them by path, and after all others those of the editor's own files. */
  readonly changes: readonly HomeChange[];
}

/** Homes as they were at a moment, in the state directory, by content: what did not change is kept once. */
export interface HomeArchive {
  /** What a snapshot holds, as `home.mjs list` writes it. Rejects with `snapshot-damaged`. */
  manifest(snapshotId: string): AsyncIterable<Uint8Array>;
  /**
   * Keeps what `home.mjs export` writes, which was given the manifest of `base`, or an empty one. On disk when it
   * resolves; `added` is what it costs there, in bytes. Rejected, it has kept nothing under that id.
   */
  save(
    snapshotId: string,
    base: string | undefined,
    exported: AsyncIterable<Uint8Array>,
  ): Promise<HomeFacts & { readonly added: number }>;
  /** What `home.mjs import` reads to make a home, which `there` tells of, equal with the snapshot. */
  load(snapshotId: string, there: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Forgets these snapshots, and what no other one needs, unless another one is damaged: what that needs is not known. */
  forget(snapshotIds: readonly string[]): Promise<void>;
}
