import * as fs from 'node:fs';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { stateUnavailable, swarmBusy } from '../model/errors.ts';
import type { MachineIdentity } from '../model/machineIdentity.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { refusalOf } from '../model/stateHindrance.ts';
import { type ClaimFile, claimFileOf, hindranceOf, machineWord, readClaim, writeClaim } from './fileStateClaim.ts';
import { LockFile } from './lockFile.ts';
import { LockJudge } from './lockJudge.ts';

/** What `moving-from.json` in the new directory holds as long as not everything is there: no identity is made beside it. */
export const MoveFile = z.strictObject({
  from: z.string().min(1),
  /** What was brought from there up to now, or is about to be. */
  copied: z.array(z.string()),
});
type MoveFile = z.infer<typeof MoveFile>;

/** Milliseconds to wait for the work of other windows. */
const patience = 30_000;

/** A swarm's state by its directory, and who wants it moved. */
export interface StateMove {
  /** Names of what lies in the directory; the first one makes it hold a state, and is moved last. */
  readonly entries: readonly string[];
  readonly machine: MachineIdentity;
}

const markerOf = (directory: string) => path.join(directory, 'moving-from.json');
const moverOf = (directory: string) => path.join(directory, 'locks', 'moving.lock');
const copyOf = (directory: string, entry: string) => path.join(directory, `.${entry}.moving`);

/**
 * Moves a swarm's state. From the moment the old directory says so (`machine.json`), no lock in it can be proven, in no
 * window: nothing is written there any more, and nothing that was is lost. Throws `swarmBusy`, with all as it was, when
 * other windows work on instances and do not come to an end. What is cut off is gone on with, or taken back, by
 * {@link settleMove}; all of it can be done twice.
 */
export async function moveState(
  { entries, machine }: StateMove,
  from: string,
  to: string,
  ctx: OperationContext,
): Promise<void> {
  const judge = judgeOf(machine);
  await alone(from, judge, ctx, async lock => {
    const before = readClaim(from);
    const hindrance = before === undefined ? undefined : hindranceOf(before, machine);
    if (hindrance && before?.moving?.to !== to) throw refusalOf(hindrance);
    if (before?.moving?.done) return finish(entries, from, to, lock);
    const open: ClaimFile = { schemaVersion: 1, machine, since: before?.since ?? new Date().toISOString() };
    await untilIdle(from, judge, ctx);
    await mkdir(to, { recursive: true, mode: 0o700 });
    writeMarker(to, { from, copied: readMarker(to)?.copied ?? [] });
    ctx.report('marked');
    replaceClaim(from, { ...open, moving: { to, done: false } }, lock);
    ctx.report('closed');
    if (await isBusy(from, judge)) {
      // Somebody was quicker than the claim: what has begun there comes to its end first.
      await takeBack(from, to, open, lock);
      throw swarmBusy();
    }
    for (const entry of present(entries, from).toReversed()) {
      await copyEntry(entry, from, to, lock);
      ctx.report(`copied ${entry}`);
    }
    // Appended without a lock, perhaps until a moment after the directory was closed.
    if (fs.existsSync(path.join(from, 'audit'))) await copyEntry('audit', from, to, lock);
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
    if (moving && !moving.done) await takeBack(directory, moving.to, open as ClaimFile, lock);
  });
}

/** The copies go before the claim: whoever opens the new directory meanwhile finds its marker, and waits. */
async function takeBack(from: string, to: string, open: ClaimFile, lock: LockFile): Promise<void> {
  const marker = readMarker(to);
  if (marker?.from === from) {
    for (const entry of marker.copied) {
      for (const copy of [path.join(to, entry), copyOf(to, entry)]) {
        lock.assertHeld();
        await rm(copy, { recursive: true, force: true });
      }
    }
    lock.assertHeld();
    if (readClaim(to)?.moving === undefined) await rm(claimFileOf(to), { force: true });
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
  if (!copied.includes(entry)) writeMarker(to, { from, copied: [...copied, entry] });
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(copy, target);
}

const present = (entries: readonly string[], directory: string) =>
  entries.filter(entry => fs.existsSync(path.join(directory, entry)));

function readMarker(directory: string): MoveFile | undefined {
  const file = markerOf(directory);
  if (!fs.existsSync(file)) return undefined;
  try {
    return MoveFile.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch (error) {
    throw stateUnavailable(file, error);
  }
}

function writeMarker(directory: string, marker: MoveFile): void {
  const draft = `${markerOf(directory)}.tmp`;
  fs.writeFileSync(draft, `${JSON.stringify(marker)}\n`, { mode: 0o600, flush: true });
  fs.renameSync(draft, markerOf(directory));
}

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
