import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { NoticeBook } from '../../../src/vscode/noticeBook.ts';

let directory = '';
beforeEach(() => {
  const parent = mkdtempSync(path.join(tmpdir(), 'notices-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  directory = path.join(parent, 'notices');
});

const event = (since: string) => ({ kind: 'crash-loop', since }) as const;
const first = event('2026-01-01T00:00:00.000Z');

test('of many windows one tells', async () => {
  const windows = Array.from({ length: 12 }, () => new NoticeBook(directory));
  const told = await Promise.all(windows.map(window => window.claim('abc', first)));
  expect(told.filter(Boolean)).toHaveLength(1);
});

test('an event is told once, the next one again, and only the last is kept', async () => {
  const book = new NoticeBook(directory);
  expect(await book.claim('abc', first)).toBe(true);
  expect(await book.claim('abc', first)).toBe(false);
  expect(await book.claim('abc', event('2026-01-02T00:00:00.000Z'))).toBe(true);
  expect(await book.claim('abc', { ...first, kind: 'disk-full' })).toBe(true);
  expect(await book.claim('xyz', first)).toBe(true);
  expect(readdirSync(directory)).toHaveLength(3);
});

test('where nothing can be written nobody claims', async () => {
  await expect(new NoticeBook('/dev/null/notices').claim('abc', first)).rejects.toThrow();
});
