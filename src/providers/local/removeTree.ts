import { randomBytes } from 'node:crypto';
import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { messageOf } from '../../model/errors.ts';
import { homeNotRemoved } from '../../model/homeErrors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';

/** Bytes below the root from which on a folder is moved up to it: systems take paths of 1,024 or 4,096. */
const longestPath = 500;
/** Files that go at once. */
const atOnce = 32;
/** Milliseconds between two words of how far it is. */
const tellEvery = 1_000;

/**
 * Removes a folder, or a file, and all below it: also folders that forbid it to their owner, names that are no UTF-8,
 * and paths that are longer than the system takes. Links are not followed. What can't be removed holds up nothing else;
 * then rejects with `home-not-removed`, which names it. Cut off, it leaves the rest. Nothing there is fine.
 */
export async function removeTree(root: string, ctx: OperationContext = quietContext): Promise<void> {
  const stuck = await new TreeRemoval(Buffer.from(root), ctx).run();
  const [first] = stuck;
  if (first) throw homeNotRemoved(first.at.toString(), messageOf(first.error), stuck.length - 1, first.error);
}

interface Stuck {
  readonly at: Buffer;
  readonly error: unknown;
}

class TreeRemoval {
  readonly #root: Buffer;
  readonly #ctx: OperationContext;
  readonly #stuck: Stuck[] = [];
  /** Folders that were moved up, to be removed once what is above them is. */
  readonly #moved: Buffer[] = [];
  #removed = 0;
  #told = performance.now();

  constructor(root: Buffer, ctx: OperationContext) {
    this.#root = root;
    this.#ctx = ctx;
  }

  async run(): Promise<readonly Stuck[]> {
    const found = await lstat(this.#root).catch(absent);
    if (!found) return [];
    if (!found.isDirectory()) await this.#file(this.#root);
    else {
      await this.#entriesOf(this.#root);
      for (let next = this.#moved.pop(); next; next = this.#moved.pop()) await this.#folder(next);
      if (this.#stuck.length === 0) await this.#emptied(this.#root);
    }
    return this.#stuck;
  }

  /** Everything in a folder that can be removed. */
  async #entriesOf(folder: Buffer): Promise<void> {
    // One that can only be read names what is in it, and lets nobody reach that; one of somebody else may let us all the same.
    await chmod(folder, 0o700).catch(() => {});
    const entries = await this.#forced(folder, () => readdir(folder, { withFileTypes: true, encoding: 'buffer' }));
    const [folders, others] = [entries ?? [], entries ?? []].map((all, index) =>
      all.filter(entry => entry.isDirectory() === (index === 0)).map(({ name }) => joined(folder, name)),
    ) as [Buffer[], Buffer[]];
    for (let from = 0; from < others.length; from += atOnce) {
      this.#ctx.signal.throwIfAborted();
      await Promise.all(others.slice(from, from + atOnce).map(file => this.#file(file)));
      this.#tell();
    }
    for (const child of folders) {
      if (child.length > longestPath + this.#root.length) await this.#moveUp(child);
      else await this.#folder(child);
    }
  }

  async #folder(folder: Buffer): Promise<void> {
    this.#ctx.signal.throwIfAborted();
    const before = this.#stuck.length;
    await this.#entriesOf(folder);
    if (this.#stuck.length === before) await this.#emptied(folder);
  }

  async #emptied(folder: Buffer): Promise<void> {
    await this.#forced(parentOf(folder), () => rmdir(folder), folder);
  }

  async #file(file: Buffer): Promise<void> {
    await this.#forced(parentOf(file), () => unlink(file), file);
    this.#removed += 1;
  }

  /** What is below it has a short path then. */
  async #moveUp(folder: Buffer): Promise<void> {
    const up = joined(this.#root, Buffer.from(`.removing-${randomBytes(8).toString('hex')}`));
    await chmod(folder, 0o700).catch(() => {});
    const moved = await this.#forced(parentOf(folder), () => rename(folder, up).then(() => true), folder);
    if (moved) this.#moved.push(up);
  }

  /** Tries again once what `folder` forbids is allowed. Undefined when it can't be done, or there is nothing. */
  async #forced<T>(folder: Buffer, work: () => Promise<T>, at = folder): Promise<T | undefined> {
    try {
      return await work().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
        // What it says itself tells more than that it could not be allowed.
        await chmod(folder, 0o700).catch(() => Promise.reject(error));
        return work();
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#stuck.push({ at, error });
      return undefined;
    }
  }

  #tell(): void {
    if (performance.now() - this.#told < tellEvery) return;
    this.#told = performance.now();
    this.#ctx.report(`Removing the home: ${this.#removed} files`);
  }
}

const slash = Buffer.from('/');

const joined = (folder: Buffer, name: Buffer) => Buffer.concat([folder, slash, name]);

const parentOf = (at: Buffer) => at.subarray(0, Math.max(1, at.lastIndexOf(slash[0] ?? 0)));

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
