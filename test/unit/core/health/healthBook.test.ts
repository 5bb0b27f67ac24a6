import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { HealthBook } from '../../../../src/core/health/healthBook.ts';
import { lockLost, newerState } from '../../../../src/model/errors.ts';
import { type HealthStatus, InstanceHealth, type RecoveryAttempt } from '../../../../src/model/health.ts';
import { MemoryDisk, MemoryStore } from '../../../fakes/memoryStore.ts';

const interval = 20;
const id = 'aaaaaaaaaaaa';
const at = '2026-03-01T12:00:00.000Z';

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.parse(at) }));
afterEach(() => void vi.useRealTimers());
const settled = () => vi.advanceTimersByTimeAsync(0);

function health(over: Partial<InstanceHealth> = {}): InstanceHealth {
  return {
    id,
    schemaVersion: 1,
    revision: 0,
    observerEpoch: 1,
    status: 'healthy',
    since: at,
    reason: 'It answers.',
    checks: [],
    recovery: { attempts: [] },
    history: [],
    ...over,
  };
}

const attempt = (note: string): RecoveryAttempt => ({ rung: 'restart', cause: 'exited', at, outcome: 'failed', note });
const looping = { attempts: [attempt('one')], crashLoop: { since: at, reason: 'No rung is left.' } };

const pause = (current: InstanceHealth): InstanceHealth => ({ ...current, pausedSince: at });
const resume = ({ pausedSince: _, ...current }: InstanceHealth): InstanceHealth => current;
const reset = (current: InstanceHealth): InstanceHealth => ({ ...current, recovery: { attempts: [] } });

/** A window: its book, on a disk that others may share, and how often its views were told. */
function openWindow(disk = new MemoryDisk()) {
  const store = new MemoryStore(InstanceHealth, disk);
  const book = new HealthBook(store, () => interval);
  const told: (HealthStatus | undefined)[] = [];
  book.onDidChange(id => told.push(book.get(id)?.status));
  onTestFinished(() => book.dispose());
  return { book, store, disk, told, onDisk: async () => (await store.read(id)) ?? undefined };
}

/** Two windows that follow each other: the observer's, and another one. */
async function twoWindows() {
  const observer = openWindow();
  const other = openWindow(observer.disk);
  await observer.book.load();
  await other.book.load();
  return { ...observer, observer: observer.book, other: other.book, otherTold: other.told };
}

