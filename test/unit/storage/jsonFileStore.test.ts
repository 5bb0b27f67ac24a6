import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { Counter, counter, increment } from './counter.ts';
import { recordStoreSuite } from './recordStoreSuite.ts';
import { scratchDirectory, startWindow } from './scratch.ts';

const openAt = (directory: string) => new JsonFileStore(directory, Counter, 1);

/** Files below a folder of state, by name, as text of one character a byte. */
function filesOf(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = names.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map(file => [path.relative(directory, file), fs.readFileSync(file, 'latin1')]));
}

recordStoreSuite('JsonFileStore', async () => {
  const directory = path.join(scratchDirectory(), 'state', 'records');
  return { one: openAt(directory), other: openAt(directory) };
});

describe('a record on disk', () => {
  test('is one file that only its owner reads, with nothing left beside it', async () => {
    const directory = path.join(scratchDirectory(), 'records');
    const store = openAt(directory);
    await store.update('aaaa', increment('aaaa'));
    expect(Object.keys(filesOf(directory))).toEqual(['aaaa.json']);
    expect(store.fileOf('aaaa')).toBe(path.join(directory, 'aaaa.json'));
    expect(fs.statSync(store.fileOf('aaaa')).mode & 0o777).toBe(0o600);
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    expect(JSON.parse(fs.readFileSync(store.fileOf('aaaa'), 'utf8'))).toEqual({ ...counter('aaaa', 1), revision: 1 });
  });

  test('of a newer version is reported, and stays as it is', async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    await store.update('aaaa', increment('aaaa'));
    const text = JSON.stringify({ id: 'bbbb', schemaVersion: 2, whatever: true });
    fs.writeFileSync(store.fileOf('bbbb'), text);
    const { records, quarantined, unread } = await store.load();
    expect(records.map(({ id }) => id)).toEqual(['aaaa']);
    expect(unread).toEqual(['bbbb']);
    expect(quarantined).toEqual([{ file: store.fileOf('bbbb'), reason: expect.stringContaining('newer version') }]);
    await expect(store.update('bbbb', increment('bbbb'))).rejects.toMatchObject({ code: 'newer-state' });
    await expect(store.update('bbbb', () => null)).rejects.toMatchObject({ code: 'newer-state' });
    await expect(store.read('bbbb')).rejects.toMatchObject({ code: 'newer-state' });
    expect(fs.readFileSync(store.fileOf('bbbb'), 'utf8')).toBe(text);
  });

  test('has to hold the id of its name', async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    fs.writeFileSync(store.fileOf('bbbb'), JSON.stringify(counter('aaaa')));
    expect((await store.load()).quarantined).toHaveLength(1);
    expect(await store.read('aaaa')).toBeNull();
  });

  test('is not looked for in files of other names', async () => {
    const directory = scratchDirectory();
    const strange = ['notes.json', 'aaaa.json.123.tmp', 'aaaa', '.json', 'AAAA.json', 'aaaa.json~'];
    for (const name of strange) fs.writeFileSync(path.join(directory, name), 'not JSON');
    expect(await openAt(directory).load()).toEqual({ records: [], quarantined: [], unread: [] });
    expect(Object.keys(filesOf(directory)).sort()).toEqual(strange.sort());
  });

  test('that cannot be read at all does not keep the others from loading', async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    await store.update('aaaa', increment('aaaa'));
    fs.mkdirSync(store.fileOf('bbbb'));
    const { records, quarantined } = await store.load();
    expect(records).toHaveLength(1);
    expect(quarantined).toEqual([{ file: store.fileOf('bbbb'), reason: expect.stringContaining('EISDIR') }]);
  });

  test('says what the disk refuses', async () => {
    const file = path.join(scratchDirectory(), 'file');
    fs.writeFileSync(file, '');
    const store = openAt(path.join(file, 'records'));
    await expect(store.load()).rejects.toMatchObject({ code: 'state-unavailable' });
    await expect(store.update('aaaa', increment('aaaa'))).rejects.toMatchObject({ code: 'state-unavailable' });
    expect(() => store.watch(() => {})).toThrow(expect.objectContaining({ code: 'state-unavailable' }));
  });
});

