import type { Dirent } from 'node:fs';
import { lstat, opendir, readdir, realpath, stat, statfs } from 'node:fs/promises';
import * as path from 'node:path';
import { isAbsoluteOn } from '../model/absolutePath.ts';
import { folderTooLarge, invalidInput } from '../model/errors.ts';
import { mostOutside } from '../model/instance.ts';
import { isWithin, type OwnRepositories } from './copyPlan.ts';
import { ownRepositories } from './ownRepositories.ts';
import { looksLikeRepository } from './repositoryFiles.ts';

/** What is copied of a folder at most. */
export interface FolderLimits {
  readonly bytes: number;
  readonly files: number;
  /** Of what is left out by name. */
  readonly leftOut: number;
  /** How long it may take to find out. */
  readonly seconds: number;
}

export const usualLimits: FolderLimits = { bytes: 20 * 1024 ** 3, files: 1_000_000, leftOut: 200, seconds: 120 };

/** A folder as it is to be copied. */
export interface FolderSurvey {
  /** Where it really lies. */
  readonly path: string;
  /** With what its repositories have elsewhere. */
  readonly bytes: number;
  readonly files: number;
  /** Repositories elsewhere that it is a part of, which come along. */
  readonly outside: readonly string[];
  /** Sockets, pipes, devices and what the kernel makes up, relative to it; they are not copied. */
  readonly special: readonly string[];
  /** What is of this extension, relative to it; it is not copied. */
  readonly ours: readonly string[];
  /** What makes its repositories ones of their own in the copy. */
  readonly own: OwnRepositories;
}

/** Deep enough for the reserved folder of a local instance, `local/<id>--owner/reserved`. */
const depthOfOurs = 3;
const mostOfOurs = 20_000;
const filesAtOnce = 64;

/** File systems whose files the kernel makes up: proc and sysfs. */
const madeUp = new Set([0x9fa0, 0x62656572]);

/** What leads to a repository of Mercurial, Sapling or Jujutsu where that is a file. */
const pointer = /(^|\/)(\.(hg|sl)\/sharedpath|\.jj\/repo|\.jj\/repo\/store\/git_target)$/;
const namesOfPointers = new Set(['sharedpath', 'repo', 'git_target']);
const partsOfGit = new Set(['HEAD', 'objects', 'refs']);

/** Which folder it is, whatever it is called and however often it is mounted. */
const identityOf = ({ dev, ino }: { dev: bigint; ino: bigint }) => `${dev}:${ino}`;

/**
 * Looks at everything in the folder. Throws `invalidInput` for one that is not there, the whole disk, or of this
 * extension, which `places`, and every swarm's state and every instance's reserved folder are, wherever they lie;
 * `folderTooLarge` as soon as it is.
 */
export async function surveyFolder(
  folder: string,
  places: readonly string[],
  signal: AbortSignal,
  limits: FolderLimits = usualLimits,
): Promise<FolderSurvey> {
  if (!isAbsoluteOn(folder, process.platform))
    refuse(folder, 'is a path of another system than this computer’s; name the folder as it is called here');
  const root = await realpath(folder).catch(() => refuse(folder, 'cannot be found'));
  if (path.dirname(root) === root) refuse(folder, 'is the whole disk; name a folder in it');
  const ours = await identitiesOf(places);
  for (let above = root; ; above = path.dirname(above)) {
    const seen = await stat(above, { bigint: true }).catch(() => undefined);
    if ((seen && ours.has(identityOf(seen))) || (await looksLikeOurs(above)))
      refuse(folder, 'is part of the storage of this extension, which holds secrets');
    if (path.dirname(above) === above) break;
  }
  return new Walk(folder, root, ours, signal, limits).run();
}

