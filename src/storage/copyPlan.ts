import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { isInRepository, looksLikeRepository } from './repositoryFiles.ts';

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

/** What may be read, and for how long: throws when it is too much, takes too long, or was cancelled. */
export interface Allowance {
  /** Called for each file that comes along. */
  count(bytes: number): void;
  /** Called for all else that is looked at. */
  check(): void;
}

/** Where something outside of the folder, or the folder itself, comes to lie in the copy. */
interface Place {
  readonly from: string;
  readonly to: string;
}

export const inside = (name: string) => name !== '..' && !name.startsWith('../') && !name.startsWith('/');
export const isWithin = (folder: string, file: string) => file === folder || file.startsWith(`${folder}${path.sep}`);
export const joined = (...names: string[]) => names.filter(Boolean).join('/');
/** How a place in the copy is named from a folder in it. */
export const between = (folder: string, to: string) => path.posix.relative(`/${folder}`, `/${to}`) || '.';

export const someOf = (names: readonly string[]) =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;

/** What a copy of a folder has of its own, as it becomes known. */
export class CopyPlan {
  readonly root: string;
  /** Repositories and stores of objects outside of the folder that are read. */
  readonly outside = new Set<string>();
  readonly leftOut = new Set<string>();
  readonly notes: string[] = [];
  readonly settingsLeftOut: string[] = [];
  readonly worktreesLeftOut: string[] = [];
  /** Names of this folder in links, and where they lead to in the copy. */
  readonly renamed = new Map<string, string>();
  /** Repositories of the person that the folder has to do with, with their files. */
  readonly theirs: string[] = [];
  readonly allowance: Allowance;
  readonly #places: Place[];
  readonly #entries = new Map<string, OwnEntry>();

  constructor(root: string, allowance: Allowance) {
    this.root = root;
    this.allowance = allowance;
    this.#places = [{ from: root, to: '' }];
  }

  result(): OwnRepositories {
    const [settings, worktrees] = [this.settingsLeftOut, this.worktreesLeftOut];
    if (settings.length > 0)
      this.notes.push(
        `These settings of git led out of the folder and were left out: ${someOf(settings)}. Set them again in the instance where they are needed.`,
      );
    if (worktrees.length > 0) this.notes.push(`Worktrees in other folders were not copied: ${someOf(worktrees)}.`);
    const { renamed, notes } = this;
    return { entries: this.#entries, leftOut: [...this.leftOut], renamed, outside: [...this.outside], notes };
  }

  /** From now on what lies at `from` is known to come to lie at `to`. */
  settle(from: string, to: string): void {
    this.#places.push({ from, to });
  }

  isPlace(name: string): boolean {
    return this.#places.some(({ to }) => to === name);
  }

  /** Copies a tree of theirs; answers with the repositories in it, relative to it. */
  async take(from: string, place: string, isWanted: (name: string) => boolean): Promise<string[]> {
    const nested: string[] = [];
    const left = [''];
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const at = path.join(from, name);
      const seen = await stat(at).catch(() => undefined);
      if (!seen) continue;
      if (!seen.isDirectory()) {
        await this.add(joined(place, name), at);
        continue;
      }
      this.#entries.set(joined(place, name), { like: seen });
      const names = await readdir(at, { withFileTypes: true });
      if (name !== '' && looksLikeRepository(names.map(entry => entry.name))) nested.push(name);
      for (const entry of names) {
        const below = joined(name, entry.name);
        if (!isWanted(below)) continue;
        if (entry.isDirectory()) left.push(below);
        else if (entry.isFile()) await this.add(joined(place, below), path.join(at, entry.name));
        else if (entry.isSymbolicLink() && (await isInRepository(path.join(at, entry.name)))) {
          const real = await realpath(path.join(at, entry.name));
          if (this.placeOf(real) === undefined) this.outside.add(real);
          left.push(below);
        }
      }
    }
    return nested;
  }

  async add(place: string, from: string): Promise<void> {
    const like = await stat(from).catch(() => undefined);
    if (!like?.isFile()) return;
    this.allowance.count(like.size);
    this.#entries.set(place, { like, from });
  }

  async write(place: string, like: string, text: (workspace: string) => string): Promise<void> {
    if (!this.#entries.has(place)) this.leftOut.add(place);
    this.#entries.set(place, { like: await stat(like), text });
  }

  drop(place: string): void {
    this.leftOut.add(place);
    for (const name of this.#entries.keys())
      if (name === place || name.startsWith(`${place}/`)) this.#entries.delete(name);
  }

  isLeftOut(name: string): boolean {
    for (let at = name; inside(at) && at !== '.'; at = path.posix.dirname(at)) if (this.leftOut.has(at)) return true;
    return false;
  }

  /** Where it lies in the copy; undefined when it does not. */
  placeOf(real: string): string | undefined {
    let best: { length: number; to: string } | undefined;
    for (const { from, to } of this.#places) {
      const name = path.relative(from, real).replaceAll(path.sep, '/');
      if (!inside(name) || path.isAbsolute(name) || (best && best.length >= from.length)) continue;
      best = { length: from.length, to: joined(to, name) };
    }
    return best?.to;
  }

  /** Whether what lies there in the copy lies elsewhere here. */
  isMoved(place: string): boolean {
    return this.#places.some(({ to }) => to !== '' && (place === to || place.startsWith(`${to}/`)));
  }
}
