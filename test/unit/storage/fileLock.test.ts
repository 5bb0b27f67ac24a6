import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { FileLock } from '../../../src/storage/fileLock.ts';
import { scratchDirectory, startWindow } from './scratch.ts';

/** Holds `key` until it is told to let go. */
async function hold(lock: FileLock, key: string) {
  let letGo = () => {};
  const released = new Promise<void>(resolve => {
    letGo = resolve;
  });
  let assertHeld = () => {};
  let ended: Promise<void> = Promise.resolve();
  await new Promise<void>(held => {
    ended = lock.run(key, quietContext, async ({ lock: handle }) => {
      assertHeld = () => handle.assertHeld();
      held();
      await released;
    });
  });
  return {
    assertHeld,
    release: () => {
      letGo();
      return ended;
    },
  };
}

/** Makes the lock look as if its holder had been dead for long. */
const age = (directory: string, key: string) => fs.utimesSync(path.join(directory, `${key}.lock`), 1, 1);

const cancellable = (controller: AbortController) => ({ ...quietContext, signal: controller.signal });

describe('FileLock', () => {
  test('one window takes turns in the order of the calls, each key for itself', async () => {
    const lock = new FileLock(path.join(scratchDirectory(), 'made', 'when', 'needed'));
    const order: string[] = [];
    const turn = (key: string, name: string) =>
      lock.run(key, quietContext, async () => {
        order.push(`${name} begins`);
        await new Promise(resolve => setImmediate(resolve));
        order.push(`${name} ends`);
        return name;
      });
    const other = await hold(lock, 'another key');
    expect(await Promise.all([turn('a', '1'), turn('a', '2'), turn('a', '3')])).toEqual(['1', '2', '3']);
    expect(order).toEqual(['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends']);
    await other.release();
  });

  test('two windows take turns', async () => {
    const directory = scratchDirectory();
    const [one, two] = [new FileLock(directory), new FileLock(directory)];
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(resolve => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, (_, turn) => (turn % 2 ? one : two).run('a', quietContext, work)));
    expect(most).toBe(1);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('tells whether anybody holds a key, and lets go when the work fails', async () => {
    const directory = scratchDirectory();
    const [one, two] = [new FileLock(directory), new FileLock(directory)];
    expect(await two.isHeld('a')).toBe(false);
    const failing = one.run('a', quietContext, async ({ lock }) => {
      lock.assertHeld();
      expect([await one.isHeld('a'), await two.isHeld('a'), await two.isHeld('b')]).toEqual([true, true, false]);
      throw new Error('work failed');
    });
    await expect(failing).rejects.toThrow('work failed');
    expect(await two.isHeld('a')).toBe(false);
  });

  test('any text is a key', async () => {
    const directory = scratchDirectory();
    const lock = new FileLock(directory);
    for (const key of ['../outside', '.', 'a/b', 'ü 🚢', 'a%2Fb']) {
      await lock.run(key, quietContext, async () => {
        expect(await lock.isHeld(key)).toBe(true);
        expect(fs.readdirSync(directory)).toHaveLength(1);
      });
    }
  });

  test('who gives up waiting is told at once, and keeps nobody behind it waiting', async () => {
    const directory = scratchDirectory();
    const [one, two] = [new FileLock(directory), new FileLock(directory)];
    const holder = await hold(one, 'a');
    const [queued, waiting] = [new AbortController(), new AbortController()];
    const never = vi.fn(async () => {});
    const inQueue = one.run('a', cancellable(queued), never);
    const atFile = two.run('a', cancellable(waiting), never);
    const behind = one.run('a', quietContext, async () => 'behind');
    const reason = new Error('no longer wanted');
    queued.abort(reason);
    waiting.abort(reason);
    await expect(inQueue).rejects.toBe(reason);
    await expect(atFile).rejects.toBe(reason);
    await expect(one.run('b', cancellable(queued), never)).rejects.toBe(reason);
    holder.assertHeld();
    await holder.release();
    expect(await behind).toBe('behind');
    expect(never).not.toHaveBeenCalled();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('a holder that was taken over is told, and does not take the lock from its successor', async () => {
    const directory = scratchDirectory();
    const [one, two] = [new FileLock(directory), new FileLock(directory)];
    const first = await hold(one, 'a');
    first.assertHeld();
    age(directory, 'a');
    expect(await two.isHeld('a')).toBe(false);
    const second = await hold(two, 'a');
    expect(first.assertHeld).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await first.release();
    second.assertHeld();
    expect(await one.isHeld('a')).toBe(true);
    await second.release();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('a holder whose clock says that it slept has lost the lock, though nobody took it yet', async () => {
    const lock = new FileLock(scratchDirectory());
    const sleeper = await hold(lock, 'a');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 6_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(sleeper.assertHeld).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    vi.useRealTimers();
    expect(sleeper.assertHeld).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await sleeper.release();
  });

  test('a long turn is renewed, and the lock of a killed window is free within seconds', async () => {
    const directory = scratchDirectory();
    const window = startWindow('holdingWindow.ts', directory, 'a');
    await vi.waitUntil(() => window.output() === 'held', { timeout: 20_000 });
    const file = path.join(directory, 'a.lock');
    const taken = fs.statSync(file).mtimeMs;
    await vi.waitUntil(() => fs.statSync(file).mtimeMs > taken, { timeout: 5_000 });
    window.kill('SIGKILL');
    await window.exited;
    const killed = performance.now();
    await new FileLock(directory).run('a', quietContext, async ({ lock }) => lock.assertHeld());
    expect(performance.now() - killed).toBeLessThan(6_000);
  }, 40_000);

  test('says what the disk refuses', async () => {
    const file = path.join(scratchDirectory(), 'file');
    fs.writeFileSync(file, '');
    const turn = new FileLock(path.join(file, 'locks')).run('a', quietContext, async () => {});
    await expect(turn).rejects.toMatchObject({ code: 'state-unavailable' });
  });
});
