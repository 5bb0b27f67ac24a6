import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ObserverLease } from '../../../src/model/stateStore.ts';
import { LeaderLease } from '../../../src/storage/leaderLease.ts';
import { LockFile } from '../../../src/storage/lockFile.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import { scratchDirectory } from './scratch.ts';

/** Nobody renews in the time of a test: what is made to look old stays so. */
const timing = { lease: 20_000, renewEvery: 60_000, retryEvery: 5 };

/** A place where windows contend for the lease. */
interface Place {
  open(): ObserverLease;
  /** Makes the holder look as if it had been stopped for long. */
  stall(): void;
}

function diskPlace(directory = scratchDirectory()): Place & { lock: string; epoch: string } {
  const lock = path.join(directory, 'locks', 'observer.lock');
  return {
    lock,
    epoch: path.join(directory, 'observer.epoch'),
    open: () => {
      const lease = new LeaderLease(directory, timing);
      onTestFinished(() => lease.dispose());
      return lease;
    },
    stall: () => fs.utimesSync(lock, 1, 1),
  };
}

function memoryPlace(): Place {
  const seat = new ObserverSeat();
  return { open: () => new MemoryLease(seat), stall: () => seat.pass() };
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 5_000, interval: 1 });
const held = (lease: ObserverLease) => until(() => lease.isHeld());
const epochOf = (lease: ObserverLease) => lease.epoch ?? Number.NaN;

/** Epochs as its listeners see them. */
function told(lease: ObserverLease): (number | undefined)[] {
  const epochs: (number | undefined)[] = [];
  lease.onDidChange(() => epochs.push(lease.epoch));
  return epochs;
}

describe.each([
  ['LeaderLease', diskPlace],
  ['MemoryLease', memoryPlace],
])('%s is an observer lease', (_name, place) => {
  test('is held by nobody who did not ask for it, and by the first who does', async () => {
    const { open } = place();
    const [one, idle] = [open(), open()];
    const epochs = told(one);
    expect([one.epoch, one.isHeld()]).toEqual([undefined, false]);
    one.start();
    await held(one);
    await until(() => epochs.length > 0);
    expect(epochs).toEqual([one.epoch]);
    expect([idle.epoch, idle.isHeld()]).toEqual([undefined, false]);
  });

  test('goes to another when its holder closes, under a higher epoch', async () => {
    const { open } = place();
    const [one, two] = [open(), open()];
    one.start();
    await held(one);
    two.start();
    expect(two.isHeld()).toBe(false);
    const first = epochOf(one);
    one.dispose();
    expect([one.epoch, one.isHeld()]).toEqual([undefined, false]);
    await held(two);
    expect(epochOf(two)).toBeGreaterThan(first);
  });

  test('goes to another when its holder was stopped, which knows it as soon as it asks, and waits again', async () => {
    const { open, stall } = place();
    const [one, two] = [open(), open()];
    one.start();
    await held(one);
    const first = epochOf(one);
    two.start();
    const epochs = told(one);
    stall();
    await until(() => two.epoch !== undefined);
    expect([one.isHeld(), one.epoch, two.isHeld()]).toEqual([false, undefined, true]);
    const second = epochOf(two);
    await until(() => epochs.length === 1);
    two.dispose();
    await held(one);
    await until(() => epochs.length === 2);
    expect(epochs).toEqual([undefined, one.epoch]);
    expect(first).toBeLessThan(second);
    expect(second).toBeLessThan(epochOf(one));
  });

  test('never goes to one that is closed', async () => {
    const { open } = place();
    const [one, two, three] = [open(), open(), open()];
    one.start();
    await held(one);
    two.start();
    three.start();
    two.dispose();
    one.dispose();
    await held(three);
    expect(two.epoch).toBeUndefined();
  });

  test('has one holder whatever happens, and its epoch only rises', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('start') },
      { weight: 2, arbitrary: fc.nat({ max: 3 }) },
      { weight: 3, arbitrary: fc.constant('stall') },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async steps => {
        const { open, stall } = place();
        const windows: ObserverLease[] = [];
        let last = 0;
        for (const step of steps) {
          if (step === 'start') {
            const window = open();
            window.start();
            windows.push(window);
          } else if (step === 'stall') {
            if (windows.length > 1) stall();
          } else {
            for (const window of windows.splice(step, 1)) window.dispose();
          }
          if (windows.length === 0) continue;
          const least = step === 'stall' && windows.length > 1 ? last + 1 : last;
          await until(() => windows.some(window => window.isHeld() && epochOf(window) >= least));
          const holders = windows.filter(window => window.isHeld());
          expect(holders).toHaveLength(1);
          last = Math.max(...holders.map(epochOf));
        }
        for (const window of windows) window.dispose();
      }),
      { numRuns: 30 },
    );
  });
});

