import type { Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { invalidInput } from '../model/errors.ts';
import { editedConfig, type GitSetting } from './gitConfigText.ts';

/** What a walk through a folder saw that can lead out of it. Names are relative to the folder, with slashes. */
export interface GitFindings {
  /** Folders with a `.git` that is a file or a link. */
  readonly pointing: readonly string[];
  /** Folders with what a repository of git has in it. */
  readonly repositories: readonly string[];
  readonly links: readonly string[];
}

/** One thing that the copy has beside, or in place of, what lies in the folder. */
export interface OwnEntry {
  readonly like: Stats;
  /** `text`: what is in it, in a copy that lies at `workspace`. `from`: the file that it is a copy of. Neither: a folder. */
  readonly text?: (workspace: string) => string;
  readonly from?: string;
}

/** How a folder becomes one that stands for itself. */
export interface OwnRepositories {
  /** By the name in the copy; a folder comes before what is in it. */
  readonly entries: ReadonlyMap<string, OwnEntry>;
  /** What is not taken over as it lies there. */
  readonly leftOut: readonly string[];
  /** Names of this folder in links, and where they lead to in the copy. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Repositories and stores of objects outside of the folder that are read. */
  readonly outside: readonly string[];
  /** What the copy lacks, and what helps. */
  readonly notes: readonly string[];
}

/** Called for each file of theirs: throws when it is too much. */
export type Count = (bytes: number) => void;

/** Where something outside of the folder, or the folder itself, comes to lie in the copy. */
interface Place {
  readonly from: string;
  readonly to: string;
}

/** What each worktree has for itself, in git's own list, and what is of no use elsewhere. */
const ofOneWorktree =
  /^(worktrees|modules|HEAD|[A-Z_]+_HEAD|AUTO_MERGE|(MERGE|SQUASH|COMMIT|BISECT)_\w+|(shared)?index(\..*)?|config\.worktree|commondir|gitdir|gc\.pid|(rebase|sequencer|fsmonitor)[^/]*|info\/sparse-checkout|logs\/HEAD|(logs\/)?refs\/(bisect|worktree|rewritten))(\/|$)/;
/** What no copy needs. */
const neverTaken = /(^|\/)([^/]*\.lock|commondir|gitdir|gc\.pid|fsmonitor--daemon[^/]*)$|^worktrees(\/|$)/;
const looseFolder = /^[0-9a-f]{2}$/;
const looseObject = /^[0-9a-f]{38,62}$/;
const packFile = /^pack-[0-9a-f]+\.(pack|idx|rev|promisor|keep|mtimes)$/;

/** Settings whose values are names of files. */
const fileSettings = new Set([
  ...['core.worktree', 'core.hookspath', 'core.excludesfile', 'core.attributesfile', 'core.fsmonitor'],
  ...['commit.template', 'include.path', 'includeif.path', 'lfs.storage', 'mailmap.file', 'blame.ignorerevsfile'],
]);

const inside = (name: string) => name !== '..' && !name.startsWith('../') && !name.startsWith('/');
const joined = (...names: string[]) => names.filter(Boolean).join('/');
/** How a place in the copy is named from a folder in it. */
const between = (folder: string, to: string) => path.posix.relative(`/${folder}`, `/${to}`) || '.';

/**
 * What has to be different in a copy of `root` so that nothing of git in it leads back here. What a repository has
 * outside of the folder comes along: the same commits, index and unfinished work. Reads `root` and what it leads to, and
 * runs nothing.
 */
export async function ownRepositories(root: string, findings: GitFindings, count: Count): Promise<OwnRepositories> {
  const plan = new Plan(root, count);
  const byDepth = [...findings.pointing].sort((a, b) => a.length - b.length);
  try {
    for (const folder of byDepth) await plan.bringIn(folder);
    await plan.bringInLinked(findings);
    for (const folder of findings.repositories) await plan.mend(folder);
    await plan.settleEnclosing(findings);
    await plan.settleLinks(findings.links);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw invalidInput('The source', [
      `source.path: ${root} is a part of a repository that this user can't read: ${error.message}. Clone it instead, or ask for the right to read it`,
    ]);
  }
  return plan.result();
}

class Plan {
  readonly #root: string;
  readonly #count: Count;
  readonly #places: Place[];
  readonly #entries = new Map<string, OwnEntry>();
  readonly #leftOut = new Set<string>();
  readonly #outside = new Set<string>();
  readonly #notes: string[] = [];
  readonly #settingsLeftOut: string[] = [];
  readonly #worktreesLeftOut: string[] = [];
  readonly #renamed = new Map<string, string>();
  /** Repositories of the person that the folder has to do with, with their files. */
  readonly #theirs: string[] = [];

  constructor(root: string, count: Count) {
    this.#root = root;
    this.#count = count;
    this.#places = [{ from: root, to: '' }];
  }

  result(): OwnRepositories {
    const settings = this.#settingsLeftOut;
    const worktrees = this.#worktreesLeftOut;
    if (settings.length > 0)
      this.#notes.push(
        `These settings of git led out of the folder and were left out: ${someOf(settings)}. Set them again in the instance where they are needed.`,
      );
    if (worktrees.length > 0) this.#notes.push(`Worktrees in other folders were not copied: ${someOf(worktrees)}.`);
    return {
      entries: this.#entries,
      leftOut: [...this.#leftOut],
      renamed: this.#renamed,
      outside: [...this.#outside],
      notes: this.#notes,
    };
  }

  /** Makes a repository of its own in `folder`, whose `.git` leads to another place. */
  async bringIn(folder: string): Promise<void> {
    const at = path.join(this.#root, folder, '.git');
    const place = joined(folder, '.git');
    const found = await pointed(at);
    const to = found?.isRepository ? this.#placeOf(found.real) : undefined;
    // A link is told of with the others; a file that leads nowhere is not git's.
    if (found === undefined) return;
    if (!found.isRepository) {
      if (found.isLink) return;
      this.#leftOut.add(place);
      this.#notes.push(
        `${place} leads to ${found.named}, where no repository is, and was left out: git knows nothing of this folder in the instance. Run "git worktree repair" in its main repository, or clone it anew, and create the instance again.`,
      );
    } else if (to === undefined) {
      this.#leftOut.add(place);
      await this.#compose(found.real, place);
    } else if (!found.isLink) {
      const relative = !path.isAbsolute(found.named) && inside(path.posix.normalize(joined(folder, found.named)));
      if (!relative || this.#isMoved(to)) await this.#write(place, at, () => `gitdir: ${between(folder, to)}\n`);
    }
  }

  /** Takes along what a repository in the folder has by links to another one. */
  async bringInLinked({ links, repositories }: GitFindings): Promise<void> {
    for (const link of links) {
      if (this.#isLeftOut(link)) continue;
      const owner = repositories.find(folder => link.startsWith(`${folder}/`));
      if (owner === undefined || link.startsWith(`${owner}/hooks/`)) continue;
      const real = await realpath(path.join(this.#root, link)).catch(() => undefined);
      if (real === undefined || this.#placeOf(real) !== undefined || !(await isInRepository(real))) continue;
      this.#leftOut.add(link);
      this.#outside.add(real);
      this.#places.push({ from: real, to: link });
      await this.#take(real, link, () => true);
    }
  }

  /** Tells of the repository that the folder is only a part of. */
  async settleEnclosing({ pointing, repositories }: GitFindings): Promise<void> {
    if (pointing.includes('') || repositories.includes('.git') || repositories.includes('')) return;
    for (let above = path.dirname(this.#root); ; above = path.dirname(above)) {
      if (await exists(path.join(above, '.git'))) {
        this.#theirs.push(above);
        this.#notes.push(
          `The folder is a part of the repository ${above}, which was not copied: git knows nothing of it in the instance. Copy ${above} to have it there.`,
        );
        return;
      }
      if (path.dirname(above) === above) return;
    }
  }

  /** Lets no link lead back into the folder, or into the repository that it comes from; tells of those that lead elsewhere. */
  async settleLinks(links: readonly string[]): Promise<void> {
    const [back, away]: [string[], string[]] = [[], []];
    for (const link of links) {
      if (this.#isLeftOut(link)) continue;
      const at = path.join(this.#root, link);
      const target = await readlink(at).catch(() => undefined);
      if (target === undefined) continue;
      const said = `${link} -> ${target}`;
      if (!path.isAbsolute(target)) {
        if (!inside(path.posix.normalize(joined(path.posix.dirname(link), target)))) away.push(said);
        continue;
      }
      if (await this.#isRenamed(target)) continue;
      const real = await realOf(target);
      if (this.#theirs.some(folder => isWithin(folder, real) || isWithin(folder, target))) {
        this.#leftOut.add(link);
        back.push(said);
      } else away.push(said);
    }
    if (back.length > 0)
      this.#notes.push(
        `Links into the repository that the folder comes from were left out, so that nothing in the instance changes it: ${someOf(back)}. Put files of its own there.`,
      );
    if (away.length > 0)
      this.#notes.push(
        `Links that lead out of the folder were copied as they are, without what they lead to: ${someOf(away)}.`,
      );
  }

  /** Whether a link's target is in the folder; then the name that it has for it is known from now on. */
  async #isRenamed(target: string): Promise<boolean> {
    for (const name of this.#renamed.keys()) if (isWithin(name, target)) return true;
    const names = target.split('/');
    for (let count = 2; count <= names.length; count++) {
      const above = names.slice(0, count).join('/');
      const real = isWithin(this.#root, above) ? above : await realpath(above).catch(() => undefined);
      if (real === undefined) return false;
      if (!isWithin(this.#root, real)) continue;
      this.#renamed.set(above, path.relative(this.#root, real));
      return true;
    }
    return false;
  }

  /** Lets nothing in a repository that lies in the folder lead out of it. */
  async mend(folder: string): Promise<void> {
    if (this.#isLeftOut(folder)) return;
    const at = path.join(this.#root, folder);
    await this.#mendAt(at, at, folder);
    const worktrees = await readdir(path.join(at, 'worktrees')).catch(() => []);
    for (const name of worktrees) await this.#mendWorktree(path.join(at, 'worktrees', name), folder, name);
  }

  /** What a repository knows of one of its worktrees. */
  async #mendWorktree(at: string, repository: string, name: string): Promise<void> {
    const place = joined(repository, 'worktrees', name);
    const [gitdir, commondir] = await Promise.all([
      textOf(path.join(at, 'gitdir')),
      textOf(path.join(at, 'commondir')),
    ]);
    if (gitdir === undefined) return;
    const named = gitdir.trimEnd();
    const real = await realpath(path.resolve(at, named)).catch(() => undefined);
    const to = real === undefined ? undefined : this.#placeOf(path.dirname(real));
    if (real === undefined || to === undefined) {
      this.#leftOut.add(place);
      this.#worktreesLeftOut.push(path.dirname(named));
      return;
    }
    if (path.isAbsolute(named)) {
      const text = (workspace: string) => `${joined(workspace, to)}/.git\n`;
      await this.#write(`${place}/gitdir`, path.join(at, 'gitdir'), text);
    }
    if (commondir !== undefined && path.isAbsolute(commondir.trimEnd()))
      await this.#write(`${place}/commondir`, path.join(at, 'commondir'), () => `${between(place, repository)}\n`);
    await this.#mendConfig(path.join(at, 'config.worktree'), joined(place, 'config.worktree'), at, place);
  }

  /** One repository out of what several worktrees share and of what this one has for itself. */
  async #compose(own: string, place: string): Promise<void> {
    const common = await commonOf(own);
    const isShared = common !== own;
    this.#outside.add(common);
    // With its files, and with those of what it is a submodule of.
    const [top = common] = common.split(`${path.sep}.git`);
    this.#theirs.push(top);
    if (isShared) {
      let isTable = false;
      editedConfig((await textOf(path.join(common, 'config'))) ?? '', ({ section, name, value }) => {
        isTable ||= section === 'extensions' && name === 'refstorage' && value !== 'files';
        return value;
      });
      if (isTable) {
        this.#notes.push(
          `${place} was left out: the repository ${common} keeps its branches as a reftable, of which no part can be copied. Run "git refs migrate --ref-format=files" there and create the instance again, or clone it.`,
        );
        return;
      }
      await this.#take(common, place, name => !ofOneWorktree.test(name) && !neverTaken.test(name));
      this.#places.push({ from: common, to: place });
    }
    const nested = await this.#take(own, place, name => !neverTaken.test(name));
    this.#places.push({ from: own, to: place });
    await this.#mendAt(common, own, place);
    for (const name of nested) await this.#mendAt(path.join(own, name), path.join(own, name), joined(place, name));
  }

  async #mendAt(common: string, own: string, place: string): Promise<void> {
    await this.#mendConfig(path.join(common, 'config'), joined(place, 'config'), common, place);
    await this.#mendConfig(path.join(own, 'config.worktree'), joined(place, 'config.worktree'), own, place);
    await this.#borrow(path.join(common, 'objects'), joined(place, 'objects'));
  }

  /** Takes what a repository borrows of another one's objects. */
  async #borrow(objects: string, place: string): Promise<void> {
    const file = path.join(objects, 'info', 'alternates');
    const seen = new Set([objects]);
    const kept: string[] = [];
    let hasBorrowed = false;
    const borrow = async (from: string, isFirst: boolean) => {
      const text = await textOf(path.join(from, 'info', 'alternates'));
      for (const line of text?.split('\n') ?? []) {
        if (line === '' || line.startsWith('#')) continue;
        const real = await realpath(path.resolve(from, line)).catch(() => undefined);
        if (real === undefined) {
          this.#notes.push(
            `${place} borrows objects of ${line}, which is not there: parts of its history are missing in the instance, as they are here.`,
          );
          continue;
        }
        const to = this.#placeOf(real);
        if (to !== undefined) kept.push(between(place, to));
        if (to !== undefined || seen.has(real)) continue;
        seen.add(real);
        hasBorrowed = true;
        this.#outside.add(real);
        await this.#takeObjects(real, place, objects);
        await borrow(real, false);
      }
      return isFirst ? text : undefined;
    };
    const text = await borrow(objects, true);
    if (text === undefined) return;
    if (kept.length > 0) {
      const own = `${[...new Set(kept)].join('\n')}\n`;
      if (own !== text) await this.#write(joined(place, 'info/alternates'), file, () => own);
    } else this.#drop(joined(place, 'info/alternates'));
    // It may name parts that only the lender has.
    if (hasBorrowed && (await exists(path.join(objects, 'info', 'commit-graphs'))))
      this.#drop(joined(place, 'info/commit-graphs'));
  }

  async #takeObjects(from: string, place: string, existing: string): Promise<void> {
    for (const folder of await readdir(from)) {
      const wanted = looseFolder.test(folder) ? looseObject : folder === 'pack' ? packFile : undefined;
      if (wanted === undefined) continue;
      for (const name of await readdir(path.join(from, folder))) {
        if (!wanted.test(name) || (await exists(path.join(existing, folder, name)))) continue;
        await this.#add(joined(place, folder, name), path.join(from, folder, name));
      }
    }
  }

  async #mendConfig(file: string, place: string, at: string, repository: string): Promise<void> {
    const text = await textOf(file);
    if (text === undefined) return;
    const isBroughtIn = this.#places.some(({ to }) => to === repository);
    const leftOut: string[] = [];
    /** Where the copy lies is not known yet; what is left out is the same everywhere. */
    const own = (workspace: string) =>
      editedConfig(text, setting => {
        const name = `${setting.section}.${setting.name}`;
        // Its own folder is where it lies now, and it is the only one.
        if (isBroughtIn && /^(core\.(worktree|bare)|extensions\.relativeworktrees)$/.test(name)) return undefined;
        const settled = this.#settled(setting, at, repository, workspace);
        if (settled === undefined) leftOut.push(shown(setting));
        return settled;
      });
    if (own('/') === text) return;
    this.#settingsLeftOut.push(...leftOut);
    await this.#write(place, file, own);
  }

  /** The value of a setting in a copy at `workspace`; undefined when it leads out of it. */
  #settled(setting: GitSetting, at: string, repository: string, workspace: string): string | undefined {
    const { section, subsection, name, value } = setting;
    const key = `${section}.${name}`;
    const isAddress =
      (section === 'remote' && (name === 'url' || name === 'pushurl')) || (section === 'submodule' && name === 'url');
    const isBase = section === 'url';
    const named = isBase ? subsection : value;
    if (isAddress || isBase ? !isLocalAddress(named) : !fileSettings.has(key) || /^~/.test(named)) return value;
    const bare = named.replace(/^file:\/\/(localhost)?/, '');
    const isOfRepository = key === 'core.worktree' || key === 'lfs.storage' || section.startsWith('include');
    const top = path.basename(at) === '.git' && !isOfRepository ? path.dirname(at) : at;
    const to = this.#placeOf(path.resolve(top, bare));
    const topPlace = top === at ? repository : path.posix.dirname(repository);
    if (to !== undefined && !isBase) {
      const isSame = !path.isAbsolute(bare) && path.posix.normalize(joined(topPlace, bare)) === (to || '.');
      return isSame ? value : key === 'core.worktree' ? between(repository, to) : joined(workspace, to);
    }
    return undefined;
  }

  /** Copies a tree of theirs; answers with the repositories in it, relative to it. */
  async #take(from: string, place: string, isWanted: (name: string) => boolean): Promise<string[]> {
    const nested: string[] = [];
    const left = [''];
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const at = path.join(from, name);
      const seen = await stat(at).catch(() => undefined);
      if (!seen) continue;
      if (!seen.isDirectory()) {
        await this.#add(joined(place, name), at);
        continue;
      }
      this.#entries.set(joined(place, name), { like: seen });
      const names = await readdir(at, { withFileTypes: true });
      if (name !== '' && looksLikeRepository(names.map(entry => entry.name))) nested.push(name);
      for (const entry of names) {
        const below = joined(name, entry.name);
        if (!isWanted(below)) continue;
        if (entry.isDirectory()) left.push(below);
        else if (entry.isFile()) await this.#add(joined(place, below), path.join(at, entry.name));
        else if (entry.isSymbolicLink() && (await isInRepository(path.join(at, entry.name)))) left.push(below);
      }
    }
    return nested;
  }

  async #add(place: string, from: string): Promise<void> {
    const like = await stat(from).catch(() => undefined);
    if (!like?.isFile()) return;
    this.#count(like.size);
    this.#entries.set(place, { like, from });
  }

  async #write(place: string, like: string, text: (workspace: string) => string): Promise<void> {
    if (!this.#entries.has(place)) this.#leftOut.add(place);
    this.#entries.set(place, { like: await stat(like), text });
  }

  #drop(place: string): void {
    this.#leftOut.add(place);
    for (const name of this.#entries.keys())
      if (name === place || name.startsWith(`${place}/`)) this.#entries.delete(name);
  }

  #isLeftOut(name: string): boolean {
    for (let at = name; inside(at) && at !== '.'; at = path.posix.dirname(at)) if (this.#leftOut.has(at)) return true;
    return false;
  }

  /** Where it lies in the copy; undefined when it does not. */
  #placeOf(real: string): string | undefined {
    let best: { length: number; to: string } | undefined;
    for (const { from, to } of this.#places) {
      const name = path.relative(from, real).replaceAll(path.sep, '/');
      if (!inside(name) || path.isAbsolute(name) || (best && best.length >= from.length)) continue;
      best = { length: from.length, to: joined(to, name) };
    }
    return best?.to;
  }

  /** Whether what lies there in the copy lies elsewhere here. */
  #isMoved(place: string): boolean {
    return this.#places.some(({ to }) => to !== '' && (place === to || place.startsWith(`${to}/`)));
  }
}

