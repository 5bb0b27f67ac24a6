import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { exclusions, packFolder } from '../../../src/storage/packFolder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pack-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const tar = execFileSync('which', ['tar'], { encoding: 'utf8' }).trim();
const quiet = () => {};
/** Agreed to without a repository elsewhere. */
const asIs = (path: string) => ({ path, outside: [] });

describe('packing a folder', () => {
  test('takes every file, hidden and uncommitted ones and links too', async () => {
    mkdirSync(path.join(folder, 'a', '.git'), { recursive: true });
    writeFileSync(path.join(folder, 'a', '.git', 'HEAD'), 'ref');
    writeFileSync(path.join(folder, 'uncommitted'), 'work');
    symlinkSync('uncommitted', path.join(folder, 'link'));
    const listed = await list(packFolder(asIs(folder), '/workspace', [], never, quiet));
    expect(listed).toEqual(['./', './a/', './a/.git/', './a/.git/HEAD', './link', './uncommitted']);
  });

  test('says which folder cannot be read', async () => {
    const missing = path.join(folder, 'missing');
    const read = async () => {
      for await (const _ of packFolder(asIs(missing), '/workspace', [], never, quiet));
    };
    await expect(read()).rejects.toMatchObject({ code: 'invalid-input', message: expect.stringContaining(missing) });
  });

  test('a cancelled one ends with the reason of the cancellation', async () => {
    const cancelled = AbortSignal.abort(new DOMException('Cancelled.', 'AbortError'));
    const read = async () => {
      for await (const _ of packFolder(asIs(folder), '/workspace', [], cancelled, quiet));
    };
    await expect(read()).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('leaves out the storage of the extension, whatever it is called', async () => {
    const storage = path.join(folder, 'a', 'st[o]r*ge');
    mkdirSync(storage, { recursive: true });
    mkdirSync(path.join(folder, 'a', 'storage'));
    writeFileSync(path.join(storage, 'growing'), '');
    symlinkSync(storage, path.join(folder, 'link'));
    const listed = await list(
      packFolder(asIs(folder), '/workspace', [path.join(folder, 'link'), '/nowhere'], never, quiet),
    );
    expect(listed).toEqual(['./', './a/', './a/storage/', './link']);
  });

  test('leaves out what lies where it is named, by the tar of macOS and Windows too, which looks in each folder', () => {
    const names = ['run', 'a/st[o]r*ge'];
    expect(exclusions(names, 'linux')).toEqual(['--exclude=./run', '--exclude=./a/st\\[o\\]r\\*ge']);
    for (const platform of ['darwin', 'win32'] as const)
      expect(exclusions(names, platform)).toEqual(['--exclude=^./run', '--exclude=^./a/st\\[o\\]r\\*ge']);
  });

  test('a tar that keeps attributes of a Mac in files of their own is told not to', async () => {
    const told = path.join(folder, 'told');
    const stub = path.join(folder, 'bin');
    mkdirSync(stub);
    writeFileSync(path.join(stub, 'tar'), `#!/bin/sh\necho "$COPYFILE_DISABLE" > "${told}"\nexec ${tar} "$@"\n`, {
      mode: 0o755,
    });
    vi.stubEnv('PATH', `${stub}:${process.env.PATH}`);
    try {
      mkdirSync(path.join(folder, 'source'));
      await list(packFolder(asIs(path.join(folder, 'source')), '/workspace', [], never, quiet));
    } finally {
      vi.unstubAllEnvs();
    }
    expect(readFileSync(told, 'utf8')).toBe('1\n');
  });

  test('names what is no file and leaves it out', async () => {
    execFileSync('mkfifo', [path.join(folder, 'pi[p]e')]);
    writeFileSync(path.join(folder, 'file'), '');
    const notes: string[] = [];
    expect(await list(packFolder(asIs(folder), '/workspace', [], never, note => notes.push(note)))).toEqual([
      './',
      './file',
    ]);
    expect(notes).toEqual([expect.stringContaining('pi[p]e')]);
  });

  test('copies nothing of a folder that lies elsewhere by now', async () => {
    const [asked, other] = [path.join(folder, 'asked'), path.join(folder, 'other')];
    mkdirSync(other);
    symlinkSync(other, asked);
    await expect(list(packFolder(asIs(asked), '/workspace', [], never, quiet))).rejects.toMatchObject({
      code: 'invalid-input',
    });
  });

  test('ends one that grows past every limit while it is copied', async () => {
    writeFileSync(path.join(folder, 'big'), Buffer.alloc(1_000_000));
    const limits = { bytes: 1_000_000, files: 10, leftOut: 10, seconds: 60 };
    const packed = packFolder(asIs(folder), '/workspace', [], never, quiet, limits)[Symbol.asyncIterator]();
    const own = mkdtempSync(path.join(tmpdir(), 'bin-'));
    writeFileSync(path.join(own, 'tar'), '#!/bin/sh\nexec cat /dev/zero\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${own}${path.delimiter}${process.env.PATH}`);
    let taken = 0;
    const all = (async () => {
      for (let next = await packed.next(); !next.done; next = await packed.next()) taken += next.value.length;
    })();
    await expect(all).rejects.toMatchObject({ code: 'folder-too-large' });
    expect(taken).toBeLessThan(2_000_000);
    vi.unstubAllEnvs();
    rmSync(own, { recursive: true, force: true });
  });

  test.each([
    ['file changed as we read it', 1, []],
    ['File removed before we read it', 1, []],
    ['Cannot open: Permission denied', 2, ['folder-unreadable']],
    ['Permission denied', 1, ['folder-unreadable']],
  ])('of a tar that says "%s" and ends with %i', async (text, code, refused) => {
    const own = mkdtempSync(path.join(tmpdir(), 'bin-'));
    const script = `#!/bin/sh\n${tar} "$@"; echo "tar: ./a: ${text}" >&2; exit ${code}\n`;
    writeFileSync(path.join(own, 'tar'), script, { mode: 0o755 });
    vi.stubEnv('PATH', `${own}${path.delimiter}${process.env.PATH}`);
    writeFileSync(path.join(folder, 'a'), 'work');
    const notes: string[] = [];
    const packed = list(packFolder(asIs(folder), '/workspace', [], never, note => notes.push(note)));
    if (refused.length > 0) await expect(packed).rejects.toMatchObject({ code: refused[0] });
    else expect(await packed).toEqual(['./', './a']);
    expect(notes).toEqual(refused.length > 0 ? [] : [expect.stringContaining(text)]);
    vi.unstubAllEnvs();
    rmSync(own, { recursive: true, force: true });
  });
});

async function list(packed: AsyncIterable<Uint8Array>): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of packed) chunks.push(chunk);
  const text = execFileSync(tar, ['-t', '-f', '-'], { input: Buffer.concat(chunks), encoding: 'utf8' });
  return text.trim().split('\n').sort();
}
