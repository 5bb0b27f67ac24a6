import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { writerTo } from '../../../src/providers/homeProgram.ts';
import { readAhead } from '../../../src/providers/readAhead.ts';

const whole = (chunk: Buffer) => [chunk];
const kilobytes = (count: number) => Array.from({ length: count }, (_, index) => Buffer.alloc(1024, index));

describe('a stream that is read ahead', () => {
  test('gives all that came, also when it ended before anybody read', async () => {
    const source = new PassThrough();
    const ahead = readAhead(source, whole);
    source.end('all of it');
    await once(source, 'end');
    expect((await buffer(ahead)).toString()).toBe('all of it');
  });

  test('gives what is wanted of each chunk', async () => {
    const ahead = readAhead(Readable.from([Buffer.from('1a'), Buffer.from('2b')]), chunk => [chunk.subarray(1)]);
    expect((await buffer(ahead)).toString()).toBe('ab');
  });

  test('is not read further than a little ahead', async () => {
    let given = 0;
    const endless = new Readable({
      read() {
        given += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const ahead = readAhead(endless, whole);
    for (let turns = 0; turns < 100; turns++) await turn();
    expect(given).toBeLessThan(1_000_000);
    for (let taken = 0; taken < 3_000_000; ) taken += (await ahead.next()).value?.length ?? 0;
    expect(given).toBeLessThan(4_000_000);
    endless.destroy();
  });

  test('says that it broke, after what came before', async () => {
    const source = new PassThrough();
    const ahead = readAhead(source, whole);
    const came = once(source, 'data');
    source.write('half');
    await came;
    source.destroy(new Error('the connection was lost'));
    expect((await ahead.next()).value?.toString()).toBe('half');
    await expect(ahead.next()).rejects.toThrow('the connection was lost');
  });
});

describe('an input', () => {
  test('gets everything in order, and holds little that waits', async () => {
    const sent = kilobytes(2_000);
    const got: Buffer[] = [];
    const slow = new Writable({
      write(chunk: Buffer, _, taken) {
        got.push(Buffer.from(chunk));
        setImmediate(taken);
      },
    });
    const write = writerTo(slow);
    for (const chunk of sent) {
      await write(chunk);
      expect(slow.writableLength).toBeLessThanOrEqual(256 * 1024);
    }
    slow.end();
    await once(slow, 'finish');
    expect(Buffer.concat(got).equals(Buffer.concat(kilobytes(2_000)))).toBe(true);
  });

  test('gives back the memory of what was written, and none that others have a part of', async () => {
    const written = Promise.withResolvers<void>();
    const slow = new Writable({ write: (_chunk, _, taken) => void written.promise.then(() => taken()) });
    const write = writerTo(slow);
    const [own = expect.fail()] = kilobytes(1);
    const part = Buffer.alloc(2_048).subarray(1_024);
    for (const chunk of [own, part]) await write(chunk);
    expect([own.length, part.length]).toEqual([1_024, 1_024]);
    written.resolve();
    slow.end();
    await once(slow, 'finish');
    expect([own.length, part.length]).toEqual([0, 1_024]);
  });

  test('that broke takes everything, also what waits for it', async () => {
    const stuck = new Writable({ write() {} });
    const write = writerTo(stuck);
    const waiting = write(Buffer.alloc(1_000_000));
    stuck.destroy(new Error('gone'));
    await waiting;
    await write(Buffer.from('more'));
    expect(stuck.destroyed).toBe(true);
  });
});
