import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineReader, longestLine } from '../../../src/model/linesOf.ts';

/** What it takes out of the bytes, cut so. */
function linesIn(bytes: Uint8Array, cuts: readonly number[], most?: number): string[] {
  const reader = new LineReader(most);
  const ends = [...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  const lines = ends.flatMap(end => {
    const piece = Uint8Array.from(bytes.subarray(from, end));
    from = end;
    const found = reader.take(piece);
    piece.fill(0);
    return found;
  });
  return [...lines, reader.rest()];
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('lines of a stream', () => {
  test('are the same however it is cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'ä', '€', '🙂', '\n', '\r'), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (whole, cuts) => {
        expect(linesIn(bytesOf(whole), cuts)).toEqual(whole.split('\n'));
      }),
    );
  });

  test('that are too long are cut, with a note of what is left out, and what follows is whole', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'ä', '€', '🙂', '\n'), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), fc.integer({ min: 1, max: 20 }), (whole, cuts, most) => {
        const found = linesIn(bytesOf(whole), cuts, most);
        for (const [index, line] of whole.split('\n').entries()) {
          const size = bytesOf(line).length;
          if (size <= most) expect(found[index]).toBe(line);
          else {
            const [, kept = '', left = ''] = /^(.*)… \((\d+) more bytes\)$/u.exec(found[index] ?? '') ?? [];
            expect(line.startsWith(kept)).toBe(true);
            expect(bytesOf(kept).length).toBeGreaterThan(most - 4);
            expect(Number(left)).toBe(size - most);
          }
        }
      }),
    );
  });

  test('cost what they are long, also when one has no end', () => {
    const chunk = new Uint8Array(64 * 1024).fill(97);
    const reader = new LineReader();
    const began = performance.now();
    for (let megabytes = 0; megabytes < 256; megabytes++) {
      for (let index = 0; index < 16; index++) expect(reader.take(chunk)).toHaveLength(0);
    }
    const [line = ''] = reader.take(bytesOf('\n'));
    expect(line).toBe(`${'a'.repeat(longestLine)}… (${256 * 1024 ** 2 - longestLine} more bytes)`);
    // What is added again and again to what is there takes minutes for it.
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