describe('what the observer puts', () => {
  test('now is shown at once, and on disk before the call resolves', async () => {
    const { book, told, onDisk } = openWindow();
    const written = book.put(health(), 'now');
    expect(book.get(id)).toEqual(health());
    await written;
    expect(await onDisk()).toEqual(health({ revision: 1 }));
    expect(book.list()).toEqual([health({ revision: 1 })]);
    expect(vi.getTimerCount()).toBe(0);
    await book.put(health({ revision: 1, status: 'degraded' }), 'now');
    expect(await onDisk()).toMatchObject({ status: 'degraded', revision: 2 });
    expect(told).toEqual(['healthy', 'degraded']);
  });

  test('later is shown at once, and on disk at the auto-save interval', async () => {
    const { book, told, onDisk } = openWindow();
    await book.put(health(), 'later');
    await book.put(health({ status: 'degraded' }), 'later');
    expect(book.list()).toEqual([health({ status: 'degraded' })]);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(interval * 1000 - 1);
    expect(await onDisk()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await onDisk()).toEqual(health({ status: 'degraded', revision: 1 }));
    expect(told).toEqual(['healthy', 'degraded']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('with the next is shown at once, and on disk with whatever is written of that instance', async () => {
    const { book, told, onDisk } = openWindow();
    await book.put(health(), 'with-the-next');
    await book.flush();
    expect([book.get(id), told, vi.getTimerCount(), await onDisk()]).toEqual([health(), ['healthy'], 0, undefined]);
    await book.amend(id, pause);
    expect(await onDisk()).toEqual(health({ pausedSince: at, revision: 1 }));
    await book.put(health({ revision: 1, status: 'degraded' }), 'later');
    await book.put(health({ revision: 1, status: 'degraded', reason: 'It is slow.' }), 'with-the-next');
    await book.flush();
    const expected = health({ revision: 2, status: 'degraded', reason: 'It is slow.', pausedSince: at });
    expect([await onDisk(), book.get(id)]).toEqual([expected, expected]);
    await book.put(expected, 'with-the-next');
    await book.flush();
    expect(await onDisk()).toEqual(expected);
  });

  test('other windows show', async () => {
    const { observer, other, otherTold } = await twoWindows();
    await observer.put(health(), 'now');
    await settled();
    expect(other.get(id)).toEqual(health({ revision: 1 }));
    expect(otherTold).toEqual(['healthy']);
    expect(openWindow().book.list()).toEqual([]);
  });

  test('is written when its window closes', async () => {
    const { book, onDisk } = openWindow();
    await book.put(health(), 'later');
    await book.dispose();
    expect(await onDisk()).toEqual(health({ revision: 1 }));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is written by few writers at once, and what is urgent does not queue', async () => {
    const { book, store } = openWindow();
    const update = store.update.bind(store);
    const free = Promise.withResolvers<void>();
    const begun: string[] = [];
    store.update = async (id, change) => {
      begun.push(id);
      await free.promise;
      return update(id, change);
    };
    for (let n = 0; n < 20; n += 1) await book.put(health({ id: `${n}`.padStart(12, '0') }), 'later');
    const flushed = book.flush();
    await settled();
    expect(begun).toHaveLength(8);
    const urgent = book.put(health(), 'now');
    await settled();
    expect(begun.at(-1)).toBe(id);
    free.resolve();
    await Promise.all([flushed, urgent]);
    expect((await store.load()).records).toHaveLength(21);
  });

  test('is kept and tried again when it could not be written', async () => {
    const { book, store, onDisk } = openWindow();
    const update = store.update.bind(store);
    store.update = async () => {
      throw lockLost(id);
    };
    await expect(book.put(health(), 'now')).rejects.toMatchObject({ code: 'lock-lost' });
    await expect(book.flush()).rejects.toMatchObject({ code: 'lock-lost' });
    expect(book.get(id)).toEqual(health());
    store.update = update;
    await vi.advanceTimersByTimeAsync(interval * 1000);
    expect(await onDisk()).toEqual(health({ revision: 1 }));
  });

  test('is given up when it can never be written', async () => {
    const { book, store, told } = openWindow();
    store.update = async () => {
      throw newerState(store.fileOf(id), 2);
    };
    await expect(book.put(health(), 'now')).rejects.toMatchObject({ code: 'newer-state' });
    expect([book.get(id), told, vi.getTimerCount()]).toEqual([undefined, ['healthy', undefined], 0]);
  });
});

describe('an observer that was followed by another one', () => {
  test('changes nothing, whether it knows that or not', async () => {
    for (const knows of [true, false]) {
      for (const write of ['now', 'later'] as const) {
        const stale = openWindow();
        await stale.book.put(health(), 'now');
        if (knows) await stale.book.load();
        const current = openWindow(stale.disk);
        await current.book.load();
        await current.book.put(health({ revision: 1, observerEpoch: 2, status: 'degraded' }), 'now');
        await settled();
        const update = vi.spyOn(stale.store, 'update');
        await stale.book.put(health({ revision: 1, status: 'unhealthy' }), write);
        await stale.book.flush();
        expect(update).toHaveBeenCalledTimes(knows ? 0 : 1);
        const expected = health({ revision: 2, observerEpoch: 2, status: 'degraded' });
        expect([await stale.onDisk(), stale.book.get(id)]).toEqual([expected, expected]);
        expect(stale.told.at(-1)).toBe('degraded');
      }
    }
  });

  test('sees what it had put and not written give way', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await observer.put(health(), 'now');
    await settled();
    await observer.put(health({ revision: 1, status: 'unhealthy' }), 'later');
    await other.put(health({ revision: 1, observerEpoch: 2 }), 'now');
    await settled();
    expect(observer.get(id)).toEqual(health({ revision: 2, observerEpoch: 2 }));
    await observer.flush();
    expect(await onDisk()).toEqual(health({ revision: 2, observerEpoch: 2 }));
  });
});

describe('what a person wants', () => {
  test('stands, whatever the observer puts that did not know of it', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await observer.put(health({ recovery: looping }), 'now');
    await settled();
    const before = observer.get(id) ?? health();
    await other.amend(id, pause);
    await other.amend(id, reset);
    for (const write of ['later', 'now'] as const) {
      await observer.put({ ...before, status: 'unhealthy' }, write);
      await observer.flush();
      await settled();
      for (const seen of [await onDisk(), observer.get(id), other.get(id)]) {
        expect(seen).toMatchObject({ status: 'unhealthy', pausedSince: at, recovery: { attempts: [] } });
        expect(seen?.recovery.crashLoop).toBeUndefined();
      }
    }
    const paused = observer.get(id) ?? health();
    await other.amend(id, resume);
    await observer.put({ ...paused, status: 'healthy' }, 'now');
    expect((await onDisk())?.pausedSince).toBeUndefined();
  });

  test('stands in the window of the observer too, before and after what was put is written', async () => {
    const { book, onDisk } = openWindow();
    await book.put(health({ recovery: looping }), 'later');
    await book.amend(id, reset);
    await book.amend(id, pause);
    expect(book.get(id)).toMatchObject({ pausedSince: at, recovery: { attempts: [] } });
    await book.put(health({ recovery: looping }), 'later');
    expect(book.get(id)).toMatchObject({ pausedSince: at, recovery: { attempts: [] } });
    await book.flush();
    expect(book.get(id)).toMatchObject({ pausedSince: at, recovery: { attempts: [] } });
    expect(await onDisk()).toEqual(book.get(id));
  });

  test('does not keep the observer from going on', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await observer.put(health({ recovery: looping }), 'now');
    await settled();
    const before = observer.get(id) ?? health();
    await observer.put({ ...before, reason: 'It was looked at again.' }, 'later');
    await other.amend(id, reset);
    await settled();
    const known = observer.get(id) ?? health();
    const since = { attempts: [attempt('two')], crashLoop: looping.crashLoop };
    await observer.put({ ...known, recovery: since }, 'now');
    expect((await onDisk())?.recovery).toMatchObject(since);
    await observer.put(before, 'now');
    expect((await onDisk())?.recovery).toMatchObject(since);
  });

  test('is a reset only where the counters were changed', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await observer.put(health(), 'now');
    await settled();
    const before = observer.get(id) ?? health();
    await other.amend(id, pause);
    await observer.put({ ...before, recovery: looping }, 'now');
    expect((await onDisk())?.recovery).toEqual(looping);
  });

  test('is written under the epoch of the observer, and says all else until that puts something', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await observer.put(health({ observerEpoch: 7 }), 'now');
    await settled();
    await other.amend(id, current => ({ ...pause(current), observerEpoch: 9, reason: 'It is paused.' }));
    await settled();
    const paused = health({ observerEpoch: 7, revision: 2, pausedSince: at, reason: 'It is paused.' });
    expect([await onDisk(), observer.get(id), other.get(id)]).toEqual([paused, paused, paused]);
    await observer.put(health({ observerEpoch: 7, revision: 1 }), 'now');
    expect(await onDisk()).toEqual({ ...paused, revision: 3, reason: 'It answers.' });
  });

  test('includes what was put and not written', async () => {
    const { book, onDisk } = openWindow();
    await book.put(health({ reason: 'It was seen.' }), 'later');
    await book.amend(id, current => ({ ...pause(current), status: 'unknown' }));
    const amended = health({ reason: 'It was seen.', status: 'unknown', pausedSince: at, revision: 1 });
    expect([await onDisk(), book.get(id)]).toEqual([amended, amended]);
    await book.flush();
    expect(await onDisk()).toEqual(amended);
  });

  test('can be said before anybody looked at the instance', async () => {
    const { observer, other, onDisk } = await twoWindows();
    await other.amend(id, pause);
    expect(await onDisk()).toMatchObject({ status: 'unknown', pausedSince: at, observerEpoch: 0, revision: 1 });
    await observer.put(health(), 'now');
    expect(await onDisk()).toEqual(health({ pausedSince: at, revision: 2 }));
  });

  test('that cannot be written is told to the person', async () => {
    const { book, store } = openWindow();
    store.update = async () => {
      throw lockLost(id);
    };
    await expect(book.amend(id, pause)).rejects.toMatchObject({ code: 'lock-lost' });
    expect(book.get(id)).toBeUndefined();
  });
});

