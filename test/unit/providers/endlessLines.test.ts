import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { longestLine } from '../../../src/model/linesOf.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { CappedOutput } from '../../../src/providers/commandStreams.ts';
import { linesOf } from '../../../src/providers/docker/frames.ts';
import { followLog, readLog } from '../../../src/providers/local/serverLog.ts';
import { chunksAfterMark, sayMark } from '../../../src/providers/ssh/startMark.ts';

const megabyte = 1024 ** 2;
const size = 96 * megabyte;
const piece = Buffer.alloc(64 * 1024, 'a');
/** What an output without a line feed comes to; a second line follows it. */
const told = [`${'a'.repeat(longestLine)}… (${size - longestLine} more bytes)`, 'the end'];

/** Its cost is its length's: what is taken up again for each piece takes a minute. */
async function quickly<T>(work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  expect(performance.now() - began).toBeLessThan(15_000);
  return result;
}

const framed = (data: Buffer) => {
  const head = Buffer.alloc(8);
  head.writeUInt8(1);
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data]);
};

test('a line without an end that an engine sends', async () => {
  const pieces = function* () {
    for (let sent = 0; sent < size; sent += piece.length) yield framed(piece);
    yield framed(Buffer.from('\nthe end\n'));
  };
  const lines = await quickly(() => Readable.from(linesOf(Readable.from(pieces()))).toArray());
  expect(lines).toEqual(told);
});

test('a line without an end in a log, followed and read', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'server.log');
  await writeFile(file, 'before\n');
  const lines: string[] = [];
  const goesOn = async () => lines.length < told.length;
  await quickly(async () => {
    const following = followLog(file, 'the token', line => lines.push(line), goesOn, quietContext);
    await expect.poll(async () => (await readLog(file, 'the token', {})).lines).toEqual(['before']);
    for (let sent = 0; sent < size; sent += megabyte) await appendFile(file, Buffer.alloc(megabyte, 'a'));
    const { lines: last, truncated } = await readLog(file, 'the token', {});
    expect(truncated).toBe(true);
    expect(last).toEqual([`…${'a'.repeat(longestLine)}… (${4 * megabyte - longestLine} more bytes)`]);
    await appendFile(file, '\nthe end\n');
    await following;
  });
  expect(lines).toEqual(told);
  expect((await readLog(file, 'the token', {})).lines).toEqual(['the end']);
});

test('start files of a host that print without an end, before what is wanted', async () => {
  const after = chunksAfterMark();
  const mark = Buffer.from(`${sayMark.split("'")[1]}\n`);
  await quickly(async () => {
    for (let sent = 0; sent < size; sent += piece.length) expect(after(piece)).toEqual([]);
  });
  expect(after(mark.subarray(0, 7))).toEqual([]);
  expect(after(Buffer.concat([mark.subarray(7), Buffer.from('wanted')])).map(String)).toEqual(['wanted']);
});

test('what a program says without an end is kept in part', async () => {
  const pieces = function* () {
    for (let sent = 0; sent < size; sent += piece.length) yield piece;
  };
  expect(await quickly(() => CappedOutput.textOf(Readable.from(pieces())))).toBe('a'.repeat(megabyte));
});
