import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { longestFolder, makeSocketFolder, socketPlaces } from '../../../src/providers/socketFolder.ts';

const long = (bytes: number, root = '/') => root + 'x'.repeat(bytes - Buffer.byteLength(root));
const made: string[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['linux', '/tmp', undefined, ['/tmp', '/var/tmp']],
  ['linux', long(78), '/run/user/1000', ['/run/user/1000', '/tmp', '/var/tmp']],
  ['linux', long(77), undefined, [long(77), '/tmp', '/var/tmp']],
  ['linux', `/${'ü'.repeat(39)}`, undefined, ['/tmp', '/var/tmp']],
  ['linux', 'relative', 'also', ['/tmp', '/var/tmp']],
  [
    'darwin',
    '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T',
    undefined,
    ['/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T', '/tmp', '/var/tmp'],
  ],
  ['darwin', long(74), undefined, ['/tmp', '/var/tmp']],
  ['win32', 'C:\\Users\\me\\AppData\\Local\\Temp', undefined, ['C:\\Users\\me\\AppData\\Local\\Temp']],
  ['win32', long(90, 'C:\\'), '/run', []],
] as const)('on %s with %s a socket of 29 bytes can lie in these folders', (platform, temporary, runtime, places) => {
  expect(socketPlaces({ platform, temporary, runtime }, 29)).toEqual(places);
});

test('no place is named in which the name would not fit', () => {
  const platform = fc.constantFrom('linux', 'darwin', 'win32', 'freebsd');
  fc.assert(
    fc.property(
      platform,
      fc.string({ maxLength: 120 }),
      fc.string(),
      fc.nat(100),
      (platform, temporary, runtime, name) => {
        for (const place of socketPlaces({ platform, temporary: `/${temporary}`, runtime }, name))
          expect(Buffer.byteLength(place) + 1 + name).toBeLessThanOrEqual(
            platform === 'linux' || platform === 'win32' ? 107 : 103,
          );
      },
    ),
  );
});

test.skipIf(process.platform === 'win32').each([60, 77, 78, 104, 200])(
  'a socket can be had where the path of temporary files has %i bytes',
  async bytes => {
    const root = mkdtempSync('/tmp/rsw-test-');
    made.push(root);
    const temporary = long(bytes, `${root}/`);
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    vi.stubEnv('XDG_RUNTIME_DIR', '/nowhere/that/can/be/written');
    const folder = await makeSocketFolder(18);
    made.push(folder);
    expect(folder.startsWith(temporary)).toBe(bytes <= longestFolder(process.platform, 29));
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen(path.join(folder, 'x'.repeat(18)), resolve);
    });
    server.close();
  },
);
