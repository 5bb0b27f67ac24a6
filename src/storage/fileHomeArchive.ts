import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import * as path from 'node:path';
import * as z from 'zod';
import { type HomeArchive, HomeEntry, type HomeFacts, HomeNames } from '../model/homeArchive.ts';
import { homeEntriesIn, orderOf } from '../model/homeEntries.ts';
import { homeStreamBroken, noRoomForSnapshot, snapshotDamaged } from '../model/homeErrors.ts';
import { ContentSum } from './contentSum.ts';
import { unlessInUse } from './fileInUse.ts';
import { frameOf, framesIn } from './homeFrames.ts';
import { contentIn, contentName, contentNameOf, isWholeContent, LargeHole, unpacked } from './keptContent.ts';
import { PackedFile } from './packedFile.ts';
import { flushDirectory } from './replaceFile.ts';

/** How many contents go to the disk together: each waits for it. */
const keptAtOnce = 16;
/** Contents that are proven together. */
const provenAtOnce = 16;
/** Runs of zeros that are left out of what is brought back. */
const holeSize = 64 * 1024;
const zeros = Buffer.alloc(holeSize);

/** Bytes that a snapshot leaves free on the disk that everything else of this machine's user may lie on, too. */
const usualReserve = 1024 ** 3;
/** Bytes that may come until the room is looked at again. */
const lookEvery = 32 * 1024 ** 2;

const Received = HomeEntry.extend({ kept: z.boolean().optional() });
/** The CRC-32 of what came of a file. */
const Sum = z.object({ sum: z.int().min(0) });
const Hole = z.object({ length: z.int().min(0).max(holeSize) });
const Ending = z.object({ skipped: HomeNames });

/**
 * {@link HomeArchive} in a folder: `manifests/<id>.gz` with the lines of each snapshot, `blobs/<aa>/<sha>.gz` with each
 * content once, however many files of however many snapshots have it; `<sha>.pieces.gz` of a large file, with the frames
 * that it came in. Contents are compressed piece by piece, so that nothing is held whole.
 */
export class FileHomeArchive implements HomeArchive {
  readonly #manifests: string;
  readonly #blobs: string;
  readonly #incoming: string;
  /** Contents that no snapshot seemed to need, until it is certain. */
  readonly #going: string;
  readonly #reserve: number;

  constructor(directory: string, reserve = usualReserve) {
    this.#reserve = reserve;
    this.#manifests = path.join(directory, 'manifests');
    this.#blobs = path.join(directory, 'blobs');
    this.#incoming = path.join(directory, 'incoming');
    this.#going = path.join(directory, 'going');
  }