describe('forgetting', () => {
  test('is for all windows, and nothing brings the instance back that knew it before', async () => {
    const { observer, other, onDisk, otherTold } = await twoWindows();
    await observer.put(health(), 'now');
    await settled();
    await observer.put(health({ revision: 1, status: 'degraded' }), 'later');
    await other.forget(id);
    await observer.flush();
    await observer.put(health({ revision: 1, status: 'degraded' }), 'now');
    await settled();
    expect([await onDisk(), observer.get(id), other.get(id), observer.list()]).toEqual([
      undefined,
      undefined,
      undefined,
      [],
    ]);
    expect(otherTold).toEqual(['healthy', undefined]);
    await observer.put(health(), 'now');
    expect(await onDisk()).toEqual(health({ revision: 1 }));
  });

  test('takes along what was put and not written', async () => {
    const { book, onDisk } = openWindow();
    await book.put(health(), 'later');
    await book.forget(id);
    await book.flush();
    expect([book.get(id), await onDisk()]).toEqual([undefined, undefined]);
  });
});

describe('following', () => {
  test('an older reading never hides a later write', async () => {
    const { observer, other, store } = await twoWindows();
    await observer.put(health(), 'now');
    await settled();
    const read = store.read.bind(store);
    const late = Promise.withResolvers<void>();
    store.read = async id => {
      const record = await read(id);
      await late.promise;
      return record;
    };
    await other.amend(id, pause);
    await settled();
    await observer.put(health({ revision: 1, status: 'degraded' }), 'now');
    late.resolve();
    await settled();
    expect(observer.get(id)).toMatchObject({ status: 'degraded', revision: 3 });
  });

  test('a record that was removed and made anew elsewhere is shown as it is', async () => {
    const { observer, other, onDisk } = await twoWindows();
    for (let revision = 0; revision < 3; revision += 1) await observer.put(health({ revision }), 'now');
    await observer.dispose();
    await other.forget(id);
    await other.put(health({ status: 'degraded' }), 'now');
    await observer.amend(id, pause);
    expect(observer.get(id)).toEqual(health({ status: 'degraded', pausedSince: at, revision: 2 }));
    expect(await onDisk()).toEqual(observer.get(id));
  });

  test('says which files could not be read', async () => {
    const { book, store } = openWindow();
    const quarantined = [{ file: 'x.json', reason: 'torn' }];
    store.load = async () => ({ records: [health()], quarantined, unread: [] });
    expect(await book.load()).toEqual(quarantined);
    expect(book.list()).toEqual([health()]);
  });
});

