import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packFolder } from '../../../src/storage/packFolder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pack-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

describe('packing a folder', () => {
  test('takes every file, hidden and uncommitted ones and links too', async () => {
    mkdirSync(path.join(folder, 'a', '.git'), { recursive: true });
    writeFileSync(path.join(folder, 'a', '.git', 'HEAD'), 'ref');
    writeFileSync(path.join(folder, 'uncommitted'), 'work');
    symlinkSync('uncommitted', path.join(folder, 'link'));
    const chunks: Uint8Array[] = [];
    for await (const chunk of packFolder(folder, never)) chunks.push(chunk);
    const listed = execFileSync('tar', ['-t', '-f', '-'], { input: Buffer.concat(chunks), encoding: 'utf8' });
    expect(listed.trim().split('\n').sort()).toEqual([
      './',
      './a/',
      './a/.git/',
      './a/.git/HEAD',
      './link',
      './uncommitted',
    ]);
  });

  test('says which folder cannot be read', async () => {
    const missing = path.join(folder, 'missing');
    const read = async () => {
      for await (const _ of packFolder(missing, never));
    };
    await expect(read()).rejects.toMatchObject({
      code: 'folder-unreadable',
      message: expect.stringContaining(missing),
    });
  });

  test('a cancelled one ends with the reason of the cancellation', async () => {
    const cancelled = AbortSignal.abort(new DOMException('Cancelled.', 'AbortError'));
    const read = async () => {
      for await (const _ of packFolder(folder, cancelled));
    };
    await expect(read()).rejects.toMatchObject({ name: 'AbortError' });
  });
});