  async *manifest(snapshotId: string): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of unpacked(this.#manifestOf(snapshotId))) yield chunk;
    } catch (error) {
      throw snapshotDamaged(snapshotId, error);
    }
  }

  async save(
    snapshotId: string,
    base: string | undefined,
    exported: AsyncIterable<Uint8Array>,
  ): Promise<HomeFacts & { readonly added: number }> {
    for (const folder of [this.#manifests, this.#blobs, this.#incoming])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    const known = base === undefined ? undefined : this.#entries(base);
    const lines = await PackedFile.open(path.join(this.#incoming, randomUUID()));
    const whole = createHash('sha256');
    const note = async (entry: HomeEntry) => {
      const { path: at, type, mode, size, target, sha } = entry;
      whole.update(`${JSON.stringify([at, type, type === 'h' ? 0 : mode, size, target, sha])}\n`);
      await lines.write(Buffer.from(`${JSON.stringify(entry)}\n`));
    };
    let receiving: { entry: HomeEntry; file: PackedFile; sum: ContentSum } | undefined;
    let received: Content[] = [];
    /** Contents that came now, so that what lies here was made of them or compared with them. */
    const proven = new Set<string>();
    const keepReceived = async () => {
      const contents = received;
      received = [];
      added += await this.#keepAll(contents);
    };
    let [bytes, files, added] = [0, 0, 0];
    try {
      for await (const { kind, payload } of framesIn(this.#whileRoom(exported))) {
        if (kind === 'D' || kind === 'Z') {
          if (!receiving) throw homeStreamBroken();
          const { entry, file, sum } = receiving;
          const holeIn = (said: unknown) => (entry.pieces ? LargeHole.parse(said) : Hole.parse(said)).length;
          const length = kind === 'Z' ? holeIn(json(payload)) : undefined;
          sum.add(length ?? payload);
          if (entry.pieces) await file.write(frameOf(kind, payload));
          else await file.write(length === undefined ? payload : zeros.subarray(0, length));
        } else if (kind === 'F') {
          const { sha, sum } = receiving?.sum.end() ?? {};
          if (!receiving || sha === undefined || Sum.parse(json(payload)).sum !== sum) throw homeStreamBroken();
          if (receiving.entry.pieces) await receiving.file.write(frameOf('X', {}));
          const name = contentNameOf({ ...receiving.entry, sha });
          received.push({ file: receiving.file, name });
          proven.add(name);
          await note({ ...receiving.entry, sha });
          receiving = undefined;
          if (received.length >= keptAtOnce) await keepReceived();
        } else if (kind === 'E') {
          const { kept, ...entry } = Received.parse(json(payload));
          if (receiving) throw homeStreamBroken();
          bytes += entry.size;
          if (entry.type === 'f') files += 1;
          if (entry.type !== 'f') await note(entry);
          else if (kept) await note({ ...entry, sha: await shaOf(known, entry.path) });
          else {
            const file = await PackedFile.open(path.join(this.#incoming, randomUUID()));
            receiving = { entry, file, sum: new ContentSum(entry.pieces === true) };
          }
        } else if (kind === 'X') {
          const { skipped } = Ending.parse(json(payload));
          await keepReceived();
          const facts = { digest: whole.digest('hex'), bytes, files, skipped };
          await lines.write(Buffer.from(`${JSON.stringify(facts)}\n`));
          const cost = await lines.close();
          await unlessInUse(() => rename(lines.file, this.#manifestOf(snapshotId)));
          await flushDirectory(this.#manifests);
          await this.#assertWhole(snapshotId, proven);
          return { ...facts, added: added + cost };
        }
      }
      throw homeStreamBroken();
    } finally {
      for (const { file } of received) await file.discard();
      await receiving?.file.discard();
      await lines.discard();
      await known?.return(undefined);
    }
  }

  async *load(snapshotId: string, there: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const others = homeEntriesIn(there);
    const next = async () => (await others.next()).value as HomeEntry | undefined;
    let other = await next();
    const skipBelow = async (folder: string) => {
      while (other && orderOf(other.path).startsWith(`${orderOf(folder)}\0`)) other = await next();
    };
    const removeUntil = async function* (place: string | undefined) {
      while (other && (place === undefined || orderOf(other.path) < place)) {
        const { path: gone, type } = other;
        yield frameOf('R', { path: gone });
        other = await next();
        if (type === 'd') await skipBelow(gone);
      }
    };
    let bytes = 0;
    let files = 0;
    for await (const entry of this.#entries(snapshotId)) {
      yield* removeUntil(orderOf(entry.path));
      const same = other?.path === entry.path ? other : undefined;
      if (same) other = await next();
      if (same?.type === 'd' && entry.type !== 'd') await skipBelow(entry.path);
      if (entry.type !== 'f') {
        yield frameOf('E', entry);
        continue;
      }
      files += 1;
      const kept = same?.type === 'f' && same.sha === entry.sha;
      yield frameOf('E', { ...entry, kept });
      if (kept) continue;
      const sum = new ContentSum(entry.pieces === true);
      for await (const piece of this.#contentOf(snapshotId, entry, sum)) {
        bytes += typeof piece === 'number' ? piece : piece.length;
        yield typeof piece === 'number' ? frameOf('Z', { length: piece }) : frameOf('D', piece);
      }
      yield frameOf('F', { sum: sum.end().sum });
    }
    yield* removeUntil(undefined);
    yield frameOf('X', { bytes, files, skipped: { count: 0, names: [] } });
  }

  async forget(snapshotIds: readonly string[]): Promise<void> {
    for (const id of snapshotIds) await rm(this.#manifestOf(id), { force: true });
    await rm(this.#incoming, { recursive: true, force: true });
    for (const folder of [this.#manifests, this.#blobs, this.#going])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    const wanted = await this.#wanted();
    for (const [name, file] of wanted ? await this.#kept() : [])
      if (!wanted?.has(name)) await rename(file, path.join(this.#going, name)).catch(absent);
    await this.#letGo();
  }

  /**
   * Ends what lies aside: a snapshot that was saved after its manifest was looked for has its contents back, and one that
   * is saved from now on finds for itself that they lie aside. Whoever stalls in between, nothing that is needed goes.
   */
  async #letGo(): Promise<void> {
    const wanted = await this.#wanted();
    if (!wanted) return;
    for (const name of await readdir(this.#going)) {
      if (wanted.has(name)) await this.#takeBack(name);
      else await rm(path.join(this.#going, name), { recursive: true, force: true });
    }
    await rmdir(this.#going).catch(() => {}); // Another window puts something there.
  }

  /**
   * Throws `snapshotDamaged`, and leaves no such snapshot, when a content of it was tidied up while it was made, or is
   * not what its name says. All are read for that but those that are `proven`: who relies on the snapshot may be about to
   * overwrite the home.
   */
  async #assertWhole(snapshotId: string, proven: ReadonlySet<string>): Promise<void> {
    try {
      const kept = new Map(await this.#kept());
      const names = await this.#blobsOf([snapshotId]);
      if (!names) throw homeStreamBroken();
      const prove = async (name: string) => {
        if (!kept.has(name)) await this.#takeBack(name);
        if (!proven.has(name) && !(await isWholeContent(this.#blobOf(name)))) throw otherContent(name);
      };
      const all = [...names];
      for (let first = 0; first < all.length; first += provenAtOnce)
        await Promise.all(all.slice(first, first + provenAtOnce).map(prove));
    } catch (error) {
      await rm(this.#manifestOf(snapshotId), { force: true });
      throw snapshotDamaged(snapshotId, error);
    }
  }

  /** Out of what lies aside; rejects when it is in neither place. */
  async #takeBack(name: string): Promise<void> {
    const file = this.#blobOf(name);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await link(path.join(this.#going, name), file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') await stat(file);
    });
    await rm(path.join(this.#going, name), { force: true });
  }

  /** What some snapshot needs; undefined when that can't be told, as of one that a later version keeps in its own way. */
  async #wanted(): Promise<ReadonlySet<string> | undefined> {
    const ids = (await readdir(this.#manifests)).map(name => /^(\w+)\.gz$/.exec(name)?.[1]);
    return ids.every(id => id !== undefined) ? this.#blobsOf(ids) : undefined;
  }

  /** Names of all contents there are, as this version keeps them, and where they lie. */
  async #kept(): Promise<[name: string, file: string][]> {
    const folders = (await readdir(this.#blobs, { withFileTypes: true })).filter(entry => entry.isDirectory());
    const names = await Promise.all(
      folders.map(async ({ name: folder }) =>
        (await readdir(path.join(this.#blobs, folder)))
          .filter(name => contentName.test(name))
          .map((name): [string, string] => [name, path.join(this.#blobs, folder, name)]),
      ),
    );
    return names.flat();
  }

  async *#whileRoom(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let unseen = lookEvery;
    for await (const chunk of stream) {
      unseen += chunk.length;
      if (unseen >= lookEvery) {
        unseen = 0;
        const { bavail, bsize } = await statfs(this.#incoming);
        if (bavail * bsize < this.#reserve) throw noRoomForSnapshot(this.#reserve);
      }
      yield chunk;
    }
  }

  /** Undefined when one of them is damaged: what it needs cannot be told. */
  async #blobsOf(snapshotIds: readonly string[]): Promise<ReadonlySet<string> | undefined> {
    const names = new Set<string>();
    try {
      for (const id of snapshotIds) {
        for await (const entry of this.#entries(id)) if (entry.sha) names.add(contentNameOf(entry));
      }
      return names;
    } catch {
      return undefined;
    }
  }

  #entries(snapshotId: string): AsyncGenerator<HomeEntry> {
    return homeEntriesIn(this.manifest(snapshotId));
  }

  /** In pieces of a hole's size at most, and of runs of zeros their lengths; `sum` is what they come to. */
  async *#contentOf(snapshotId: string, entry: HomeEntry, sum: ContentSum): AsyncGenerator<Buffer | number> {
    const name = contentNameOf(entry);
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const piece of contentIn(this.#blobOf(name))) {
        sum.add(piece);
        if (entry.pieces || typeof piece === 'number') {
          yield piece;
          continue;
        }
        rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
        for (; rest.length >= holeSize; rest = rest.subarray(holeSize)) yield withHoles(rest.subarray(0, holeSize));
      }
    } catch (error) {
      throw snapshotDamaged(snapshotId, error);
    }
    if (sum.end().sha !== entry.sha) throw snapshotDamaged(snapshotId, otherContent(name));
    if (rest.length > 0) yield withHoles(rest);
  }

  /** Rejects when all have come to an end. */
  async #keepAll(contents: readonly Content[]): Promise<number> {
    const ones = contents.filter(({ name }, index) => contents.findIndex(other => other.name === name) === index);
    for (const content of contents) if (!ones.includes(content)) await content.file.discard();
    const outcomes = await Promise.allSettled(ones.map(({ file, name }) => this.#keep(file, name)));
    for (const { file } of ones) await file.discard();
    let cost = 0;
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      cost += outcome.value;
    }
    return cost;
  }

  /** Takes a content in; what it costs, which is nothing when it is there already. */
  async #keep(content: PackedFile, name: string): Promise<number> {
    const file = this.#blobOf(name);
    const there = await stat(file).catch(() => undefined);
    // The same content is compressed to as many bytes. What is damaged is replaced.
    if (there?.isFile() && there.size === (await content.size()) && (await isWholeContent(this.#blobOf(name)))) {
      await content.discard();
      return 0;
    }
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const cost = await content.close();
    await unlessInUse(() => rename(content.file, file));
    return cost;
  }

  #manifestOf(snapshotId: string): string {
    return path.join(this.#manifests, `${snapshotId}.gz`);
  }

  #blobOf(name: string): string {
    return path.join(this.#blobs, name.slice(0, 2), name);
  }
}

/** What is all zeros by its length. */
const withHoles = (piece: Buffer) => (piece.equals(zeros.subarray(0, piece.length)) ? piece.length : piece);

interface Content {
  readonly file: PackedFile;
  readonly name: string;
}

const otherContent = (name: string) => new Error(`the content ${name} is another`);

/** For a rejected call: fine when nothing is there any more, else thrown on. */
function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

const json = (payload: Buffer): unknown => JSON.parse(payload.toString());

/** The content of a file that the base has too; entries come in one order. */
async function shaOf(known: AsyncGenerator<HomeEntry> | undefined, at: string): Promise<string> {
  for (;;) {
    const { value, done } = (await known?.next()) ?? { done: true as const, value: undefined };
    if (done) throw homeStreamBroken();
    if (value.path === at) return value.sha;
  }
}
