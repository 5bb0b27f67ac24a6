import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { InstanceRecord } from '../../src/model/instance.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { FileAppendLog } from '../../src/storage/appendLog.ts';
import { FileLock } from '../../src/storage/fileLock.ts';
import { FileStateClaim } from '../../src/storage/fileStateClaim.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { LockFile } from '../../src/storage/lockFile.ts';
import { moveState, settleMove } from '../../src/storage/moveState.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { idOf, makeRecord } from '../unit/operations/fakeSwarm.ts';
import { scratchDirectory } from '../unit/storage/scratch.ts';

const entries = ['swarm.json', 'instances', 'homes', 'audit'];
const move = { entries, machine: testMachine };

/** A state with an identity, a record, a home and a line of the audit log; and where it is to go. */
async function scene() {
  const [from, to] = [path.join(scratchDirectory(), 'from'), path.join(scratchDirectory(), 'to')];
  const claim = new FileStateClaim(from, testMachine);
  const { swarmId } = await loadSwarmId(from, claim.judge);
  const store = new JsonFileStore(path.join(from, 'instances'), InstanceRecord, 1, undefined, claim.judge);
  await store.update(idOf(1), () => makeRecord(1));
  mkdirSync(path.join(from, 'homes', 'deep'), { recursive: true });
  writeFileSync(path.join(from, 'homes', 'deep', 'blob'), 'kept');
  const audit = new FileAppendLog(path.join(from, 'audit'), 'w', () => claim.assertUnmoved());
  await audit.append('one');
  return { from, to, swarmId, claim, store, audit };
}

/** Opens a directory as a window does. */
async function open(directory: string) {
  await settleMove(move, directory, quietContext);
  const claim = new FileStateClaim(directory, testMachine);
  try {
    const { swarmId, fresh } = await loadSwarmId(directory, claim.judge);
    const store = new JsonFileStore(path.join(directory, 'instances'), InstanceRecord, 1, undefined, claim.judge);
    return { swarmId, fresh, records: (await store.load()).records.length };
  } finally {
    claim.dispose();
  }
}

function run(does: 'move' | 'open', from: string, to: string, killAt = ''): Promise<{ said: string; by: string }> {
  const argument = JSON.stringify([does, from, to, entries, killAt]);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'movingWindow.ts'), argument], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', chunk => {
    said += chunk;
  });
  return new Promise(resolve =>
    child.on('close', (code, signal) => {
      // A killed holder's lock is free after five seconds; nobody needs to wait for them here.
      const lock = path.join(from, 'locks', 'moving.lock');
      if (signal && existsSync(lock)) utimesSync(lock, 0, 0);
      resolve({ said, by: signal ?? String(code) });
    }),
  );
}

const expectWhole = (directory: string) => {
  expect(readFileSync(path.join(directory, 'homes', 'deep', 'blob'), 'utf8')).toBe('kept');
  const [log = ''] = readdirSync(path.join(directory, 'audit'));
  expect(readFileSync(path.join(directory, 'audit', log), 'utf8')).toBe('one\n');
};

const steps = ['marked', 'closed', 'copied audit', 'copied homes', 'copied instances', 'copied swarm.json'];
const pivot = ['claimed', 'moved'];

