import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { InstanceRecord } from '../../../src/model/instance.ts';
import type { MachineIdentity } from '../../../src/model/machineIdentity.ts';
import { quietContext, withTimeout } from '../../../src/model/operationContext.ts';
import { FileLock } from '../../../src/storage/fileLock.ts';
import { claimFileOf, FileStateClaim } from '../../../src/storage/fileStateClaim.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { LeaderLease } from '../../../src/storage/leaderLease.ts';
import { LockFile } from '../../../src/storage/lockFile.ts';
import { LockJudge } from '../../../src/storage/lockJudge.ts';
import { loadSwarmId } from '../../../src/storage/swarmIdentity.ts';
import { idOf, makeRecord } from '../operations/fakeSwarm.ts';
import { scratchDirectory } from './scratch.ts';

const laptop: MachineIdentity = { id: 'a1', boot: 'b1', pids: '4026531836', host: 'laptop' };
const desk: MachineIdentity = { id: 'a2', boot: 'b2', pids: '4026531836', host: 'desk' };
const container: MachineIdentity = { ...laptop, pids: '4026532331', host: 'f00dcafe' };

const claims: FileStateClaim[] = [];
function claimOn(machine: MachineIdentity, directory: string): FileStateClaim {
  const claim = new FileStateClaim(directory, machine);
  claims.push(claim);
  return claim;
}
let directory: string;
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(() => {
  vi.useRealTimers();
  for (const claim of claims.splice(0)) claim.dispose();
});

describe('a state directory that two machines see', () => {
  test.each([
    ['another machine', desk],
    ['another container of the same machine', container],
  ])('belongs to the one that came first; %s only reads it', async (_, other) => {
    const [here, there] = [claimOn(laptop, directory), claimOn(other, directory)];
    expect(here.hindrance).toBeUndefined();
    expect(there.hindrance).toMatchObject({ why: 'elsewhere', host: 'laptop' });

    const store = (claim: FileStateClaim) =>
      new JsonFileStore(path.join(directory, 'instances'), InstanceRecord, 1, undefined, claim.judge);
    const { swarmId } = await loadSwarmId(directory, here.judge);
    expect((await loadSwarmId(directory, there.judge)).swarmId).toBe(swarmId);
    await store(here).update(idOf(1), () => makeRecord(1));
    expect((await store(there).load()).records).toHaveLength(1);
    await expect(store(there).update(idOf(1), () => null)).rejects.toMatchObject({ code: 'state-elsewhere' });
    await expect(
      new FileLock(path.join(directory, 'locks'), there.judge).run('key', quietContext, async () => {}),
    ).rejects.toMatchObject({ code: 'state-elsewhere' });
    expect(await store(here).read(idOf(1))).not.toBeNull();
  });

  test('a second window of the same machine works beside the first', () => {
    claimOn(laptop, directory);
    expect(claimOn(laptop, directory).hindrance).toBeUndefined();
  });

  test('after its machine was started anew it is taken by itself', () => {
    claimOn(laptop, directory);
    expect(claimOn({ ...laptop, boot: 'b9' }, directory).hindrance).toBeUndefined();
    expect(claimOn(desk, directory).hindrance).toMatchObject({ host: 'laptop' });
  });

  test('no second observer comes about, whatever the clock of the other machine says', async () => {
    const timing = { lease: 200, renewEvery: 20, retryEvery: 20 };
    const here = new LeaderLease(directory, timing, claimOn(laptop, directory).judge);
    const there = new LeaderLease(directory, timing, claimOn(desk, directory).judge);
    here.start();
    there.start();
    await vi.waitFor(() => expect(here.isHeld()).toBe(true));
    const file = path.join(directory, 'locks', 'observer.lock');
    const until = performance.now() + 500;
    while (performance.now() < until) {
      fs.utimesSync(file, 0, 0);
      await new Promise(resolve => setTimeout(resolve, 10));
      expect(there.isHeld()).toBe(false);
    }
    for (const lease of [here, there]) lease.dispose();
  });

  test('a person takes it over: the former machine loses its locks at once, and notices', async () => {
    const [here, there] = [claimOn(laptop, directory), claimOn(desk, directory)];
    const noticed = new Promise<void>(resolve => {
      here.onDidChange(resolve);
    });
    const locks = new FileLock(path.join(directory, 'locks'), here.judge);
    await locks.run('key', quietContext, async ({ lock }) => {
      lock.assertHeld();
      await there.takeOver();
      expect(there.hindrance).toBeUndefined();
      expect(() => lock.assertHeld()).toThrow('in use on desk');
    });
    await noticed;
    expect(here.hindrance).toMatchObject({ why: 'elsewhere', host: 'desk' });
    await here.takeOver();
    expect(here.hindrance).toBeUndefined();
  });

  test('is taken over only from the machine that a person was told of', async () => {
    const [here, there] = [claimOn(laptop, directory), claimOn(desk, directory)];
    const seen = there.hindrance;
    await claimOn({ ...desk, id: 'a3', boot: 'b3', host: 'third' }, directory).takeOver();
    await expect(there.takeOver(seen)).rejects.toMatchObject({
      code: 'state-elsewhere',
      message: expect.stringContaining('in use on third'),
    });
    await vi.waitFor(() => expect(here.hindrance).toMatchObject({ host: 'third' }), 20_000);
    await there.takeOver(there.hindrance);
    expect(there.hindrance).toBeUndefined();
  });

  test('what was copied to another machine can be taken over there, and the original stays as it was', async () => {
    claimOn(laptop, directory);
    const copy = scratchDirectory();
    fs.cpSync(directory, copy, { recursive: true });
    const there = claimOn(desk, copy);
    expect(there.hindrance).toMatchObject({ host: 'laptop' });
    await there.takeOver();
    expect(there.hindrance).toBeUndefined();
    expect(claimOn(laptop, directory).hindrance).toBeUndefined();
  });

  test.each(['', '{', '[]', '{"schemaVersion":2}', '{"schemaVersion":1,"machine":{"id":"x"},"since":"now"}'])(
    'a claim of which nobody can tell whose it is is as another one’s: %s',
    async text => {
      fs.writeFileSync(claimFileOf(directory), text);
      const here = claimOn(laptop, directory);
      expect(here.hindrance).toMatchObject({ why: 'elsewhere', host: 'unknown' });
      expect(fs.readFileSync(claimFileOf(directory), 'utf8')).toBe(text);
      await here.takeOver();
      expect(here.hindrance).toBeUndefined();
    },
  );
});

