import * as fs from 'node:fs';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stateUnavailable, swarmBusy } from '../model/errors.ts';
import { stateUnmovable } from '../model/machineErrors.ts';
import type { MachineIdentity } from '../model/machineIdentity.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { refusalOf } from '../model/stateHindrance.ts';
import { alreadyThere, assertApart, assertFree, isThere, nearness, type StateMove } from './assertMovable.ts';
import { unlessInUseSync } from './fileInUse.ts';
import { type ClaimFile, claimFileOf, hindranceOf, machineWord, readClaim, writeClaim } from './fileStateClaim.ts';
import { LockFile } from './lockFile.ts';
import { LockJudge } from './lockJudge.ts';
import { copyOf, markerOf, readMarker, writeMarker } from './moveMarker.ts';

/** Milliseconds to wait for the work of other windows. */
const patience = 30_000;

const moverOf = (directory: string) => path.join(directory, 'locks', 'moving.lock');

/**
 * Moves a swarm's state. From the moment the old directory says so (`machine.json`), no lock in it can be proven, in no
 * window: nothing is written there any more, and nothing that was is lost. Throws `swarmBusy`, with all as it was, when
 * other windows work on instances and do not come to an end; and `stateUnmovable` before anything in the new directory goes that is not the move's
 * own. What is cut off is gone on with, or taken back, by {@link settleMove}; all of it can be done twice.
 */
export async function moveState(move: StateMove, from: string, to: string, ctx: OperationContext): Promise<void> {
  assertApart(from, to);
  const { entries, machine } = move;
  const judge = judgeOf(machine);
  await alone(from, judge, ctx, async lock => {
    const before = readClaim(from);
    const hindrance = before === undefined ? undefined : hindranceOf(before, machine);
    if (hindrance && before?.moving?.to !== to) throw refusalOf(hindrance);
    if (before?.moving?.done) return finish(entries, from, to, lock);
    assertFree(move, from, to);
    const open: ClaimFile = { schemaVersion: 1, machine, since: before?.since ?? new Date().toISOString() };
    await untilIdle(from, judge, ctx);
    await mkdir(to, { recursive: true, mode: 0o700 }).catch(error => {
      throw stateUnavailable(to, error);
    });
    assertFree(move, from, to);
    writeMarker(to, { from, copied: readMarker(to)?.copied ?? [] });
    ctx.report('marked');
    replaceClaim(from, { ...open, moving: { to, done: false } }, lock);
    ctx.report('closed');
    if (await isBusy(from, judge)) {
      // Somebody was quicker than the claim: what has begun there comes to its end first.
      await takeBack(entries, from, to, open, lock);
      throw swarmBusy();
    }
    for (const entry of present(entries, from).toReversed()) {
      await copyEntry(entry, from, to, lock);
      ctx.report(`copied ${entry}`);
    }
    // Appended without a lock, perhaps until a moment after the directory was closed.
    if (fs.existsSync(path.join(from, 'audit'))) await copyEntry('audit', from, to, lock);
    assertFree(move, from, to);
    replaceClaim(to, { schemaVersion: 1, machine, since: new Date().toISOString() }, lock);
    ctx.report('claimed');
    replaceClaim(from, { ...open, moving: { to, done: true } }, lock);
    ctx.report('moved');
    await finish(entries, from, to, lock);
  });
}

/**
 * To be awaited before a state directory is opened: a move to it that was cut off is gone on with, one away from it is
 * taken back, and one that is under way is waited for.
 */
export async function settleMove(move: StateMove, directory: string, ctx: OperationContext): Promise<void> {
  const marker = readMarker(directory);
  if (marker) {
    const { from } = marker;
    if (fs.existsSync(from)) return moveState(move, from, directory, ctx);
    throw stateUnavailable(from, new Error(`it is not there, and was being moved to ${directory}`));
  }
  if (!readClaim(directory)?.moving || readClaim(directory)?.moving?.done) return;
  await alone(directory, judgeOf(move.machine), ctx, async lock => {
    const { moving, ...open } = readClaim(directory) ?? {};
    if (moving && !moving.done) await takeBack(move.entries, directory, moving.to, open as ClaimFile, lock);
  });
}