describe('an unreadable file', () => {
  const whole = Buffer.from(`${JSON.stringify({ ...counter('bbbb', 7), note: 'größer 🚢' }, null, 2)}\n`);
  const torn = fc.oneof(
    fc.nat({ max: whole.length }).map(length => whole.subarray(0, length)),
    fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
    fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      return bytes;
    }),
    fc.json().map(text => Buffer.from(text)),
    fc.integer({ min: 0x80, max: 0xff }).map(byte => {
      const bytes = Buffer.from(whole);
      bytes[bytes.indexOf('größer')] = byte;
      return bytes;
    }),
  );

  test('is either what was written, or lies in quarantine byte for byte; the rest loads', async () => {
    await fc.assert(
      fc.asyncProperty(torn, async bytes => {
        const directory = scratchDirectory();
        const store = openAt(directory);
        await store.update('aaaa', increment('aaaa'));
        fs.writeFileSync(store.fileOf('bbbb'), bytes);
        const { records, quarantined } = await store.load();
        expect(records.some(({ id }) => id === 'aaaa')).toBe(true);
        const readable = records.find(({ id }) => id === 'bbbb');
        if (readable) {
          const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
          expect(JSON.parse(text)).toMatchObject({
            id: 'bbbb',
            count: readable.count,
            note: readable.note,
          });
          expect(quarantined).toEqual([]);
          expect(fs.readFileSync(store.fileOf('bbbb')).equals(bytes)).toBe(true);
          return;
        }
        expect(quarantined).toHaveLength(1);
        expect(fs.readFileSync(quarantined[0]?.file ?? '').equals(bytes)).toBe(true);
        if (/newer version/.test(quarantined[0]?.reason ?? '')) return;
        expect(path.dirname(quarantined[0]?.file ?? '')).toBe(path.join(directory, 'quarantine'));
        expect(await store.update('bbbb', increment('bbbb'))).toMatchObject({ count: 1, revision: 1 });
      }),
      { numRuns: 150 },
    );
  });

  test('never takes the place of another one in quarantine', async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    for (const text of ['one', 'two', 'three']) {
      fs.writeFileSync(store.fileOf('aaaa'), text);
      expect(await store.read('aaaa')).toBeNull();
    }
    expect(Object.values(filesOf(path.join(directory, 'quarantine'))).sort()).toEqual(['one', 'three', 'two']);
  });
});

/** In the long form (REMOTE_SWARM_SOAK=1) and in the short one: updates, and milliseconds that a stopped window sleeps. */
const [updates, sleep] = process.env.REMOTE_SWARM_SOAK === '1' ? [10_000, 30_000] : [800, 5_000];

