import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { archiveOf, fileInArchive } from '../../../../src/providers/docker/archive.ts';
import { firstFiles } from '../../../../src/providers/docker/reservedFiles.ts';
import { newSpec, testSwarmId } from '../../../contract/specs.ts';

const never = new AbortController().signal;

describe('an archive', () => {
  test('gives back the text that was put in, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 700 }), async (text, size) => {
        const bytes = await archiveOf([{ name: 'reserved/file', mode: 0o600, text }]);
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        expect(await fileInArchive(Readable.from(chunks), never)).toBe(text);
      }),
    );
  });

  test('ends with the two blocks that tell a whole one from one that was cut', async () => {
    const bytes = await archiveOf([{ name: 'a', mode: 0o600, text: 'x' }]);
    expect(bytes.subarray(-1024).equals(Buffer.alloc(1024))).toBe(true);
  });

  test('whose stream fails, is empty or is given up is an error, and the stream is ended', async () => {
    const empty = Readable.from([await archiveOf([])]);
    await expect(fileInArchive(empty, never)).rejects.toThrow('without a file');
    const failing = new Readable({ read: () => {} });
    const failed = expect(fileInArchive(failing, never)).rejects.toThrow('connection lost');
    failing.destroy(new Error('connection lost'));
    await failed;
    const silent = new Readable({ read: () => {} });
    const controller = new AbortController();
    const givenUp = expect(fileInArchive(silent, controller.signal)).rejects.toThrow();
    controller.abort();
    await givenUp;
    expect([empty.destroyed, failing.destroyed, silent.destroyed]).toEqual([true, true, true]);
  });
});

test('the first files keep token and variables to the owner, and the record comes last', () => {
  const { identity, secrets: _, ...config } = newSpec(testSwarmId());
  const files = firstFiles({ identity, config }, { KEY: 'secret' }, 'launcher');
  const modes = Object.fromEntries(files.map(({ name, mode }) => [name, mode.toString(8)]));
  expect(modes).toEqual({
    ...{ home: '755', 'home/workspace': '755', reserved: '700', 'reserved/token': '600' },
    ...{ 'reserved/launcher.mjs': '644', 'reserved/environment.json': '600', 'reserved/instance.json': '600' },
  });
  expect(files.at(-1)?.name).toBe('reserved/instance.json');
});
