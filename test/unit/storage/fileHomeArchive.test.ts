import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ExplainedHomeArchive } from '../../../src/storage/explainedHomeArchive.ts';
import { FileHomeArchive } from '../../../src/storage/fileHomeArchive.ts';
import { frameOf } from '../../../src/storage/homeFrames.ts';

vi.mock('node:fs/promises', { spy: true });

let directory = '';
let ours: FileHomeArchive;
let theirs: FileHomeArchive;

beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(tmpdir(), 'remote-swarm-archive-'));
  [ours, theirs] = [new FileHomeArchive(directory, 0), new FileHomeArchive(directory, 0)];
});

afterEach(async () => {
  vi.mocked(fs.readdir).mockReset();
  await fs.rm(directory, { recursive: true });
});

/** A home of one file, as its program exports it. `meanwhile` is awaited before it tells that this was all. */
async function* home(content: string, meanwhile: () => Promise<unknown> = async () => {}): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  yield frameOf('E', {
    ...{ path: 'file', type: 'f', mode: 0o644, mtime: '1', size: bytes.length },
    ...{ own: null, target: '', sha: '' },
  });
  yield frameOf('D', bytes);
  yield frameOf('F', { sum: crc32(bytes) });
  await meanwhile();
  yield frameOf('X', { bytes: bytes.length, files: 1, skipped: { count: 0, names: [] } });
}

/** The home that a snapshot brings back, into nothing. */
async function broughtBack(archive: FileHomeArchive, id: string): Promise<string> {
  const nothing = async function* () {
    yield Buffer.from(`${JSON.stringify({ digest: '' })}\n`);
  };
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive.load(id, nothing())) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const blobs = async () =>
  (await fs.readdir(path.join(directory, 'blobs'), { recursive: true })).filter(n => n.endsWith('.gz'));

/** Runs `deed` when the archive has read its manifests and is about to look through its blobs. */
function beforeBlobsAreSeen(deed: () => Promise<unknown>): void {
  let isDone = false;
  const { readdir } = fs;
  const real = vi.mocked(readdir).getMockImplementation();
  expect(real).toBeUndefined();
  vi.mocked(readdir).mockImplementation((async (...args: Parameters<typeof readdir>) => {
    if (!isDone && args[0] === path.join(directory, 'blobs')) {
      isDone = true;
      await deed();
    }
    return (await vi.importActual<typeof fs>('node:fs/promises')).readdir(...args);
  }) as never);
}

describe('what a later version keeps in its own way', () => {
  test('a snapshot whose needs cannot be told keeps all contents', async () => {
    await ours.save('first', undefined, home('content'));
    for (const name of ['later.zst', 'later']) {
      const file = path.join(directory, 'manifests', name);
      await fs.writeFile(file, 'anything');
      await ours.forget(['first']);
      expect(await blobs()).toHaveLength(1);
      await fs.rm(file);
    }
    await ours.forget([]);
    expect(await blobs()).toEqual([]);
  });

  test('a content of another kind stays', async () => {
    await ours.save('first', undefined, home('content'));
    const [kept = ''] = await blobs();
    const file = path.join(directory, 'blobs', kept.replace(/gz$/, 'zst'));
    await fs.writeFile(file, 'anything');
    await ours.forget(['first']);
    expect(await blobs()).toEqual([]);
    expect(await fs.readFile(file, 'utf8')).toBe('anything');
  });
});

