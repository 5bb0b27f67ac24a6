import * as fs from 'node:fs';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { FileLock } from '../../../src/storage/fileLock.ts';
import { hostile } from '../hostileInput.ts';
import { scratchDirectory } from '../storage/scratch.ts';
import { filesBelow } from './place.ts';

const content = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(Buffer.alloc(40_000, 'a'), Buffer.from('\n'), Buffer.from('a\nb')),
);

describe('a lock file', () => {
  test('of a holder that is dead gives way, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(content, async bytes => {
        const directory = scratchDirectory();
        const file = path.join(directory, 'key.lock');
        fs.writeFileSync(file, bytes);
        fs.utimesSync(file, 1, 1);
        const locks = new FileLock(directory);
        expect(await locks.isHeld('key')).toBe(false);
        const seen = await locks.run('key', quietContext, async ({ lock }) => {
          lock.assertHeld();
          return fs.readdirSync(directory);
        });
        expect(seen).toEqual(['key.lock']);
        expect(fs.readdirSync(directory)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('that is renewed is held, whatever is in it, and nobody takes it away', async () => {
    await fc.assert(
      fc.asyncProperty(content, async bytes => {
        const directory = scratchDirectory();
        fs.writeFileSync(path.join(directory, 'key.lock'), bytes);
        const before = filesBelow(directory);
        const locks = new FileLock(directory);
        expect(await locks.isHeld('key')).toBe(true);
        const gaveUp = new AbortController();
        const ctx = { signal: gaveUp.signal, report: () => gaveUp.abort() };
        await expect(locks.run('key', ctx, async () => 'entered')).rejects.toMatchObject({ name: 'AbortError' });
        expect(filesBelow(directory)).toEqual(before);
      }),
      { numRuns: 2 },
    );
  });

  test('that is taken over while it is held is noticed, and left to the other', async () => {
    await fc.assert(
      fc.asyncProperty(content, async bytes => {
        const directory = scratchDirectory();
        const file = path.join(directory, 'key.lock');
        await new FileLock(directory).run('key', quietContext, async ({ lock }) => {
          fs.writeFileSync(file, bytes);
          expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
        });
        expect(fs.readFileSync(file).equals(bytes)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test('that is a folder is said to be in the way, and stays', async () => {
    const directory = scratchDirectory();
    fs.mkdirSync(path.join(directory, 'key.lock', 'inside'), { recursive: true });
    fs.utimesSync(path.join(directory, 'key.lock'), 1, 1);
    await expect(new FileLock(directory).run('key', quietContext, async () => {})).rejects.toMatchObject({
      code: 'state-unavailable',
      message: expect.stringContaining(directory),
    });
    expect(filesBelow(directory)).toEqual({ 'key.lock/': '', 'key.lock/inside/': '' });
  });

  test('lies in its folder, whatever its key is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(...Object.values(hostile)), async key => {
        const root = scratchDirectory();
        const directory = path.join(root, 'a', 'b', 'locks');
        const seen = await new FileLock(directory)
          .run(key, quietContext, async () => filesBelow(root))
          .catch((): Record<string, string> => ({}));
        const files = Object.keys(seen).filter(name => !name.endsWith('/'));
        expect(files.every(name => path.dirname(name) === path.join('a', 'b', 'locks'))).toBe(true);
        expect(Object.keys(filesBelow(root)).filter(name => !name.endsWith('/'))).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