/** The copies go before the claim: whoever opens the new directory meanwhile finds its marker, and waits. */
async function takeBack(
  entries: readonly string[],
  from: string,
  to: string,
  open: ClaimFile,
  lock: LockFile,
): Promise<void> {
  const marker = readMarker(to);
  // Where the directories are not apart, what was brought to the new one may be what is in the old one.
  const isApart = nearness(from, to) === undefined;
  if (marker?.from === from) {
    const copied = entries.filter(entry => marker.copied.includes(entry)).map(entry => path.join(to, entry));
    for (const copy of isApart ? [...copied, ...entries.map(entry => copyOf(to, entry))] : []) {
      lock.assertHeld();
      await rm(copy, { recursive: true, force: true });
    }
    lock.assertHeld();
    const claim = readClaim(to);
    if (isApart && claim && claim.moving === undefined) await rm(claimFileOf(to), { force: true });
    await rm(markerOf(to), { force: true });
  }
  replaceClaim(from, open, lock);
}

async function finish(entries: readonly string[], from: string, to: string, lock: LockFile): Promise<void> {
  for (const entry of present(entries, from)) {
    lock.assertHeld();
    await rm(path.join(from, entry), { recursive: true, force: true });
  }
  lock.assertHeld();
  if (readMarker(to)?.from === from) await rm(markerOf(to), { force: true });
}

async function copyEntry(entry: string, from: string, to: string, lock: LockFile): Promise<void> {
  const [target, copy] = [path.join(to, entry), copyOf(to, entry)];
  await rm(copy, { recursive: true, force: true });
  await cp(path.join(from, entry), copy, { recursive: true, preserveTimestamps: true });
  lock.assertHeld();
  const { copied = [] } = readMarker(to) ?? {};
  if (!copied.includes(entry)) {
    if (isThere(target)) throw stateUnmovable(from, to, alreadyThere(target));
    writeMarker(to, { from, copied: [...copied, entry] });
  }
  fs.rmSync(target, { recursive: true, force: true });
  unlessInUseSync(() => fs.renameSync(copy, target));
}

const present = (entries: readonly string[], directory: string) =>
  entries.filter(entry => fs.existsSync(path.join(directory, entry)));

function replaceClaim(directory: string, claim: ClaimFile, lock: LockFile): void {
  lock.assertHeld();
  for (let tries = 0; tries < 3; tries++) if (writeClaim(directory, claim, readClaim(directory))) return;
  throw stateUnavailable(directory, new Error('machine.json changes again and again'));
}

/** Of the locks in a directory that may just not be anybody's to change. */
const judgeOf = (machine: MachineIdentity) => new LockJudge({ machine: machineWord(machine), assertOurs: () => {} });

/** Runs `work` while no other process moves what lies in the directory. One that does is waited for while it lives. */
async function alone(
  directory: string,
  judge: LockJudge,
  ctx: OperationContext,
  work: (lock: LockFile) => Promise<void>,
): Promise<void> {
  fs.mkdirSync(path.dirname(moverOf(directory)), { recursive: true, mode: 0o700 });
  for (;;) {
    ctx.signal.throwIfAborted();
    const lock = LockFile.take(moverOf(directory), 'moving', undefined, judge);
    if (lock) {
      try {
        return await work(lock);
      } finally {
        lock.release();
      }
    }
    await sleep(100);
  }
}

async function untilIdle(directory: string, judge: LockJudge, ctx: OperationContext): Promise<void> {
  const deadline = performance.now() + patience;
  while (await isBusy(directory, judge)) {
    ctx.signal.throwIfAborted();
    if (performance.now() > deadline) throw swarmBusy();
    await sleep(200);
  }
}

/** Whether any window holds a lock there beside the observer's: it works on an instance, as a migration does. */
async function isBusy(directory: string, judge: LockJudge): Promise<boolean> {
  const locks = path.join(directory, 'locks');
  const names = await readdir(locks).catch(() => []);
  const others = names.filter(name => name.endsWith('.lock') && name !== 'observer.lock' && name !== 'moving.lock');
  return others.some(name => LockFile.isHeld(path.join(locks, name), undefined, judge));
}