describe('several windows on one disk', () => {
  test(`eight processes lose none of ${updates} updates, nor do two more that are stopped in one and wake up`, async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    const ids = ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'];
    const sleepers = [
      startWindow('sleepyWindow.ts', directory, 'aaaa', 'read'),
      startWindow('sleepyWindow.ts', directory, 'bbbb', 'flushed'),
    ];
    await vi.waitUntil(() => sleepers.every(sleeper => sleeper.output() === 'stopping'), { timeout: 20_000 });
    const stopped = performance.now();
    const times = `${updates / 8 / ids.length}`;
    const windows = Array.from({ length: 8 }, () => startWindow('countingWindow.ts', directory, ids.join(), times));
    expect(await Promise.all(windows.map(window => window.exited))).toEqual(Array(8).fill(0));
    expect(performance.now() - stopped).toBeGreaterThan(5_000);
    await vi.waitUntil(() => performance.now() - stopped > sleep, { timeout: sleep + 1_000 });
    for (const sleeper of sleepers) sleeper.kill('SIGCONT');
    expect(await Promise.all(sleepers.map(sleeper => sleeper.exited))).toEqual([0, 0]);
    for (const sleeper of sleepers) expect(sleeper.output()).toBe('stopping\nlock-lost');
    const count = updates / ids.length;
    for (const id of ids) expect(await store.read(id)).toEqual({ ...counter(id, count), revision: count });
    expect(Object.keys(filesOf(directory)).sort()).toEqual(ids.map(id => `${id}.json`));
  }, 600_000);

  test('a window that is killed while it writes leaves a whole record, and the next one goes on', async () => {
    const directory = scratchDirectory();
    const store = openAt(directory);
    let count = 0;
    for (let kill = 0; kill < 2; kill += 1) {
      const window = startWindow('countingWindow.ts', directory, 'aaaa', '1000000');
      const enough = count + 20 + kill * 7;
      await vi.waitUntil(async () => ((await store.read('aaaa'))?.count ?? 0) > enough, {
        timeout: 20_000,
        interval: 1,
      });
      window.kill('SIGKILL');
      await window.exited;
      const { records, quarantined } = await store.load();
      expect(quarantined).toEqual([]);
      expect(records[0]?.revision).toBe(records[0]?.count);
      count = records[0]?.count ?? 0;
    }
    expect(await store.update('aaaa', increment('aaaa'))).toMatchObject({ count: count + 1 });
  }, 60_000);

  test('what somebody writes between the reading and the writing of an update stands', async () => {
    const store = openAt(scratchDirectory());
    await store.update('aaaa', increment('aaaa'));
    const byHand = JSON.stringify({ ...counter('aaaa', 100), revision: 1 });
    const update = store.update('aaaa', current => {
      fs.writeFileSync(store.fileOf('aaaa'), byHand);
      return increment('aaaa')(current);
    });
    await expect(update).rejects.toMatchObject({ code: 'lock-lost' });
    expect(fs.readFileSync(store.fileOf('aaaa'), 'utf8')).toBe(byHand);
  });

  test('what a killed process left unfinished is swept away at load, and what another is writing is not', async () => {
    const directory = scratchDirectory();
    const [left, busy] = [path.join(directory, 'locks', 'a.tmp'), path.join(directory, 'locks', 'b.tmp')];
    fs.mkdirSync(path.dirname(left));
    fs.writeFileSync(left, '');
    fs.utimesSync(left, 1, 1);
    fs.writeFileSync(busy, '');
    await openAt(directory).load();
    expect([fs.existsSync(left), fs.existsSync(busy)]).toEqual([false, true]);
  });
});

describe('watching', () => {
  test('hears of a record that a person edits, though the revision stays', async () => {
    const store = openAt(scratchDirectory());
    await store.update('aaaa', increment('aaaa'));
    const heard: string[] = [];
    const watch = store.watch(id => heard.push(id));
    onTestFinished(() => watch.dispose());
    fs.writeFileSync(store.fileOf('aaaa'), JSON.stringify({ ...counter('aaaa', 9), revision: 1 }));
    await vi.waitFor(() => expect(heard).toEqual(['aaaa']));
    expect(await store.read('aaaa')).toMatchObject({ count: 9 });
  });

  test('goes on, a little slower, where the system has no watch left to give', async () => {
    const { watch } = fs;
    fs.watch = () => {
      throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), { code: 'ENOSPC' });
    };
    syncBuiltinESMExports();
    onTestFinished(() => {
      fs.watch = watch;
      syncBuiltinESMExports();
    });
    const directory = scratchDirectory();
    const [one, other] = [openAt(directory), openAt(directory)];
    await other.update('bbbb', increment('bbbb'));
    await one.load();
    const heard: string[] = [];
    const subscription = one.watch(id => heard.push(id));
    onTestFinished(() => subscription.dispose());
    await one.update('cccc', increment('cccc'));
    await other.update('aaaa', increment('aaaa'));
    await vi.waitFor(() => expect(heard).toEqual(['aaaa']), { timeout: 3_000 });
    await other.update('bbbb', () => null);
    await vi.waitFor(() => expect(heard).toEqual(['aaaa', 'bbbb']), { timeout: 3_000 });
  });
});
