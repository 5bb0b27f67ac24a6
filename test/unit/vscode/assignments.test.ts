import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAssignments, parseAssignments, parseList } from '../../../src/vscode/assignments.ts';

const pairsOf = (text: string) => {
  const parsed = parseAssignments(text);
  return 'pairs' in parsed ? parsed.pairs : parsed;
};

test.each([
  ['', {}],
  ['A=1', { A: '1' }],
  ['A=1 B="two words"', { A: '1', B: 'two words' }],
  ["A='it\\'", { A: 'it\\' }],
  ['A=b=c', { A: 'b=c' }],
  ['A=', { A: '' }],
  ['A=\\"', { A: '"' }],
  ['__proto__=x', Object.fromEntries([['__proto__', 'x']])],
])('%s is read', (text, pairs) => {
  expect(pairsOf(text)).toEqual(pairs);
});

test.each([
  ['A', { problem: 'name', at: 'A' }],
  ['=x', { problem: 'name', at: '=x' }],
  ['A="x', { problem: 'quote', at: 'A=x' }],
])('%s is refused', (text, problem) => {
  expect(pairsOf(text)).toEqual(problem);
});

test('what is written is read back as it was', () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]*$/);
  fc.assert(
    fc.property(fc.dictionary(name, fc.string({ unit: 'grapheme' })), pairs => {
      expect(pairsOf(formatAssignments(pairs))).toEqual({ ...pairs });
    }),
  );
});

test('lists are separated by blanks and commas', () => {
  expect(parseList(' a, b  c,,d ')).toEqual(['a', 'b', 'c', 'd']);
});
