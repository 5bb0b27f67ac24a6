import { randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as z from 'zod';
import { newerState, stateUnavailable } from '../model/errors.ts';
import { SwarmId } from '../model/instance.ts';
import { quietContext, withTimeout } from '../model/operationContext.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { Quarantined } from '../model/stateStore.ts';
import { onOneLine } from '../model/textCut.ts';
import { FileLock } from './fileLock.ts';
import { LockJudge } from './lockJudge.ts';
import { quarantineFile } from './quarantineFile.ts';
import { replaceFile } from './replaceFile.ts';

const schemaVersion = 1;
/** What `swarm.json` holds. */
export const SwarmFile = z.strictObject({ schemaVersion: z.literal(schemaVersion), swarmId: SwarmId });

/** Milliseconds to wait for another window that is making the identity. */
const patience = 15_000;

/** A state directory's identity, as {@link loadSwarmId} found or made it. */
export interface SwarmIdentity {
  readonly swarmId: SwarmId;
  /** Made by this call: whatever bears our labels is then of a swarm that was lost, or of another. */
  readonly fresh: boolean;
  /** The file that was there and could not be read. */
  readonly quarantined?: Quarantined;
}

/**
 * The random identity of a state directory (semantics 1), from its `swarm.json`; made once, also when two windows start
 * together. An unreadable file is put into quarantine; one of a newer version rejects with `newer-state`.
 */
export async function loadSwarmId(directory: string, judge = new LockJudge()): Promise<SwarmIdentity> {
  const file = path.join(directory, 'swarm.json');
  try {
    const known = await readSwarmId(file);
    if (typeof known === 'string') return { swarmId: known, fresh: false };
    const locks = path.join(directory, 'locks');
    return await new FileLock(locks, judge).run('swarm.json', withTimeout(quietContext, patience), async ({ lock }) => {
      const settled = await readSwarmId(file);
      if (typeof settled === 'string') return { swarmId: settled, fresh: false };
      const { problem } = settled;
      const quarantined = problem === undefined ? undefined : { file: await quarantineFile(file), reason: problem };
      const swarmId = mintSwarmId();
      const text = `${JSON.stringify({ schemaVersion, swarmId }, null, 2)}\n`;
      await replaceFile(file, text, path.join(locks, `swarm.json.${randomUUID()}.tmp`), () => lock.assertHeld());
      return { swarmId, fresh: true, ...(quarantined && { quarantined }) };
    });
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? stateUnavailable(directory, error) : error;
  }
}

/** The id in the file, else what is wrong with it; nothing is where there is no file. */
async function readSwarmId(file: string): Promise<SwarmId | { problem?: string }> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: onOneLine(error.message, 200) };
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const newer = z.object({ schemaVersion: z.number().gt(schemaVersion) }).safeParse(value);
  if (newer.success) throw newerState(file, newer.data.schemaVersion);
  const { data, error } = SwarmFile.safeParse(value, { reportInput: true });
  return error ? { problem: problemsOf(error, 'file').join('; ') } : data.swarmId;
}

function mintSwarmId(): SwarmId {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: 16 }, () => letters.charAt(randomInt(letters.length))).join('');
}
