import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeRevision, replaceRevision } from '../../../src/providers/local/fileRevision.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'remote-swarm-revision-'));
  file = path.join(folder, 'mark');
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

test('only the revision that was read is removed or replaced, and nothing is left beside it', () => {
  removeRevision(file, 'mine');
  expect(replaceRevision(file, 'mine', 'next')).toBe(false);
  fs.writeFileSync(file, 'another');
  removeRevision(file, 'mine');
  expect(replaceRevision(file, 'mine', 'next')).toBe(false);
  expect(fs.readFileSync(file, 'utf8')).toBe('another');
  expect(replaceRevision(file, 'another', 'next')).toBe(true);
  expect(fs.readFileSync(file, 'utf8')).toBe('next');
  expect(fs.readdirSync(folder)).toEqual(['mark']);
  removeRevision(file, 'next');
  expect(fs.readdirSync(folder)).toEqual([]);
});