/** Where a `.git` leads that is a link or a file with a place in it. */
async function pointed(at: string) {
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

async function commonOf(own: string): Promise<string> {
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

async function isInRepository(at: string): Promise<boolean> {
  const real = await realpath(at).catch(() => undefined);
  for (let above = real; above !== undefined; above = path.dirname(above)) {
    if (looksLikeRepository(await readdir(above).catch(() => []))) return true;
    if (path.dirname(above) === above) break;
  }
  return false;
}

const shown = ({ section, subsection, name, value }: GitSetting) =>
  section === 'url' ? `url.${subsection}` : `${[section, subsection, name].filter(Boolean).join('.')} = ${value}`;

/** Whether git takes it for a place in the file system. */
function isLocalAddress(address: string): boolean {
  if (/^file:\/\//i.test(address) || path.isAbsolute(address)) return true;
  if (address.includes('://') || address.includes('::')) return false;
  const [beforeSlash = ''] = address.split('/');
  return address !== '' && !beforeSlash.includes(':');
}

/** Small text files of git; undefined for one that is not there, or no file. */
async function textOf(file: string): Promise<string | undefined> {
  const seen = await stat(file).catch(() => undefined);
  if (!seen?.isFile() || seen.size > 1_000_000) return undefined;
  return readFile(file, 'utf8');
}

/** Where it really lies, as far as it is there. */
async function realOf(file: string): Promise<string> {
  const above = path.dirname(file);
  if (above === file) return file;
  return realpath(file).catch(async () => path.join(await realOf(above), path.basename(file)));
}

const isWithin = (folder: string, file: string) => file === folder || file.startsWith(`${folder}${path.sep}`);

const exists = (file: string) =>
  lstat(file).then(
    () => true,
    () => false,
  );

const someOf = (names: readonly string[]) =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
