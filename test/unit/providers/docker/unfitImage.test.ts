import { expect, test } from 'vitest';
import { noShell, whyUnfit } from '../../../../src/providers/docker/unfitImage.ts';

const here = { musl: false, imageFor: 'amd64', engineOn: 'amd64' };

test.each([
  [
    'for Intel on a Mac',
    { output: '', imageFor: 'amd64', engineOn: 'arm64' },
    'one, as Apple silicon is',
    'linux/arm64',
  ],
  ['for another processor', { output: 'exec format error', imageFor: 'arm64' }, 'is made for arm64', 'linux/amd64'],
  [
    'of which nobody knows the processor',
    { output: 'exec format error', imageFor: '' },
    'another processor',
    'for that',
  ],
  ['built on musl', { output: 'No such file or directory', musl: true }, 'is built on musl', '"node:22-alpine"'],
  [
    'without a shell',
    { output: '/bin/sh: ENOENT', exitCode: noShell },
    'has no shell that runs (/bin/sh: ENOENT)',
    'debian',
  ],
  [
    'too old',
    { output: "libc.so.6: version `GLIBC_2.28' not found (required by node)" },
    'GLIBC_2.28 is missing',
    '2.28',
  ],
  ['too old in part', { output: "version `GLIBCXX_3.4.21' not found" }, 'GLIBCXX_3.4.21', 'later release'],
  [
    'without a library',
    { output: 'node: error while loading shared libraries: libstdc++.so.6: cannot open' },
    'lacks the library libstdc++.so.6',
    'libstdc++6 on Debian',
  ],
  ['too new', { output: 'Fatal glibc error: CPU does not support x86-64-v3' }, 'newer processor', 'earlier release'],
  [
    'of one program',
    { output: 'exec node failed: No such file or directory' },
    'has no C library',
    'whole distribution',
  ],
  ['that fails in its own way', { output: 'one\nEPERM' }, 'does not run its node: EPERM', 'whole distribution'],
  ['that says nothing', { output: '' }, 'does not run its node', 'whole distribution'],
])('an image %s is told by what is wrong and what to choose', (_, failed, why, choose) => {
  const told = whyUnfit({ ...here, ...failed });
  expect(told.why).toContain(why);
  expect(told.choose).toContain(choose);
  expect(told.choose).toMatch(/\.$/);
});
