import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod';
import { stateUnavailable } from '../model/errors.ts';
import { type Disposable, Emitter } from '../model/event.ts';
import { MachineIdentity, whereabouts } from '../model/machineIdentity.ts';
import { refusalOf, type StateHindrance } from '../model/stateHindrance.ts';
import type { StateClaim } from '../model/stateStore.ts';
import { unlessInUseSync } from './fileInUse.ts';
import { LockJudge, type LockOwner } from './lockJudge.ts';
import { flushDirectory } from './replaceFile.ts';

/** What `machine.json` of a state directory holds. */
export const ClaimFile = z.object({
  schemaVersion: z.literal(1),
  machine: MachineIdentity,
  since: z.iso.datetime(),
  /** Where all of it is being moved, or was: nothing is written here any more. */
  moving: z.strictObject({ to: z.string().min(1), done: z.boolean() }).optional(),
});
export type ClaimFile = z.infer<typeof ClaimFile>;

/** How often it is looked whether the directory is still ours, in milliseconds. A watch tells nothing on a network drive. */
const lookEvery = 1_000;

/** One word for a machine, as lock files say it. */
export const machineWord = ({ id, boot, pids, host }: MachineIdentity) => [id, boot, pids, host].join('.');

export const claimFileOf = (directory: string) => path.join(directory, 'machine.json');

/** What the file says; undefined where there is none, null where nobody can tell. */
export function readClaim(directory: string): ClaimFile | null | undefined {
  let text: string;
  try {
    text = fs.readFileSync(claimFileOf(directory), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return ClaimFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Pure: what stands against changing something in a directory with this claim, from this machine. */
export function hindranceOf(claim: ClaimFile | null, here: MachineIdentity): StateHindrance | undefined {
  if (claim === null) return { why: 'elsewhere', host: 'unknown', since: 'unknown' };
  const { machine, since, moving } = claim;
  if (moving) return { why: moving.done ? 'moved' : 'moving', to: moving.to };
  return whereabouts(machine, here) === 'here' ? undefined : { why: 'elsewhere', host: machine.host, since };
}

/** Replaces the claim at once or not at all, unless it has changed meanwhile; synchronous, as all that asks for it. */
export function writeClaim(directory: string, claim: ClaimFile, before: ClaimFile | null | undefined): boolean {
  const file = claimFileOf(directory);
  const draft = `${file}.${randomUUID()}.tmp`;
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  fs.writeFileSync(draft, `${JSON.stringify(claim, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    if (JSON.stringify(readClaim(directory)) !== JSON.stringify(before)) return false;
    if (before === undefined) fs.linkSync(draft, file);
    else unlessInUseSync(() => fs.renameSync(draft, file));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/**
 * {@link StateClaim} of a directory: `machine.json` in it names its machine, and whoever comes first writes it. Each
 * proof of a lock in the directory reads it anew, so that from the moment it names another machine, or a move, nobody
 * here changes anything there.
 */
export class FileStateClaim implements StateClaim, LockOwner, Disposable {
  readonly machine: string;
  /** For the locks in the directory. */
  readonly judge: LockJudge;
  readonly #directory: string;
  readonly #here: MachineIdentity;
  readonly #changes = new Emitter<void>();
  readonly #timer: NodeJS.Timeout;
  #hindrance: StateHindrance | undefined;

  readonly onDidChange = this.#changes.event;

  /** Takes the directory when it is nobody's, or was this machine's before it was started anew. */
  constructor(directory: string, here: MachineIdentity) {
    this.#directory = directory;
    this.#here = here;
    this.machine = machineWord(here);
    this.judge = new LockJudge(this);
    try {
      this.#hindrance = this.#look(true);
    } catch (error) {
      throw stateUnavailable(directory, error);
    }
    this.#timer = setInterval(() => this.#follow(), lookEvery).unref();
  }

  get hindrance(): StateHindrance | undefined {
    return this.#hindrance;
  }

  assertOurs(): void {
    const hindrance = this.#look(true);
    if (hindrance) throw refusalOf(hindrance);
  }

  /** Throws when all that lies in the directory is on its way elsewhere, or was moved; also where others may write. */
  assertUnmoved(): void {
    const hindrance = this.#look(false);
    if (hindrance && hindrance.why !== 'elsewhere') throw refusalOf(hindrance);
  }

  async takeOver(seen?: StateHindrance): Promise<void> {
    const before = readClaim(this.#directory);
    const hindrance = before === undefined ? undefined : hindranceOf(before, this.#here);
    const isOther = seen !== undefined && JSON.stringify(seen) !== JSON.stringify(hindrance);
    if (hindrance && (hindrance.why !== 'elsewhere' || isOther)) throw refusalOf(hindrance);
    if (hindrance) writeClaim(this.#directory, this.#own(), before);
    await flushDirectory(this.#directory);
    this.#follow();
  }

  dispose(): void {
    clearInterval(this.#timer);
    this.#changes.dispose();
  }

  #own(): ClaimFile {
    return { schemaVersion: 1, machine: this.#here, since: new Date().toISOString() };
  }

  /** `may`: what is nobody's, or of an earlier boot of this machine, is taken. */
  #look(may: boolean): StateHindrance | undefined {
    for (let tries = 0; ; tries++) {
      const claim = readClaim(this.#directory);
      const isFree =
        claim === undefined || (claim !== null && !claim.moving && whereabouts(claim.machine, this.#here) === 'gone');
      if (!isFree) return hindranceOf(claim, this.#here);
      // Another may have been quicker: then that is what there is.
      if (!may || tries > 2) return claim && hindranceOf(claim, this.#here);
      writeClaim(this.#directory, this.#own(), claim);
    }
  }

  #follow(): void {
    let now: StateHindrance | undefined;
    try {
      now = this.#look(false);
    } catch {
      return; // The disk refuses; the next look tells.
    }
    if (JSON.stringify(now) === JSON.stringify(this.#hindrance)) return;
    this.#hindrance = now;
    this.#changes.fire();
  }
}
