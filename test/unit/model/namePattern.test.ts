import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { namePattern } from '../../../src/model/namePattern.ts';

/** What a pattern means, as a regular expression that may take its time. */
const meaning = (pattern: string) =>
  new RegExp(
    `^${pattern
      .replace(/[.[\]{}()|+^$\\/-]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')}$`,
  );

test('means what * and ? mean, and nothing else does', () => {
  const pattern = fc.string({
    unit: fc.constantFrom('a', 'b', '*', '?', '[', ']', '{', '}', ',', '!', '\\', '('),
    maxLength: 8,
  });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '[', '{', ',', '\\'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, name, (wanted, text) => {
      expect(namePattern(wanted)(text)).toBe(meaning(wanted).test(text));
    }),
    { seed: 45, numRuns: 3000 },
  );
});

test.each([
  ['prod*', 'PR\u043ED 1', true],
  ['pr?d', 'pr\u043Ed', true],
  ['w?b', 'w\u{1D41A}b', true],
  ['?', 'm', true],
  ['*m', 'warrn', true],
  ['{a,b}', 'a', false],
])('%j and %j: %j', (pattern, name, fits) => {
  expect(namePattern(pattern)(name)).toBe(fits);
});
