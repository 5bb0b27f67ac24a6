import * as fs from 'node:fs';
import * as path from 'node:path';
import { stateUnmovable } from '../model/machineErrors.ts';
import type { MachineIdentity } from '../model/machineIdentity.ts';
import { claimFileOf, hindranceOf, readClaim } from './fileStateClaim.ts';
import { copyOf, type MoveMarker, markerOf, readMarker } from './moveMarker.ts';

/** A swarm's state by its directory, and who wants it moved. */
export interface StateMove {
  /** Names of what lies in the directory; the first one makes it hold a state, and is moved last. */
  readonly entries: readonly string[];
  readonly machine: MachineIdentity;
}

/** Throws `stateUnmovable` unless the state can be moved; changes nothing. */
export function assertMovable(move: StateMove, from: string, to: string): void {
  assertApart(from, to);
  assertFree(move, from, to);
}

/** Throws `stateUnmovable` when the directories are one, by whatever paths, or one lies in the other. */
export function assertApart(from: string, to: string): void {
  const problem = nearness(from, to);
  if (problem !== undefined) throw stateUnmovable(from, to, problem);
}

/** How the directories are not apart. */
export function nearness(from: string, to: string): string | undefined {
  const [old, next] = [realPathOf(from), realPathOf(to)];
  if (isSame(old, next)) return 'both are the same directory';
  const isInside = [...upFrom(next)].some(at => isSame(at, old)) || [...upFrom(old)].some(at => isSame(at, next));
  return isInside ? 'one of them lies in the other' : undefined;
}

/** Throws `stateUnmovable` when something in the new directory has a name that the move writes, and it is not the move's. */
export function assertFree({ entries, machine }: StateMove, from: string, to: string): void {
  // What lies there is looked for first: a move under way in another window only adds to its marker.
  const there = entries.filter(entry => isThere(path.join(to, entry)));
  const copies = entries.map(entry => copyOf(to, entry)).filter(isThere);
  const marker = markerHere(from, to);
  if (marker && marker.from !== from) throw stateUnmovable(from, to, `that of ${marker.from} is being moved there`);
  for (const entry of there)
    if (!marker?.copied.includes(entry)) throw stateUnmovable(from, to, alreadyThere(path.join(to, entry)));
  for (const copy of marker ? [] : copies) throw stateUnmovable(from, to, alreadyThere(copy));
  const claim = readClaim(to);
  if (claim !== undefined && hindranceOf(claim, machine)?.why === 'elsewhere')
    throw stateUnmovable(from, to, alreadyThere(claimFileOf(to)));
}

/** Also of a link that leads nowhere. */
export const isThere = (file: string) => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;

export const alreadyThere = (file: string) => `${file} is there already, and not from this move`;

function markerHere(from: string, to: string): MoveMarker | undefined {
  try {
    return readMarker(to);
  } catch {
    throw stateUnmovable(from, to, alreadyThere(markerOf(to)));
  }
}

/** With what is not there yet as it would be made. */
function realPathOf(directory: string): string {
  for (const at of upFrom(path.resolve(directory))) {
    try {
      return path.join(fs.realpathSync(at), path.relative(at, path.resolve(directory)));
    } catch {
      // The one above tells.
    }
  }
  return path.resolve(directory);
}

/** The directory, and each that it lies in. */
function* upFrom(directory: string): Generator<string> {
  for (let at = directory; ; at = path.dirname(at)) {
    yield at;
    if (at === path.dirname(at)) return;
  }
}

/** Letters may be equal that are written in another way, and a directory mounted twice. */
function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map(file => fs.statSync(file, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino !== 0n && a.dev === b.dev && a.ino === b.ino;
}