class Walk {
  readonly #folder: string;
  readonly #root: string;
  readonly #ours: ReadonlySet<string>;
  readonly #signal: AbortSignal;
  readonly #limits: FolderLimits;
  readonly #deadline: number;
  readonly #linked = new Set<string>();
  readonly #found = { bytes: 0, files: 0, special: [] as string[], ours: [] as string[] };
  readonly #git = {
    pointing: [] as string[],
    repositories: [] as string[],
    others: [] as string[],
    links: [] as string[],
  };

  constructor(folder: string, root: string, ours: ReadonlySet<string>, signal: AbortSignal, limits: FolderLimits) {
    this.#folder = folder;
    this.#root = root;
    this.#ours = ours;
    this.#signal = signal;
    this.#limits = limits;
    this.#deadline = performance.now() + limits.seconds * 1000;
  }

  async run(): Promise<FolderSurvey> {
    const left = [{ folder: this.#root, device: -1n }];
    for (let next = left.pop(); next; next = left.pop()) {
      const seen = await lstat(next.folder, { bigint: true }).catch(() => undefined);
      if (!seen) continue;
      const { dev } = seen;
      const special = dev !== next.device && madeUp.has((await statfs(next.folder)).type);
      if (special && next.folder === this.#root) refuse(this.#folder, 'holds nothing that could be copied');
      if (special) this.#leaveOut('special', next.folder);
      else if (this.#ours.has(identityOf(seen)) || (await looksLikeOurs(next.folder)))
        this.#leaveOut('ours', next.folder);
      else left.push(...(await this.#look(next.folder)).map(folder => ({ folder, device: dev })));
    }
    const own = await ownRepositories(this.#root, this.#git, {
      count: bytes => {
        this.#found.files++;
        this.#found.bytes += bytes;
        this.#check();
      },
      check: () => this.#check(),
    });
    const outside = own.outside.filter(place => !own.outside.some(other => other !== place && isWithin(other, place)));
    if (outside.length > mostOutside)
      refuse(
        this.#folder,
        `is a part of ${outside.length} repositories elsewhere, of which at most ${mostOutside} can come along; clone it in the instance instead`,
      );
    return { path: this.#root, ...this.#found, outside, own };
  }

  /** Counts what lies in the folder; answers with the folders in it. */
  async #look(folder: string): Promise<string[]> {
    const folders: string[] = [];
    const ofGit: string[] = [];
    let files: string[] = [];
    // What cannot be read is for tar to say.
    const entries: AsyncIterable<Dirent> = await opendir(folder, { bufferSize: 512 }).catch(() => nothing());
    for await (const entry of entries) {
      const file = path.join(folder, entry.name);
      this.#found.files++;
      if (partsOfGit.has(entry.name)) ofGit.push(entry.name);
      if (entry.name === '.git' && !entry.isDirectory()) this.#git.pointing.push(this.#nameOf(folder));
      if (namesOfPointers.has(entry.name) && pointer.test(this.#nameOf(file)))
        this.#git.others.push(this.#nameOf(file));
      if (entry.isSymbolicLink()) this.#git.links.push(this.#nameOf(file));
      if (entry.isDirectory()) folders.push(file);
      else if (entry.isFile()) files.push(file);
      else if (!entry.isSymbolicLink()) this.#leaveOut('special', file);
      this.#check();
      if (files.length < filesAtOnce) continue;
      await this.#measure(files);
      files = [];
    }
    await this.#measure(files);
    if (looksLikeRepository(ofGit)) this.#git.repositories.push(this.#nameOf(folder));
    return folders;
  }

  async #measure(files: readonly string[]): Promise<void> {
    const all = await Promise.all(files.map(file => lstat(file, { bigint: true }).catch(() => undefined)));
    for (const seen of all) {
      if (!seen) continue;
      // Of several names for one file tar copies the content once.
      if (seen.nlink > 1n && this.#linked.has(identityOf(seen))) continue;
      if (seen.nlink > 1n) this.#linked.add(identityOf(seen));
      this.#found.bytes += Number(seen.size);
    }
    this.#check();
  }

  #leaveOut(what: 'special' | 'ours', file: string): void {
    this.#found[what].push(this.#nameOf(file));
  }

  /** In the copy, in which all names have slashes. */
  #nameOf(file: string): string {
    return path.relative(this.#root, file).replaceAll(path.sep, '/');
  }

  #check(): void {
    this.#signal.throwIfAborted();
    const { bytes, files, special, ours } = this.#found;
    const limits = this.#limits;
    const late = performance.now() > this.#deadline;
    const tooMany = special.length + ours.length > limits.leftOut;
    if (bytes <= limits.bytes && files <= limits.files && !late && !tooMany) return;
    throw folderTooLarge(this.#folder, { bytes, files, special: special.length }, limits);
  }
}

async function* nothing() {}

function refuse(folder: string, why: string): never {
  throw invalidInput('The source', [`source.path: ${folder} ${why}`]);
}

/** The places and what is in them, as deep as secrets lie. */
async function identitiesOf(places: readonly string[]): Promise<Set<string>> {
  const known = new Set<string>();
  let level = [...places];
  for (let depth = 0; depth <= depthOfOurs && known.size < mostOfOurs; depth++) {
    const below: string[] = [];
    for (const place of level) {
      const seen = await stat(place, { bigint: true }).catch(() => undefined);
      if (!seen?.isDirectory() || known.has(identityOf(seen))) continue;
      known.add(identityOf(seen));
      for (const entry of await readdir(place, { withFileTypes: true }).catch(() => []))
        if (entry.isDirectory()) below.push(path.join(place, entry.name));
    }
    level = below;
  }
  return known;
}

/** A swarm's state, or the reserved folder of an instance: of another window's profile, editor or provider. */
async function looksLikeOurs(folder: string): Promise<boolean> {
  const has = (...names: string[]) =>
    Promise.all(names.map(name => lstat(path.join(folder, name)))).then(
      () => true,
      () => false,
    );
  return (
    (await has('swarm.json', 'instances')) ||
    (await has('swarm.json', 'local')) ||
    (await has('token', 'instance.json'))
  );
}
