import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InstanceName, NewInstanceName } from '../../../src/model/instance.ts';
import { looksLike } from '../../../src/model/lookalike.ts';
import { visible } from '../../../src/model/textCut.ts';

describe('names that look alike', () => {
  test.each([
    ['prod', 'Prod', 'another case'],
    ['prod', 'pr\u043Ed', 'a Cyrillic o'],
    ['prod', 'РROD', 'a Cyrillic capital letter in another case'],
    ['prod', 'prod\u034F', 'a joiner that nobody sees'],
    ['prod', 'prod\u3164', 'a Hangul filler'],
    ['prod', '\u115Fprod', 'another filler'],
    ['prod', 'ｐｒｏｄ', 'full width'],
    ['prod', '𝐩𝐫𝐨𝐝', 'mathematical letters'],
    ['web-1', 'web-l', 'a digit and a letter'],
    ['web-I', 'web-l', 'a capital I and a small l'],
    ['web-I', 'WEB-l', 'the same, beside other letters in another case'],
    ['box 0', 'box O', 'a zero'],
    ['warm', 'warrn', 'two letters for one'],
    ['größe', 'gro\u0308ße', 'a mark of its own'],
    ['größe', 'GRÖSSE', 'a letter without a capital'],
    ['ὈΔΟΣ', 'ὀδος', 'two forms of a small letter'],
    ['a  b', 'a b', 'two spaces'],
    ['file', 'ﬁle', 'a ligature'],
    ['scope', 'ѕсоре', 'five Cyrillic letters'],
  ])('%j and %j: %s', (one, other) => {
    expect([looksLike(one)(other), looksLike(other)(one)]).toEqual([true, true]);
  });

  test.each([
    ['prod', 'prod-2'],
    ['prod', 'pród'],
    ['web-1', 'web-2'],
    ['dev', 'test'],
    ['ada', 'ａdb'],
  ])('%j and %j do not', (one, other) => {
    expect([looksLike(one)(other), looksLike(other)(one)]).toEqual([false, false]);
  });

  test('any name looks like itself, whatever its case, its form and what nobody sees in it', () => {
    const unseen = fc.constantFrom('', '\u034F', '\u3164', '\u115F', '\u17B4', '\uFE0F', '\u200B');
    const name = fc.stringMatching(/^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._-]{0,30}$/u);
    fc.assert(
      fc.property(name, unseen, fc.nat(30), (text, character, at) => {
        const place = [...text].slice(0, at).join('').length;
        const like = looksLike(text);
        expect(like(text)).toBe(true);
        expect(like(text.normalize('NFD'))).toBe(true);
        expect(like(text.toUpperCase()) || text.toUpperCase().toLowerCase() !== text.toLowerCase()).toBe(true);
        expect(like(text.slice(0, place) + character + text.slice(place))).toBe(true);
      }),
      { seed: 45, numRuns: 500 },
    );
  });
});

describe('a name that is given', () => {
  test.each(['prod\u034F', 'prod\u3164', 'p\u115Frod', 'pro\u17B4d'])(
    '%j is refused now, and read from older records',
    name => {
      expect(NewInstanceName.safeParse(name).error?.issues[0]?.message).toBe(
        'must not hold characters that nobody sees',
      );
      expect(InstanceName.safeParse(name).success).toBe(true);
      expect(visible(name)).toMatch(/\\u\{/);
    },
  );
});
