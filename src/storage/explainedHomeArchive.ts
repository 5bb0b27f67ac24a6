import { SwarmError } from '../model/errors.ts';
import type { HomeArchive, HomeFacts } from '../model/homeArchive.ts';
import { snapshotsNotWritable } from '../model/homeErrors.ts';

const fullOrBroken = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** An archive in a folder, which tells what its disk refuses with the folder, as `snapshots-not-writable`. */
export class ExplainedHomeArchive implements HomeArchive {
  readonly #archive: HomeArchive;
  readonly #directory: string;

  constructor(archive: HomeArchive, directory: string) {
    this.#archive = archive;
    this.#directory = directory;
  }

  save(
    snapshotId: string,
    base: string | undefined,
    exported: AsyncIterable<Uint8Array>,
  ): Promise<HomeFacts & { readonly added: number }> {
    return this.#explained(this.#archive.save(snapshotId, base, exported));
  }

  manifest(snapshotId: string): AsyncIterable<Uint8Array> {
    return this.#archive.manifest(snapshotId);
  }

  load(snapshotId: string, there: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return this.#archive.load(snapshotId, there);
  }

  forget(snapshotIds: readonly string[]): Promise<void> {
    return this.#explained(this.#archive.forget(snapshotIds));
  }

  async #explained<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#isRefusal(error) ? snapshotsNotWritable(this.#directory, error) : error;
    }
  }

  /** What is written to an open file names no path when it is refused. */
  #isRefusal(error: unknown): boolean {
    if (!(error instanceof Error) || error instanceof SwarmError) return false;
    const { path, code = '' } = error as NodeJS.ErrnoException;
    return path === undefined ? fullOrBroken.has(code) : path.startsWith(this.#directory);
  }
}
