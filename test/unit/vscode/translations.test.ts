import { globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const german: Record<string, string> = JSON.parse(readFileSync(path.join(root, 'l10n/bundle.l10n.de.json'), 'utf8'));
const sources = globSync('src/{vscode,operations}/**/*.ts', { cwd: root }).map(file =>
  readFileSync(path.join(root, file), 'utf8'),
);
const literal = /\b(?:t|translate)\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g;
const texts = new Set(
  sources.flatMap(source =>
    [...source.matchAll(literal)].map(([, single, double]) => (single ?? double ?? '').replace(/\\(.)/g, '$1')),
  ),
);
const placeholders = (text: string) => [...text.matchAll(/\{\d\}/g)].map(([place]) => place).toSorted();

test('every text that people see has a German one, and none is left over', () => {
  expect(texts.size).toBeGreaterThan(100);
  expect(Object.keys(german).toSorted()).toEqual([...texts].toSorted());
});

test('no text is put together from a template, which nobody could translate', () => {
  expect(sources.filter(source => /\b(?:t|translate)\(\s*`/.test(source))).toEqual([]);
});

test('both languages have the same places for values, and the same icons', () => {
  for (const [english, text] of Object.entries(german)) {
    expect([english, placeholders(text)]).toEqual([english, placeholders(english)]);
    expect([english, /^\$\([\w-]+\)/.exec(text)?.[0]]).toEqual([english, /^\$\([\w-]+\)/.exec(english)?.[0]]);
  }
});