describe('the lease on disk', () => {
  test('leaves nothing behind but the epoch, which only its owner reads', async () => {
    const directory = scratchDirectory();
    const { open, epoch } = diskPlace(directory);
    const one = open();
    one.start();
    await held(one);
    expect(fs.readFileSync(epoch, 'utf8')).toBe(`${one.epoch}\n`);
    expect(fs.statSync(epoch).mode & 0o777).toBe(0o600);
    one.dispose();
    expect(fs.readdirSync(directory, { recursive: true }).sort()).toEqual(['locks', 'observer.epoch']);
  });

  test('is noticed to be lost without asking', async () => {
    const { open, lock } = diskPlace();
    const one = open();
    one.start();
    await held(one);
    const epochs = told(one);
    fs.writeFileSync(lock, 'of another');
    await until(() => epochs.length > 0);
    expect(epochs).toEqual([undefined]);
    expect(fs.readFileSync(lock, 'utf8')).toBe('of another');
  });

  test.each([
    ['the lock', ({ lock }: { lock: string }) => fs.rmSync(lock)],
    ['the epoch', ({ epoch }: { epoch: string }) => fs.rmSync(epoch)],
    ['everything', ({ epoch }: { epoch: string }) => fs.rmSync(path.dirname(epoch), { recursive: true })],
    ['what the epoch says', ({ epoch }: { epoch: string }) => fs.writeFileSync(epoch, 'nonsense')],
  ])('has a higher epoch also when somebody removes %s', async (_what, remove) => {
    const directory = scratchDirectory();
    const files = diskPlace(directory);
    const one = files.open();
    one.start();
    await held(one);
    const first = epochOf(one);
    remove(files);
    one.dispose();
    const two = files.open();
    two.start();
    await held(two);
    expect(epochOf(two)).toBeGreaterThan(first);
  });

  test('has a higher epoch also after the clock was set back', async () => {
    const { open } = diskPlace();
    const one = open();
    one.start();
    await held(one);
    const first = epochOf(one);
    one.dispose();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    const two = open();
    two.start();
    await held(two);
    expect(epochOf(two)).toBe(first + 1);
  });

  test.each([-3_600_000, -25_000, 25_000])('a clock that jumps by %i ms leaves no two holders', async jump => {
    const { open } = diskPlace();
    const [one, two] = [open(), open()];
    one.start();
    await held(one);
    two.start();
    const first = epochOf(one);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump });
    onTestFinished(() => void vi.useRealTimers());
    expect(one.isHeld()).toBe(false);
    await until(() => one.isHeld() || two.isHeld());
    expect([one.isHeld(), two.isHeld()].sort()).toEqual([false, true]);
    expect(Math.max(...[one, two].map(lease => lease.epoch ?? 0))).toBeGreaterThan(first);
  });

  test('costs who waits one look each time, and nothing else', async () => {
    const { open, lock } = diskPlace();
    fs.mkdirSync(path.dirname(lock));
    fs.writeFileSync(lock, 'of another');
    const calls: string[] = [];
    const names = [
      'statSync',
      'openSync',
      'readFileSync',
      'readFile',
      'renameSync',
      'mkdirSync',
      'unlinkSync',
    ] as const;
    const waiter = open();
    for (const name of names) {
      const real: unknown = fs[name];
      const spy = vi.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
        calls.push(name);
        return Reflect.apply(real as (...args: unknown[]) => unknown, fs, args);
      }) as never);
      onTestFinished(() => {
        spy.mockRestore();
        syncBuiltinESMExports();
      });
    }
    syncBuiltinESMExports();
    waiter.start();
    await until(() => calls.length >= 10);
    expect(new Set(calls)).toEqual(new Set(['readFileSync', 'statSync']));
  });

  test.each([
    ['the folder', (directory: string) => directory],
    ['the epoch', (directory: string) => path.join(directory, 'observer.epoch', 'x')],
  ])('waits for better times while the disk refuses %s', async (_what, blocked) => {
    const directory = path.join(scratchDirectory(), 'state');
    const inTheWay = blocked(directory);
    fs.mkdirSync(path.dirname(inTheWay), { recursive: true });
    fs.writeFileSync(inTheWay, 'in the way');
    const looks = vi.spyOn(LockFile, 'isHeld');
    onTestFinished(() => looks.mockRestore());
    const lease = diskPlace(directory).open();
    const epochs = told(lease);
    lease.start();
    await until(() => looks.mock.calls.length > 3);
    expect([lease.epoch, lease.isHeld(), epochs]).toEqual([undefined, false, []]);
    fs.rmSync(inTheWay === directory ? directory : path.dirname(inTheWay), { recursive: true });
    await held(lease);
  });

  test('does not keep a process alive', async () => {
    const timers = vi.spyOn(globalThis, 'setInterval');
    onTestFinished(() => timers.mockRestore());
    const lease = diskPlace().open();
    lease.start();
    await held(lease);
    expect(timers.mock.results.map(({ value }) => value.hasRef())).toEqual([false, false]);
  });
});
