import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { notHere } from '../fakes/notHere.ts';
import { asOrdinaryUser, giveToOrdinaryUser, ordinaryUserProblem } from '../fakes/ordinaryUser.ts';

const program = path.resolve(import.meta.dirname, '../../media/instance/home.mjs');

describe('the program beside a home', () => {
  let folder: string;
  const at = (...names: string[]) => path.join(folder, ...names);

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-homes-'));
    for (const name of ['one', 'other']) mkdirSync(at(name));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function run(home: string, task: string, input: Uint8Array = new Uint8Array(), PATH = process.env.PATH) {
    const child = spawn(process.execPath, [program, task], { cwd: at(home), env: { PATH } });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [output, said, exitCode] = await Promise.all([
      buffer(child.stdout),
      text(child.stderr),
      new Promise(resolve => child.on('close', resolve)),
    ]);
    return { output, said: said.trim(), exitCode };
  }
  const whole = async (home: string) => {
    const lines = (await run(home, 'digest')).output.toString().trim().split('\n');
    return JSON.parse(lines.at(-1) ?? '').digest;
  };
  const stream = async () => (await run('one', 'export', (await run('other', 'list')).output)).output;

  function frame(kind: string, fact: object): Buffer {
    const payload = Buffer.from(JSON.stringify(fact));
    const head = Buffer.alloc(5);
    head.write(kind);
    head.writeUInt32BE(payload.length, 1);
    return Buffer.concat([head, payload]);
  }
  const entry = (name: string, facts: object) =>
    frame('E', { path: name, mode: 0o777, size: 0, mtime: '0', own: null, target: '', sha: '', ...facts });

  test('it tells what a home holds, and what of that are no holes', async () => {
    writeFileSync(at('one', 'solid'), Buffer.alloc(10_000, 1));
    writeFileSync(at('one', 'holes'), 'x');
    truncateSync(at('one', 'holes'), 50_000_000);
    const { bytes, solid } = JSON.parse((await run('one', 'digest')).output.toString());
    expect(bytes).toBe(50_010_000);
    expect(solid).toBeGreaterThanOrEqual(10_000);
    expect(solid).toBeLessThan(100_000);
  });

  test.each(['file', 'link'])('a folder that has become a %s', async kind => {
    mkdirSync(at('other', 'a', 'deep'), { recursive: true });
    for (const name of ['a/x', 'a/deep/y', 'ab']) writeFileSync(at('other', name), name);
    if (kind === 'file') writeFileSync(at('one', 'a'), 'a file now');
    else symlinkSync('ab', at('one', 'a'));
    writeFileSync(at('one', 'z'), 'after it');
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    expect(await whole('other')).toBe(await whole('one'));
  });

  test('a stream that was cut off anywhere is refused, and a whole one mends what it left', async () => {
    mkdirSync(at('one', 'folder'));
    for (const name of ['a', 'folder/b', 'c']) writeFileSync(at('one', name), name.repeat(1000));
    const sent = await stream();
    for (const length of [0, 3, Math.floor(sent.length / 3), Math.floor(sent.length / 2), sent.length - 1]) {
      const { said, exitCode } = await run('other', 'import', sent.subarray(0, length));
      expect({ said, exitCode }).toEqual({ said: 'the stream was cut off', exitCode: 1 });
    }
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    expect(await whole('other')).toBe(await whole('one'));
  });

  test('a byte that changes on the way is noticed', async () => {
    writeFileSync(at('one', 'file'), 'the right words');
    const sent = await stream();
    sent.write('wrong', sent.indexOf('right'));
    expect(await run('other', 'import', sent)).toMatchObject({
      said: '"file" came with other bytes than it left with',
      exitCode: 1,
    });
  });

  test('what is there already is neither sent nor touched', async () => {
    mkdirSync(at('one', 'folder'));
    for (const name of ['a', 'folder/b']) writeFileSync(at('one', name), name);
    linkSync(at('one', 'a'), at('one', 'folder', 'same'));
    symlinkSync('a', at('one', 'link'));
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    const names = ['a', 'folder/b', 'folder/same', 'link'];
    const inodes = () =>
      names.map(name => lstatSync(at('other', name), { bigint: true })).map(({ ino, ctimeNs }) => `${ino} ${ctimeNs}`);
    const before = inodes();
    writeFileSync(at('one', 'folder', 'c'), 'new');
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    expect(inodes()).toEqual(before);
    expect(await whole('other')).toBe(await whole('one'));
  });

  test('also comes to the disk where there is no program that flushes it', async () => {
    mkdirSync(at('one', 'folder'));
    writeFileSync(at('one', 'folder', 'secret'), 'for nobody', { mode: 0o400 });
    symlinkSync('folder', at('one', 'link'));
    expect(await run('other', 'import', await stream(), at('nowhere'))).toMatchObject({ said: 'done', exitCode: 0 });
    expect(await whole('other')).toBe(await whole('one'));
  });

  test('is on its way to the disk before all of it came', async () => {
    mkdirSync(at('programs'));
    writeFileSync(at('programs', 'sync'), `#!/bin/sh\necho "$PWD $*" >> '${at('flushes')}'\n`, { mode: 0o755 });
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(at('one', name), Buffer.alloc(50_000_000, name));
    const sent = await stream();
    const child = spawn(process.execPath, [program, 'import'], {
      ...{ cwd: at('other'), env: { PATH: `${at('programs')}:${process.env.PATH}` } },
    });
    child.stdin.write(sent.subarray(0, -1));
    await vi.waitFor(() => expect(readFileSync(at('flushes'), 'utf8')).toContain(`${at('other')} -f .\n`), 20_000);
    child.stdin.end(sent.subarray(-1));
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    expect(JSON.parse(output)).toMatchObject({ bytes: 200_000_000, files: 4 });
  });

  test('gives a sign while it works, however long that takes', async () => {
    mkdirSync(at('programs'));
    writeFileSync(at('programs', 'sync'), '#!/bin/sh\nexec tail -f /dev/null\n', { mode: 0o755 });
    const sent = await stream();
    const PATH = `${at('programs')}:${process.env.PATH}`;
    const child = spawn(process.execPath, [program, 'import'], { cwd: at('other'), env: { PATH }, detached: true });
    child.stdin.end(sent);
    const [sign] = await once(child.stderr, 'data');
    expect(sign.toString()).toBe('\n');
    // It waits for its pipes in the system: where it had to ask them again and again, it would be a third as fast.
    const waits = (fd: number) => {
      const file = `/proc/${child.pid}/fdinfo/${fd}`;
      return (
        !existsSync(file) ||
        (Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '', 8) & constants.O_NONBLOCK) === 0
      );
    };
    expect([0, 1, 2].map(waits)).toEqual([true, true, true]);
    process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    await once(child, 'close');
  });

  test('names what has extended attributes, where there is a program that sees them', async () => {
    mkdirSync(at('programs'));
    const attributed = async () => {
      const { output } = await run('one', 'digest', undefined, at('programs'));
      return JSON.parse(output.toString()).attributed;
    };
    expect(await attributed()).toEqual({ count: 0, names: [] });
    const names = Array.from({ length: 30 }, (_, index) => `${index}`);
    const says = names.map(name => `# file: ${name}\nuser.note\nsystem.posix_acl_access\n\n`).join('');
    writeFileSync(at('says'), says);
    writeFileSync(at('programs', 'getfattr'), `#!/bin/sh\nexec /bin/cat '${at('says')}'\n`, { mode: 0o755 });
    expect(await attributed()).toEqual({ count: 30, names: names.slice(0, 20) });
  });

  test('a file of which one name is elsewhere now', async () => {
    writeFileSync(at('one', 'a'), 'the same');
    for (const name of ['b', 'c']) linkSync(at('one', 'a'), at('one', name));
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    writeFileSync(at('one', 'a'), 'not the same');
    rmSync(at('one', 'c'));
    writeFileSync(at('one', 'c'), 'alone');
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    expect(await whole('other')).toBe(await whole('one'));
    expect(statSync(at('other', 'a')).ino).toBe(statSync(at('other', 'b')).ino);
    expect(statSync(at('other', 'c')).nlink).toBe(1);
  });

  test('a file of more than 8 GiB with holes, which costs what it holds', async () => {
    // Elsewhere a hole that is read fills the system's cache.
    const disk = existsSync('/dev/shm') ? '/dev/shm' : folder;
    const roomy = mkdtempSync(path.join(disk, `remote-swarm-homes-${process.pid}-`));
    try {
      const from = path.join(roomy, 'from');
      const to = path.join(roomy, 'to');
      for (const home of [from, to]) mkdirSync(home);
      const size = 9 * 1024 ** 3;
      writeFileSync(path.join(from, 'file'), 'begin');
      truncateSync(path.join(from, 'file'), size);
      appendFileSync(path.join(from, 'file'), 'end');
      const [exporting, importing] = [
        spawn(process.execPath, [program, 'export'], { cwd: from }),
        spawn(process.execPath, [program, 'import'], { cwd: to }),
      ];
      exporting.stdin.end('{"digest":""}\n');
      let sent = 0;
      exporting.stdout.on('data', (chunk: Buffer) => {
        sent += chunk.length;
      });
      exporting.stdout.pipe(importing.stdin);
      const [exitCode] = await once(importing, 'close');
      expect(exitCode).toBe(0);
      expect(sent).toBeLessThan(10_000_000);
      const file = path.join(to, 'file');
      expect(statSync(file).size).toBe(size + 3);
      expect(statSync(file).blocks * 512).toBeLessThan(1_000_000);
      const parts = [`head -c 5 '${file}'`, `tail -c 4 '${file}'`].map(command => execFileSync('sh', ['-c', command]));
      expect(parts.map(part => part.toString('latin1'))).toEqual(['begin', '\0end']);
    } finally {
      rmSync(roomy, { recursive: true, force: true });
    }
  });

  test('a large file comes to the same whether its zeros are holes, and where nothing tells them', async () => {
    mkdirSync(at('programs'));
    const size = 1024 ** 3 + 5;
    for (const home of ['one', 'other']) {
      writeFileSync(at(home, 'file'), '');
      truncateSync(at(home, 'file'), size);
    }
    const write = (home: string, text: string | Buffer, place: number) => {
      const fd = openSync(at(home, 'file'), 'r+');
      writeSync(fd, Buffer.from(text), 0, null, place);
      closeSync(fd);
    };
    write('one', 'x', 300_000_000);
    // Zeros that the disk has.
    for (const place of [0, 299_900_000, size - 100_000]) write('other', Buffer.alloc(100_000), place);
    write('other', 'x', 300_000_000);
    expect(await whole('other')).toBe(await whole('one'));
    const { output } = await run('one', 'digest', undefined, at('programs'));
    expect(JSON.parse(output.toString()).digest).toBe(await whole('one'));
    write('other', 'y', size - 1);
    expect(await whole('other')).not.toBe(await whole('one'));
    expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
    expect(await whole('other')).toBe(await whole('one'));
  });

  test.skipIf(ordinaryUserProblem !== undefined)('read and written by a user that is not root', async () => {
    const source = readFileSync(program, 'utf8');
    const runAs = (home: string, task: string, input?: Uint8Array) => {
      const args = ['--input-type=module', '-e', source, task];
      return asOrdinaryUser(process.execPath, args, { cwd: at(home), input: input ?? '' });
    };
    chmodSync(folder, 0o755);
    mkdirSync(at('one', 'folder'));
    writeFileSync(at('one', 'folder', 'file'), 'mine', { mode: 0o640 });
    chmodSync(at('one', 'folder'), 0o555);
    symlinkSync('folder', at('one', 'link'));
    for (const home of ['one', 'other']) giveToOrdinaryUser(at(home));
    const { uid, gid } = statSync(at('one'));
    const sent = runAs('one', 'export', runAs('other', 'list').stdout).stdout;
    expect(runAs('other', 'import', sent)).toMatchObject({ status: 0 });
    expect(await whole('other')).toBe(await whole('one'));
    expect(statSync(at('other', 'folder', 'file'))).toMatchObject({ uid, gid, mode: 0o100640 });

    // What it may not read is not left out without a word, and the word says where it lies.
    const deep = at('one', 'folder', 'dé\nep');
    chmodSync(at('one', 'folder'), 0o755);
    mkdirSync(deep);
    writeFileSync(path.join(deep, 'secret'), 'for nobody', { mode: 0o000 });
    giveToOrdinaryUser(deep);
    for (const mode of [0o755, 0o600, 0o000]) {
      chmodSync(deep, mode);
      const { status, stderr } = runAs('one', 'export', runAs('other', 'list').stdout);
      expect(status).toBe(1);
      expect(stderr.toString()).toMatch(/permission denied.* "folder\/dé\\nep/);
      expect(stderr.toString().trim()).not.toMatch(/\n|\/proc/);
    }
  });

  const ownerLimits = process.getuid?.() === 0 ? undefined : 'only root can give files to others';
  test.skipIf(ownerLimits !== undefined)(
    notHere('user and group of each entry come to those of the home there, each for itself', ownerLimits),
    async () => {
      const names = ['own', "another group's", "another user's", "root's"] as const;
      const owners = [
        [1001, 1001],
        [1001, 999],
        [7, 1001],
        [0, 0],
      ] as const;
      for (const [index, [uid, gid]] of owners.entries()) {
        writeFileSync(at('one', names[index] ?? ''), '', { mode: 0o660 });
        chownSync(at('one', names[index] ?? ''), uid, gid);
      }
      chownSync(at('one'), 1001, 1001);
      chownSync(at('other'), 1000, 100);
      const { foreign } = JSON.parse((await run('one', 'digest')).output.toString());
      expect(foreign).toEqual({ count: 3, names: ["another group's", "another user's", "root's"] });
      const ownersIn = (home: string) =>
        names.map(name => statSync(at(home, name))).map(({ uid, gid }) => [uid, gid] as const);
      expect(await run('other', 'import', await stream())).toMatchObject({ said: 'done', exitCode: 0 });
      expect(ownersIn('other')).toEqual([
        [1000, 100],
        [1000, 999],
        [7, 100],
        [0, 0],
      ]);
      for (const name of names) rmSync(at('one', name));
      const back = (await run('other', 'export', (await run('one', 'list')).output)).output;
      expect(await run('one', 'import', back)).toMatchObject({ said: 'done', exitCode: 0 });
      expect(ownersIn('one')).toEqual(owners);
    },
  );

  // Elsewhere nothing is remembered, since a ctime does not tell enough.
  const remembers = [0xef53, 0x58465342, 0x9123683e].includes(statfsSync(tmpdir()).type);

  describe.skipIf(!remembers)('remembers hashes, and so', () => {
    const home = path.join('instance', 'home');
    const file = () => at(home, 'file');
    const record = () => at('instance', 'reserved', 'hashes');
    const hashIn = async () => {
      const { output } = await run(home, 'list');
      const lines = output.toString().trim().split('\n');
      return lines.map(line => JSON.parse(line)).find(({ path }) => path === 'file').sha;
    };
    const falseHash = 'f'.repeat(64);

    /** Has a hash remembered that is not the file's, so that it is seen when it is believed; answers with the file's. */
    async function rememberFalsely(): Promise<string> {
      let trueHash = '';
      for (const name of ['home', 'reserved']) mkdirSync(at('instance', name), { recursive: true });
      writeFileSync(file(), 'one two three');
      // What was changed just now is not remembered.
      await vi.waitFor(async () => {
        trueHash = await hashIn();
        expect(readFileSync(record(), 'utf8')).toContain(trueHash);
      }, 10_000);
      writeFileSync(record(), readFileSync(record(), 'utf8').replace(trueHash, falseHash));
      return trueHash;
    }

    test('does not read what has not changed', async () => {
      await rememberFalsely();
      expect(await hashIn()).toBe(falseHash);
    });

    test('reads what has changed, although size and mtime tell nothing of it', async () => {
      const trueHash = await rememberFalsely();
      const { atime, mtime } = statSync(file());
      writeFileSync(file(), 'one two THREE');
      utimesSync(file(), atime, mtime);
      const changed = await hashIn();
      expect([trueHash, falseHash]).not.toContain(changed);
      writeFileSync(file(), 'one two three');
      expect(await hashIn()).toBe(trueHash);
    });

    test('reads all where the record is no record', async () => {
      const trueHash = await rememberFalsely();
      const [line = ''] = readFileSync(record(), 'utf8').split('\n');
      const bad = [
        '',
        line,
        `${line.slice(0, 30)}\n`,
        'null\n',
        '5\n',
        '{}\n',
        '["file"]\n',
        `["file", 5, "${falseHash}"]\n`,
      ];
      for (const content of [...bad, `${line.replace(falseHash, 'none')}\n`, '\0'.repeat(2_000_000)]) {
        writeFileSync(record(), content);
        expect(await hashIn()).toBe(trueHash);
      }
      rmSync(record());
      execFileSync('mkfifo', [record()]);
      expect(await hashIn()).toBe(trueHash);
      rmSync(record());
      mkdirSync(record());
      expect(await hashIn()).toBe(trueHash);
    });

    test('reads all where nothing can be remembered', async () => {
      const trueHash = await rememberFalsely();
      rmSync(at('instance', 'reserved'), { recursive: true });
      expect(await hashIn()).toBe(trueHash);
    });
  });

  test('nothing outside of the home is touched, whatever comes', async () => {
    mkdirSync(at('outside'));
    writeFileSync(at('outside', 'file'), 'mine');
    chmodSync(at('outside', 'file'), 0o600);
    const begin = entry('.', { type: 'd' });
    const link = entry('link', { type: 'l', target: at('outside') });
    const fileLink = entry('link', { type: 'l', target: at('outside', 'file') });
    const hostile = [
      [begin, fileLink, entry('link', { type: 'f', kept: true })],
      [begin, link, entry('link/file', { type: 'f', kept: true })],
      [begin, link, frame('R', { path: 'link/file' })],
      [begin, link, entry('new', { type: 'h', target: 'link/file' })],
      [begin, entry('../outside/file', { type: 'f', kept: true })],
      [begin, frame('R', { path: '..' })],
      [begin, entry('new', { type: 'h', target: '../outside/file' })],
      [begin, Buffer.from([0x45, 0xff, 0xff, 0xff, 0xf0])],
    ];
    for (const frames of hostile) {
      const { exitCode } = await run('other', 'import', Buffer.concat([...frames, frame('X', {})]));
      expect(exitCode).toBe(1);
      expect(readFileSync(at('outside', 'file'), 'utf8')).toBe('mine');
      expect(statSync(at('outside', 'file')).mode & 0o777).toBe(0o600);
      expect(statSync(at('outside', 'file')).nlink).toBe(1);
    }
  });
});