describe('whatever comes between', () => {
  const windows = 3;
  const window = fc.nat({ max: windows - 1 });
  const command = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        /** By the one who observes, or by the one before. */
        stale: fc.boolean(),
        /** Made from what was shown now, or from what was shown at an earlier command. */
        age: fc.nat({ max: 4 }),
        write: fc.constantFrom('now' as const, 'later' as const),
        gives: fc.constantFrom('nothing', 'attempt', 'crashLoop'),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('amend' as const), window, act: fc.constantFrom(pause, resume, reset) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), window }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeOver' as const), window }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.nat({ max: 4 }) }) },
  );

  test('no wish of a person is lost, no observer falls behind another, and the last word is the last one', async () => {
    vi.useRealTimers();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(command, { maxLength: 25 }), async (scheduler, commands) => {
        const disk = new MemoryDisk();
        /** Every version of the record, and whose act made it. */
        const versions: { by: string; record: InstanceHealth }[] = [];
        let by = '';
        const books = Array.from({ length: windows }, () => {
          const store = new MemoryStore(InstanceHealth, disk);
          const update = store.update.bind(store);
          store.update = async (id, change) => {
            await scheduler.schedule(Promise.resolve());
            const written = await update(id, current => {
              by = 'put';
              return change(current);
            });
            if (written && written.revision > versions.length) versions.push({ by, record: written });
            await scheduler.schedule(Promise.resolve());
            return written;
          };
          const read = store.read.bind(store);
          store.read = async id => scheduler.schedule(read(id));
          return new HealthBook(store, () => 3_600);
        });
        await Promise.all(books.map(book => book.load()));
        const bookOf = (window: number) => books[window] as HealthBook;
        let [epoch, observer, before] = [1, 0, 0];
        const shown = books.map((): (InstanceHealth | undefined)[] => []);
        const lastWords = new Map<number, string>();
        const running: Promise<unknown>[] = [];

        for (const [index, command] of commands.entries()) {
          for (const [window, book] of books.entries()) shown[window]?.unshift(book.get(id));
          if (command.kind === 'takeOver') {
            if (command.window !== observer) [epoch, before, observer] = [epoch + 1, observer, command.window];
          } else if (command.kind === 'flush') {
            running.push(bookOf(command.window).flush());
          } else if (command.kind === 'wait') {
            for (let turn = 0; turn < command.turns && scheduler.count() > 0; turn += 1) await scheduler.waitOne();
          } else if (command.kind === 'amend') {
            const act = (current: InstanceHealth) => {
              by = command.act.name;
              return command.act(current);
            };
            running.push(bookOf(command.window).amend(id, act));
          } else {
            const isStale = command.stale && epoch > 1;
            const window = isStale ? before : observer;
            const base = shown[window]?.at(command.age) ?? shown[window]?.[0] ?? health();
            const { attempts } = base.recovery;
            const own = `${base.revision}`;
            const next: InstanceHealth = {
              ...base,
              observerEpoch: isStale ? epoch - 1 : epoch,
              reason: `${index}`,
              recovery: {
                ...base.recovery,
                ...(command.gives === 'attempt' ? { attempts: [...attempts, attempt(own)] } : {}),
                ...(command.gives === 'crashLoop' ? { crashLoop: { since: at, reason: own } } : {}),
              },
            };
            lastWords.set(next.observerEpoch, next.reason);
            running.push(bookOf(window).put(next, command.write));
          }
        }
        const all = Promise.all(running).then(() => Promise.all(books.map(book => book.flush())));
        await scheduler.waitFor(all);

        let lastReset = 0;
        for (const [index, { by, record }] of versions.entries()) {
          const earlier = versions[index - 1]?.record;
          expect(record.observerEpoch).toBeGreaterThanOrEqual(earlier?.observerEpoch ?? 0);
          if (by === 'pause') expect(record.pausedSince).toBe(at);
          else if (by === 'resume') expect(record.pausedSince).toBeUndefined();
          else expect(record.pausedSince).toBe(earlier?.pausedSince);
          if (by === 'reset') lastReset = record.revision;
          const { attempts, crashLoop } = record.recovery;
          const madeFrom = [...attempts.map(({ note }) => note), crashLoop?.reason].filter(each => each !== undefined);
          for (const revision of madeFrom) expect(Number(revision)).toBeGreaterThanOrEqual(lastReset);
        }
        const last = versions.at(-1)?.record;
        const lastWord = lastWords.get(Math.max(...lastWords.keys()));
        if (lastWord !== undefined) expect(last?.reason).toBe(lastWord);
        for (const book of books) {
          await scheduler.waitIdle();
          expect(book.get(id)).toEqual(last);
          await book.dispose();
        }
      }),
      { numRuns: 500 },
    );
  });
});
