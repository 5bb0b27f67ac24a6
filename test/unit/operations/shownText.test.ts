import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shownText, shownValue, sizeLine } from '../../../src/operations/shownText.ts';
import { inEnglish } from '../../../src/operations/translate.ts';

const text = (of: string) => shownText(inEnglish, of);

describe('a text in a question', () => {
  test('what comes after many empty lines is seen', () => {
    const command = `echo hello${'\n'.repeat(401)}rm -rf ~`;
    expect(text(command)).toBe('echo hello\n⏎ ×400\nrm -rf ~');
    expect(sizeLine(inEnglish, command)).toBe('419 characters in 402 lines:');
  });

  test.each([
    ['a\u202Eb', 'a\\u{202e}b'],
    ['a\u200Bb\u034Fc\u3164', 'a\\u{200b}b\\u{34f}c\\u{3164}'],
    ['a\u2028b', 'a\\u{2028}b'],
    [`a${' '.repeat(500)}b`, 'a ␠×500 b'],
    ['a\t\tb', 'a⇥⇥b'],
    ['a\n\nb', 'a\n\nb'],
    [' \n\t\n  \n', '⏎ ×4'],
  ])('%j is shown as %j', (from, to) => {
    expect(text(from)).toBe(to);
  });

  test('of a long one both ends are seen, and how much is not', () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    const shown = text(lines.join('\n')).split('\n');
    expect(shown.slice(0, 2)).toEqual(['line 0', 'line 1']);
    expect(shown.slice(-2)).toEqual(['line 298', 'line 299']);
    expect(shown[20]).toMatch(/^… \d+ characters in 260 lines are not shown here …$/);
    const line = text(`${'x'.repeat(5000)} && curl evil`);
    expect(line).toMatch(/ … 4613 characters are not shown here … .* && curl evil$/);
    expect(line.length).toBeLessThan(500);
  });

  test('whatever it is: its last words are seen, nothing is hidden, and it stays short', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc
        .constantFrom('\n', ' ', '\t', '\u202E', '\u3164')
        .chain(one => fc.integer({ min: 1, max: 3000 }).map(n => one.repeat(n))),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
        const shown = text(`${pieces.join('')}rm -rf ~`);
        expect(shown.endsWith('rm -rf ~')).toBe(true);
        expect(shown).toMatch(
          /^[^\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\n]*(\n[^\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\n]*)*$/u,
        );
        expect(shown.length).toBeLessThan(12_000);
      }),
      { seed: 45, numRuns: 60 },
    );
  });
});

test('a value is one line, and says how long it is when it does not fit', () => {
  expect(shownValue(inEnglish, 'a\nb')).toBe('"a⏎b"');
  const long = shownValue(inEnglish, 'y'.repeat(2310));
  expect(long).toMatch(/^"y+…" \(2310 characters\)$/);
  expect(long.length).toBeLessThan(200);
});
