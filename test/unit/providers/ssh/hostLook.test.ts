import { describe, expect, test } from 'vitest';
import { readLook, whyHostUnfit, whyScriptFailed } from '../../../../src/providers/ssh/hostLook.ts';

const debian = [
  ...['system Linux', 'machine x86_64', 'glibc glibc 2.36', 'loader /lib64/ld-linux-x86-64.so.2'],
  ...['disk /dev/vd a 263174212 50000000 56000000 48% /home', 'memory MemTotal:       24683000 kB', 'space unlimited'],
  ...['server', 'programs', 'program 7 '],
];
/** What such a host tells with other lines in place of its own. */
const look = (...others: string[]) => {
  const replaced = debian.filter(line => !others.some(other => other.split(' ')[0] === line.split(' ')[0]));
  return readLook([...replaced, ...others].join('\n'));
};
const why = (...others: string[]) => whyHostUnfit(look(...others), 800 * 1024 ** 2)?.why;

test('what a host tells is read', () => {
  expect(look()).toEqual({
    ...{ system: 'Linux', machine: 'x86_64', glibc: '2.36', loader: 'glibc', diskFree: 56_000_000 * 1024 },
    ...{ memory: 24_683_000 * 1024, program: { exitCode: 7, said: '' }, hasServer: true, hasPrograms: true },
  });
  expect(whyHostUnfit(look(), 800 * 1024 ** 2)).toBeUndefined();
});

test('of what a host does not tell nothing is assumed', () => {
  const quiet = ['glibc ', 'disk ', 'memory ', 'space '];
  expect(why(...quiet)).toBeUndefined();
  expect(why(...quiet, 'system Darwin', 'machine arm64', 'loader ')).toBeUndefined();
});

describe('a host that cannot have instances is told why', () => {
  test.each([
    ['Alpine', ['glibc ', 'loader /lib/ld-musl-x86_64.so.1'], 'is built on musl'],
    ['NixOS', ['glibc ', 'loader '], 'as on NixOS'],
    ['CentOS 7', ['glibc glibc 2.17'], 'has glibc 2.17'],
    ['Debian 9', ['glibc glibc 2.24'], 'needs 2.28'],
    ['FreeBSD', ['system FreeBSD', 'machine amd64'], 'runs FreeBSD on amd64'],
    ['a Raspberry Pi 3', ['machine armv7l'], 'on armv7l'],
    ['a full disk', ['disk tmpfs 1000 900 100 90% /'], 'has 0 MB left'],
    ['a small machine', ['memory MemTotal: 240000 kB'], 'has 234 MB of memory'],
    ['a login node', ['space 1048576'], '1024 MB of address space'],
    ['noexec', ['program 126 sh: 1: eval: ./.partial-try12: Permission denied'], '(Permission denied)'],
    ['SELinux', ['program 126 sh: line 1: ./.partial-try12: Operation not permitted'], '(Operation not permitted)'],
  ])('%s', (_, lines, words) => expect(why(...lines)).toContain(words));
});

test.each([
  ['mkdir: cannot create directory ‘/home/me/.remote-swarm’: Permission denied', 'does not let its user write there'],
  ['mkdir: cannot create directory ‘/.remote-swarm’: Read-only file system', 'has a read-only disk there'],
  ['sh: 1: cannot create ./.partial-try12: Disk quota exceeded', 'has no room'],
  ['mkdir: cannot create directory ‘/srv/swarm’: Not a directory', 'has something else in that place'],
  ['node: error while loading shared libraries: libstdc++.so.6: cannot open', 'lacks the library libstdc++.so.6'],
  ['sh: 1: eval: mkdir: not found', 'lacks a program, or a PATH'],
  ['sh: fork: retry: Resource temporarily unavailable', 'failed at it (sh: fork'],
])('a script that says "%s" is worded', (said, words) => {
  expect(whyScriptFailed(said)).toMatchObject({ why: expect.stringContaining(words), choose: /\S/ });
});