/** Makes one bit wrong of the only content there is; its size is as before. */
async function rot(place: (length: number) => number): Promise<void> {
  const [kept = ''] = await blobs();
  const file = path.join(directory, 'blobs', kept);
  const bytes = await fs.readFile(file);
  const at = place(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  await fs.writeFile(file, bytes);
}

/** The home of {@link home}, as its program exports it when the base has its only file already. */
async function* sameHome(content: string): AsyncGenerator<Uint8Array> {
  yield frameOf('E', {
    ...{ path: 'file', type: 'f', mode: 0o644, mtime: '1', size: content.length },
    ...{ own: null, target: '', sha: '', kept: true },
  });
  yield frameOf('X', { bytes: content.length, files: 1, skipped: { count: 0, names: [] } });
}

describe('a content in which one bit is wrong', () => {
  const places: [string, (length: number) => number][] = [
    ['its first bytes', () => 0],
    ['its middle', length => Math.floor(length / 2)],
    ['its checksum', length => length - 7],
    ['its length', length => length - 2],
  ];

  test.each(places)(
    'in %s is replaced by the same content that comes again, for all that need it',
    async (_, place) => {
      await ours.save('first', undefined, home('the only copy'));
      await rot(place);
      await ours.save('second', undefined, home('the only copy'));
      expect(await broughtBack(ours, 'second')).toContain('the only copy');
      expect(await broughtBack(ours, 'first')).toContain('the only copy');
    },
  );

  test.each(places)('in %s is not taken for what a home has still: there is no such snapshot', async (_, place) => {
    await ours.save('first', undefined, home('the only copy'));
    await rot(place);
    const saved = ours.save('second', 'first', sameHome('the only copy'));
    await expect(saved).rejects.toMatchObject({ code: 'snapshot-damaged' });
    expect(await fs.readdir(path.join(directory, 'manifests'))).toEqual(['first.gz']);
    await ours.save('third', undefined, home('the only copy'));
    expect(await broughtBack(ours, 'third')).toContain('the only copy');
  });

  test('nothing of a sound one is written again', async () => {
    await ours.save('first', undefined, home('the only copy'));
    const [kept = ''] = await blobs();
    const file = path.join(directory, 'blobs', kept);
    const { ino } = await fs.stat(file);
    await ours.save('second', 'first', sameHome('the only copy'));
    await ours.save('third', undefined, home('the only copy'));
    expect((await fs.stat(file)).ino).toBe(ino);
    for (const id of ['second', 'third']) expect(await broughtBack(ours, id)).toContain('the only copy');
  });
});

describe('an archive that two windows work on, one of which has lost its lock without noticing', () => {
  test('keeps what a new snapshot needs while another one is forgotten', async () => {
    await ours.save('first', undefined, home('content'));
    // The window stalls when it knows what is needed; the other one keeps a home with the same content meanwhile.
    beforeBlobsAreSeen(() => theirs.save('second', undefined, home('content')));
    await ours.forget(['first']);
    expect(await broughtBack(theirs, 'second')).toContain('content');
  });

  test('has a snapshot whole or not at all, when what it needs was tidied up while it was made', async () => {
    const saved = ours.save(
      'first',
      undefined,
      home('content', () => theirs.forget(['older'])),
    );
    await saved.catch(() => {});
    const left = await fs.readdir(path.join(directory, 'manifests'));
    for (const name of left) expect(await broughtBack(ours, name.replace('.gz', ''))).toContain('content');
    await ours.save('second', undefined, home('content'));
    expect(await broughtBack(ours, 'second')).toContain('content');
  });

  test('still forgets what nothing needs', async () => {
    await ours.save('first', undefined, home('content'));
    await ours.save('second', undefined, home('another'));
    await ours.forget(['first']);
    const sha = createHash('sha256').update('another').digest('hex');
    expect((await blobs()).map(name => path.basename(name))).toEqual([`${sha}.gz`]);
    expect(await broughtBack(ours, 'second')).toContain('another');
    expect((await fs.readdir(directory)).sort()).toEqual(['blobs', 'manifests']);
  });
});

test('a folder that cannot be written is named, with what to do, in place of what the disk says', async () => {
  await fs.writeFile(path.join(directory, 'incoming'), '');
  const archive = new ExplainedHomeArchive(ours, directory);
  const refusal = { code: 'snapshots-not-writable', message: expect.stringContaining(directory), retryable: true };
  await expect(archive.save('aaaaaaaaaaaa', undefined, home('text'))).rejects.toMatchObject(refusal);
  await fs.rm(path.join(directory, 'incoming'));
  await archive.save('aaaaaaaaaaaa', undefined, home('text'));
  await fs.rm(path.join(directory, 'blobs'), { recursive: true });
  await fs.writeFile(path.join(directory, 'blobs'), '');
  await expect(archive.forget(['aaaaaaaaaaaa'])).rejects.toMatchObject(refusal);
});

test('what fails at the other end keeps its own words', async () => {
  const broken = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const failing = home('text', async () => {
    throw broken;
  });
  const archive = new ExplainedHomeArchive(ours, directory);
  await expect(archive.save('aaaaaaaaaaaa', undefined, failing)).rejects.toBe(broken);
});