describe('a move of the state that is killed', () => {
  test('has these boundaries', async () => {
    const { from, to, claim } = await scene();
    const { said, by } = await run('move', from, to);
    expect({ steps: JSON.parse(said), by }).toEqual({ steps: [...steps, ...pivot], by: '0' });
    claim.dispose();
  });

  test.each([...steps, ...pivot])('at "%s" is gone on with by whoever opens the new directory', async killAt => {
    const { from, to, swarmId, claim } = await scene();
    expect((await run('move', from, to, killAt)).by).toBe('SIGKILL');
    claim.dispose();
    expect(await open(to)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(to);
    expect(entries.filter(entry => existsSync(path.join(from, entry)))).toEqual([]);
    expect(existsSync(path.join(to, 'moving-from.json'))).toBe(false);
    await expect(open(from)).rejects.toMatchObject({ code: 'state-moved' });
  });

  test.each(steps)('at "%s" is taken back by whoever opens the old directory', async killAt => {
    const { from, to, swarmId, claim } = await scene();
    mkdirSync(path.join(to, 'mine'), { recursive: true });
    expect((await run('move', from, to, killAt)).by).toBe('SIGKILL');
    claim.dispose();
    expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(from);
    const left = readdirSync(to);
    // Before the old directory says so, nothing was begun there: it is asked of the new one, if that is opened.
    expect(left.toSorted()).toEqual(killAt === 'marked' ? ['mine', 'moving-from.json'] : ['mine']);
    if (killAt !== 'marked') expect((await open(to)).fresh).toBe(true);
  });

  test('twice, once while it is gone on with, comes to its end all the same', async () => {
    const { from, to, swarmId, claim } = await scene();
    await run('move', from, to, 'copied homes');
    expect((await run('open', from, to, 'moved')).by).toBe('SIGKILL');
    claim.dispose();
    expect(await open(to)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(to);
  });
});

describe('a move of the state beside other windows', () => {
  test('two of them at once are one, and a third window finds the identity there', async () => {
    const { from, to, swarmId, claim } = await scene();
    const outcomes = await Promise.all([run('move', from, to), run('move', from, to), run('open', from, to)]);
    expect(outcomes.map(({ by }) => by)).toEqual(['0', '0', '0']);
    claim.dispose();
    expect(await open(to)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(to);
  });

  test('from its first moment on no other window writes, and each notices within two seconds', async () => {
    const { from, to, claim, store, audit } = await scene();
    const noticed = new Promise<void>(resolve => {
      claim.onDidChange(resolve);
    });
    await run('move', from, to, 'closed');
    await expect(store.update(idOf(2), () => makeRecord(2))).rejects.toMatchObject({ code: 'state-moved' });
    await expect(audit.append('two')).rejects.toMatchObject({ code: 'state-moved' });
    await noticed;
    expect(claim.hindrance).toEqual({ why: 'moving', to });
    claim.dispose();
  });

  test('waits for what another window does to an instance', async () => {
    const { from, to, claim, store } = await scene();
    const locks = new FileLock(path.join(from, 'locks'), claim.judge);
    const looks = vi.spyOn(LockFile, 'isHeld');
    onTestFinished(() => looks.mockRestore());
    let moving: Promise<unknown> = Promise.resolve();
    await locks.run(idOf(1), quietContext, async ({ lock }) => {
      moving = moveState(move, from, to, quietContext);
      // It has looked, and looks again.
      await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(1), { timeout: 10_000 });
      lock.assertHeld();
      await store.update(idOf(1), current => current && { ...current, detail: 'written meanwhile' });
    });
    await moving;
    claim.dispose();
    const there = new JsonFileStore(path.join(to, 'instances'), InstanceRecord, 1);
    expect(await there.read(idOf(1))).toMatchObject({ detail: 'written meanwhile' });
  });

  test('of a state that another machine has is refused', async () => {
    const { from, to, claim } = await scene();
    const copy = path.join(scratchDirectory(), 'copy');
    cpSync(from, copy, { recursive: true });
    const other = { ...testMachine, id: 'a0b1c2d3e4f5', host: 'desk' };
    const work = moveState({ entries, machine: other }, copy, to, quietContext);
    await expect(work).rejects.toMatchObject({ code: 'state-elsewhere' });
    expect(existsSync(to)).toBe(false);
    claim.dispose();
  });

  test('and back again leaves it where it was', async () => {
    const { from, to, swarmId, claim } = await scene();
    claim.dispose();
    await moveState(move, from, to, quietContext);
    await moveState(move, to, from, quietContext);
    expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(from);
  });
});

describe('a move of the state into a directory', () => {
  const listed = (directory: string) => readdirSync(directory, { recursive: true }).toSorted();

  test.each(['homes', '.homes.moving', 'machine.json', 'moving-from.json'])(
    "in which something called %s is a person's is refused, and changes nothing",
    async name => {
      const { from, to, swarmId, claim } = await scene();
      claim.dispose();
      mkdirSync(to);
      writeFileSync(path.join(to, name), 'years of work');
      const before = listed(from);
      await expect(moveState(move, from, to, quietContext)).rejects.toMatchObject({
        code: 'state-unmovable',
        message: expect.stringContaining(path.join(to, name)),
      });
      expect(readFileSync(path.join(to, name), 'utf8')).toBe('years of work');
      expect({ to: listed(to), from: listed(from) }).toEqual({ to: [name], from: before });
      expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
    },
  );

  test('in which a person makes a folder of such a name meanwhile comes to no end, and leaves that folder when it is taken back', async () => {
    const { from, to, swarmId, claim } = await scene();
    claim.dispose();
    const file = path.join(to, 'homes', 'mine');
    const report = (step: string) => {
      if (step !== 'copied audit') return;
      mkdirSync(path.dirname(file));
      writeFileSync(file, 'years of work');
    };
    const moving = moveState(move, from, to, { ...quietContext, report });
    await expect(moving).rejects.toMatchObject({ code: 'state-unmovable' });
    await expect(open(to)).rejects.toMatchObject({ code: 'state-unmovable' });
    expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
    expectWhole(from);
    expect(listed(to)).toEqual(['homes', path.join('homes', 'mine')]);
    expect(readFileSync(file, 'utf8')).toBe('years of work');
  });

  test('that is half way here is gone on with only where nothing but the move has written', async () => {
    const { from, to, swarmId, claim } = await scene();
    claim.dispose();
    await run('move', from, to, 'copied audit');
    mkdirSync(path.join(to, 'homes'));
    writeFileSync(path.join(to, 'homes', 'mine'), 'years of work');
    await expect(open(to)).rejects.toMatchObject({ code: 'state-unmovable' });
    expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
    expect(listed(to)).toEqual(['homes', path.join('homes', 'mine')]);
  });

  test('that another state is being moved to is refused', async () => {
    const { from, to, claim } = await scene();
    const other = await scene();
    for (const { claim: each } of [{ claim }, other]) each.dispose();
    await run('move', from, to, 'copied audit');
    await expect(moveState(move, other.from, to, quietContext)).rejects.toMatchObject({ code: 'state-unmovable' });
    expect(await open(other.from)).toEqual({ swarmId: other.swarmId, fresh: false, records: 1 });
  });

  test.each<[string, (from: string) => string]>([
    ['itself', from => from],
    [
      'itself by another path',
      from => {
        symlinkSync(from, `${from}-alias`);
        return `${from}-alias`;
      },
    ],
    ['one that is moved', from => path.join(from, 'homes')],
    ['a new one in one that is moved', from => path.join(from, 'homes', 'deep', 'new')],
    ['a new one in it', from => path.join(from, 'new', 'newer')],
    [
      'one that it lies in',
      from => {
        const outer = `${from}-outer`;
        mkdirSync(outer);
        renameSync(from, path.join(outer, 'homes'));
        symlinkSync(path.join(outer, 'homes'), from);
        return outer;
      },
    ],
  ])('%s is refused, and changes nothing', async (_, made) => {
    const { from, swarmId, claim } = await scene();
    claim.dispose();
    const to = made(from);
    const before = listed(from);
    await expect(moveState(move, from, to, quietContext)).rejects.toMatchObject({
      code: 'state-unmovable',
      message: expect.stringContaining(from),
    });
    expect(listed(from)).toEqual(before);
    expectWhole(from);
    expect(await open(from)).toEqual({ swarmId, fresh: false, records: 1 });
  });
});
