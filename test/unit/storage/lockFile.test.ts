import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LockFile, type LockTiming } from '../../../src/storage/lockFile.ts';
import { scratchDirectory } from './scratch.ts';

const lockPath = () => path.join(scratchDirectory(), 'a.lock');

/** Takes a lock that is free; given back when the test ends. */
function taken(file: string, timing?: LockTiming): LockFile {
  const lock = LockFile.take(file, 'a', timing);
  if (lock === undefined) throw new Error('The lock is held.');
  onTestFinished(() => lock.release());
  return lock;
}

/** Replaces a call of the file system for the time of the test. */
function onCall(name: 'writeSync' | 'readFileSync', call: () => never): void {
  const spy = vi.spyOn(fs, name).mockImplementation(call as never);
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
}

function refuse(): never {
  throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'write' });
}

describe('LockFile', () => {
  test('is free after its own stale time', () => {
    const file = lockPath();
    const timing = { staleAfter: 60_000, renewEvery: 1_000 };
    const lock = taken(file, timing);
    const longAgo = Date.now() / 1000 - 30;
    fs.utimesSync(file, longAgo, longAgo);
    expect([LockFile.isHeld(file, timing), LockFile.isHeld(file)]).toEqual([true, false]);
    expect(LockFile.take(file, 'a', timing)).toBeUndefined();
    expect(lock.isOurs()).toBe(true);
    taken(file);
    expect(lock.isOurs()).toBe(false);
  });

  test('is renewed as often as it is told', async () => {
    const file = lockPath();
    const lock = taken(file, { staleAfter: 5_000, renewEvery: 5 });
    fs.utimesSync(file, 1, 1);
    await vi.waitUntil(() => fs.statSync(file).mtimeMs > 1_000, { timeout: 4_000, interval: 1 });
    expect(lock.isOurs()).toBe(true);
  });

  test('is lost for ever by a clock that went on, or one that was set back', () => {
    for (const jump of [6_000, -6_000]) {
      const lock = taken(lockPath());
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump });
      expect(lock.isOurs()).toBe(false);
      vi.useRealTimers();
      expect(lock.isOurs()).toBe(false);
    }
  });

  test('is lost after its stale time also when the wall clock was set back as far meanwhile', () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const lock = taken(lockPath());
    const begun = Date.now();
    vi.advanceTimersByTime(5_001);
    vi.setSystemTime(begun);
    expect(lock.isOurs()).toBe(false);
  });

  test('is not renewed, and takes nobody else down, while the disk refuses', async () => {
    const file = lockPath();
    const lock = taken(file, { staleAfter: 60_000, renewEvery: 1 });
    let tried = 0;
    onCall('readFileSync', () => {
      tried += 1;
      return refuse();
    });
    const { mtimeMs } = fs.statSync(file);
    await vi.waitUntil(() => tried > 3, { timeout: 4_000, interval: 1 });
    expect(fs.statSync(file).mtimeMs).toBe(mtimeMs);
    expect(() => lock.isOurs()).toThrow('EIO');
  });

  test.runIf(process.platform === 'linux')('keeps no file open that it could not write, nor after its release', () => {
    const opened = () => fs.readdirSync('/proc/self/fd').length;
    const before = opened();
    LockFile.take(lockPath(), 'a')?.release();
    expect(opened()).toBe(before);
    onCall('writeSync', refuse);
    expect(() => LockFile.take(lockPath(), 'a')).toThrow('EIO');
    expect(opened()).toBe(before);
  });
});
