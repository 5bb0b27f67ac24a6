import fs from 'node:fs';
import { open } from 'node:fs/promises';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FileAppendLog } from '../../../src/storage/appendLog.ts';
import { scratchDirectory } from './scratch.ts';

const today = (time: string) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(time) });
  onTestFinished(() => void vi.useRealTimers());
};

describe('FileAppendLog', () => {
  test('a folder that is not there holds nothing, and is not made by looking', async () => {
    const directory = path.join(scratchDirectory(), 'audit');
    expect(await new FileAppendLog(directory, 'one').readAll()).toEqual([]);
    expect(fs.existsSync(directory)).toBe(false);
  });

  test('keeps lines in the order of the calls, in a file that only its owner reads', async () => {
    const directory = path.join(scratchDirectory(), 'audit');
    const log = new FileAppendLog(directory, 'one');
    today('2026-03-01T12:00:00Z');
    await Promise.all(['a', 'b', 'c'].map(line => log.append(line)));
    const [name = '', ...more] = fs.readdirSync(directory);
    expect([name, more]).toEqual([expect.stringMatching(/^2026-03-01-one-[0-9a-f]{8}\.jsonl$/), []]);
    const file = path.join(directory, name);
    expect(fs.readFileSync(file, 'utf8')).toBe('a\nb\nc\n');
    expect([fs.statSync(file).mode & 0o777, fs.statSync(directory).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test('begins a file a day, and never goes back when the clock does', async () => {
    const directory = scratchDirectory();
    const log = new FileAppendLog(directory, 'one');
    for (const [time, line] of [
      ['2026-03-01T23:59:59Z', 'a'],
      ['2026-03-02T00:00:01Z', 'b'],
      ['2026-03-01T23:59:58Z', 'c'],
    ] as const) {
      today(time);
      await log.append(line);
    }
    const days = fs.readdirSync(directory).map(name => name.slice(0, 10));
    expect(days.sort()).toEqual(['2026-03-01', '2026-03-02']);
    expect(await log.readAll()).toEqual([{ writer: expect.stringMatching(/^one-/), lines: ['a', 'b', 'c'] }]);
  });

  test('reads every writer, and nothing but logs', async () => {
    const directory = scratchDirectory();
    await new FileAppendLog(directory, 'one').append('of one');
    await new FileAppendLog(directory, 'two').append('of two');
    fs.writeFileSync(path.join(directory, 'notes.txt'), 'x\n');
    const all = await new FileAppendLog(directory, 'three').readAll();
    expect(all).toEqual([
      { writer: expect.stringMatching(/^one-/), lines: ['of one'] },
      { writer: expect.stringMatching(/^two-/), lines: ['of two'] },
    ]);
  });

  test('whatever it is named, finds itself again and shares its file with nobody', async () => {
    const directory = scratchDirectory();
    const names = ["Ann's-Desk.local-4242", "Ann's-Desk.local-4242", '../outside/ü'];
    for (const name of names) await new FileAppendLog(directory, name).append(name);
    const all = await new FileAppendLog(directory, 'reader').readAll();
    expect(all.map(({ lines }) => lines).sort()).toEqual(names.map(name => [name]).sort());
    expect(fs.readdirSync(directory)).toHaveLength(3);
  });

  test('shows a line that was cut off as a line', async () => {
    const directory = scratchDirectory();
    fs.writeFileSync(path.join(directory, '2026-03-01-one.jsonl'), 'whole\nhal');
    expect(await new FileAppendLog(directory, 'two').readAll()).toEqual([{ writer: 'one', lines: ['whole', 'hal'] }]);
  });

  test('takes back what it could not flush, says so, and goes on when it can', async () => {
    const directory = scratchDirectory();
    const log = new FileAppendLog(directory, 'one');
    await log.append('a');
    const handle = await open(directory, 'r');
    await handle.close();
    const flush = vi.spyOn(Object.getPrototypeOf(handle), 'datasync').mockRejectedValue(new Error('ENOSPC: disk full'));
    onTestFinished(() => flush.mockRestore());
    await expect(log.append('b')).rejects.toThrow('disk full');
    flush.mockRestore();
    await log.append('c');
    expect((await log.readAll()).map(({ lines }) => lines)).toEqual([['a', 'c']]);
  });
});
