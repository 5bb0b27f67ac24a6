import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frames, linesIn, linesOf, streamOf } from '../../../../src/providers/docker/frames.ts';

function framed(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
  const header = Buffer.from([stream === 'stdout' ? 1 : 2, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

/** The bytes in pieces of the given sizes, again and again. */
function pieces(bytes: Buffer, sizes: readonly number[]): Readable {
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return Readable.from(chunks);
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

const frame = fc.record({ stream: fc.constantFrom('stdout' as const, 'stderr' as const), data: fc.uint8Array() });
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

describe('a multiplexed stream', () => {
  test('gives both streams whole, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame), sizes, async (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ stream, data }) => framed(stream, data)));
        const got = await collect(frames(pieces(bytes, cuts)));
        for (const stream of ['stdout', 'stderr'] as const) {
          const of = (all: readonly { stream: string; data: Uint8Array }[]) =>
            Buffer.concat(all.filter(each => each.stream === stream).map(({ data }) => data)).toString('hex');
          expect(of(got)).toBe(of(sent));
        }
      }),
    );
  });

  test('that is cut in the middle gives what came', async () => {
    const bytes = Buffer.concat([framed('stdout', Buffer.from('whole')), framed('stdout', Buffer.from('half'))]);
    for (let cut = 0; cut < bytes.length; cut++) {
      const got = Buffer.concat(await collect(streamOf(Readable.from([bytes.subarray(0, cut)]), 'stdout'))).toString();
      expect('wholehalf'.startsWith(got)).toBe(true);
    }
  });

  test('gives lines in order, whatever a frame holds of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' })), sizes, async (texts, cuts) => {
        const lines = texts.map(text => text.replaceAll(/[\r\n]/g, ' '));
        const data = Buffer.from(lines.map(line => `${line}\n`).join(''));
        const parts: Buffer[] = [];
        for (let at = 0; at < data.length; at += 7) parts.push(framed('stdout', data.subarray(at, at + 7)));
        expect(await collect(linesOf(pieces(Buffer.concat(parts), cuts)))).toEqual(lines);
      }),
    );
  });

  test('gives the last line also without its line feed, and none of an empty log', async () => {
    expect(await linesIn(framed('stderr', Buffer.from('a\r\nb')))).toEqual(['a', 'b']);
    expect(await linesIn(Buffer.alloc(0))).toEqual([]);
  });
});