describe('a lock of another machine', () => {
  const timing = { staleAfter: 60, renewEvery: 10 };
  const judgeOn = (machine: string) => new LockJudge({ machine, assertOurs: () => {} });

  test('is believed as long as it changes, however wrong its clock', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const file = path.join(directory, 'lock');
    const lock = LockFile.take(file, 'key', timing, judgeOn('there'));
    const here = judgeOn('here');
    for (let hour = 1; hour < 40; hour++) {
      fs.utimesSync(file, hour * 3600, hour * 3600);
      vi.advanceTimersByTime(100);
      expect(LockFile.take(file, 'key', timing, here)).toBeUndefined();
    }
    lock?.release();
    const own = LockFile.take(file, 'key', timing, here);
    expect(own?.isOurs()).toBe(true);
    own?.release();
  });

  test('of a holder that is dead is free once it was seen unchanged for long enough, also with a time to come', async () => {
    const file = path.join(directory, 'lock');
    fs.writeFileSync(file, `${randomUUID()}\nthere`);
    const soon = Date.now() / 1000 + 100_000;
    fs.utimesSync(file, soon, soon);
    const here = judgeOn('here');
    expect(LockFile.isHeld(file, timing, here)).toBe(true);
    await vi.waitFor(() => expect(LockFile.isHeld(file, timing, here)).toBe(false), { interval: 10 });
    const own = LockFile.take(file, 'key', timing, here);
    expect(own?.isOurs()).toBe(true);
    own?.release();
  });

  test('of an earlier version says no machine, and is judged by the clock', () => {
    const file = path.join(directory, 'lock');
    fs.writeFileSync(file, 'token');
    expect(LockFile.isHeld(file, timing, judgeOn('here'))).toBe(true);
    fs.utimesSync(file, 0, 0);
    expect(LockFile.isHeld(file, timing, judgeOn('here'))).toBe(false);
  });
});

test('the wait for a lock ends with what stands against it', async () => {
  const claim = claimOn(laptop, directory);
  const locks = new FileLock(path.join(directory, 'locks'), claim.judge);
  const held = locks.run('key', quietContext, async () => {
    await claimOn(desk, directory).takeOver();
    await expect(
      new FileLock(path.join(directory, 'locks'), claim.judge).run(
        'key',
        withTimeout(quietContext, 5_000),
        async () => {},
      ),
    ).rejects.toMatchObject({ code: 'state-elsewhere' });
  });
  await held;
});
