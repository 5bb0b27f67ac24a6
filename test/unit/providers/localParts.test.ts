import { spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { watch } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { InstanceConfig } from '../../../src/model/instance.ts';
import type { MachineIdentity } from '../../../src/model/machineIdentity.ts';
import { CappedOutput } from '../../../src/providers/commandStreams.ts';
import { instanceVariables, updatedConfig } from '../../../src/providers/instanceMark.ts';
import { instanceEnvironment } from '../../../src/providers/local/instanceEnvironment.ts';
import { InstanceFolders } from '../../../src/providers/local/instanceFolders.ts';
import { LinuxProcesses, parseListeners, parseStat } from '../../../src/providers/local/linuxProcesses.ts';
import { LocalProvider } from '../../../src/providers/local/localProvider.ts';
import { MacProcesses, parsePs } from '../../../src/providers/local/macProcesses.ts';
import { openPlainFile } from '../../../src/providers/local/plainFile.ts';
import { endFamily, familyOf, isAlive } from '../../../src/providers/local/processes.ts';
import { removeTree } from '../../../src/providers/local/removeTree.ts';
import { readLog, selectLines } from '../../../src/providers/local/serverLog.ts';
import { newSpec } from '../../contract/specs.ts';
import { testMachine } from '../../fakes/testMachine.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-parts-'));
});
afterEach(() => removeTree(directory));

describe('what /proc and ps say', () => {
  test('a process’s name may hold anything', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), (name, parent, start) => {
        const fields = ['S', parent, ...Array(9).fill(0), 30, 12, ...Array(6).fill(0), start, 0, 0];
        const row = parseStat(`4711 (${name.replaceAll('\n', '')}) ${fields.join(' ')}\n`);
        expect(row).toEqual({ state: 'S', parent, startTicks: String(start), ticks: 42 });
      }),
    );
    expect(parseStat('')).toBeUndefined();
  });

  test('only listening sockets are ports', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0 100 0 0 10 0',
      '   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0 20 4 30 10 -1',
      '   2: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 779 1',
    ].join('\n');
    expect(parseListeners(table)).toEqual([
      { port: 8080, inode: '777' },
      { port: 3000, inode: '779' },
    ]);
  });

  test('ps lines are read whatever their width, and the dead are left out', () => {
    const output =
      '    1     0 Ss   Mon Nov  2 09:33:00 2026\n99999     1 S+   Mon Nov 23 11:00:00 2026    \n  7 1 Z Mon\n\n';
    expect(parsePs(output)).toEqual([
      { pid: 1, parent: 0, startTime: 'Mon Nov  2 09:33:00 2026' },
      { pid: 99999, parent: 1, startTime: 'Mon Nov 23 11:00:00 2026' },
    ]);
  });

  test('a process that ps knows is looked up once', async () => {
    const asked: string[] = [];
    const processes = new MacProcesses(testMachine, async (args, env) => {
      expect(env).toEqual({ LC_ALL: 'C', TZ: 'UTC' });
      asked.push(args.join(' '));
      return `${process.pid} 1 S Mon Nov 23 11:00:00 2026\n`;
    });
    expect(await processes.startTime(process.pid)).toBe('Mon Nov 23 11:00:00 2026');
    expect(await processes.startTime(process.pid)).toBe('Mon Nov 23 11:00:00 2026');
    expect(await processes.startTime(2 ** 22 + 1)).toBeUndefined();
    expect(asked).toHaveLength(1);
  });
});

describe.runIf(process.platform === 'linux')('the family of a process', () => {
  const processes = new LinuxProcesses(testMachine);

  test('holds descendants, and daemons that left it; all of them end', async () => {
    const assignment = `REMOTE_SWARM_INSTANCE=${directory}`;
    const env = { PATH: process.env.PATH ?? '', REMOTE_SWARM_INSTANCE: directory };
    const script = 'trap "" TERM; setsid sh -c "trap \\"\\" HUP TERM; sleep 300" & sleep 300 & echo ready; wait';
    const child = spawn('sh', ['-c', script], { env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise(resolve => child.stdout.once('data', resolve));
    const root = { pid: child.pid ?? 0, startTime: (await processes.startTime(child.pid ?? 0)) ?? '' };
    const family = await vi.waitFor(async () => {
      const members = await familyOf(processes, root, assignment);
      expect(members).toHaveLength(4);
      return members;
    });
    await endFamily(processes, root, { graceMs: 50, assignment });
    const alive = await Promise.all(family.map(member => isAlive(processes, member)));
    expect(alive).toEqual(family.map(() => false));
  });

  test('of a pid with another start time is empty', async () => {
    expect(await familyOf(processes, { pid: process.pid, startTime: 'other' })).toEqual([]);
  });
});

describe('instance folders', () => {
  const folders = () => new InstanceFolders(directory, new LinuxProcesses(testMachine));

  test('what was abandoned in the middle is removed, what is being made and what is foreign stays', async () => {
    const mine = folders();
    const { startTime } = { startTime: (await new LinuxProcesses(testMachine).startTime(process.pid)) ?? '' };
    const code = Buffer.from(startTime).toString('base64url');
    const busy = `.remote-swarm-${process.pid}-${code}.00000000`;
    const foreign = ['.remote-swarm-notes', 'abcdefabcdef--owner', '.remote-swarm-1-x.zzzzzzzz'];
    const at = (machine: MachineIdentity) =>
      [machine.id, machine.boot, machine.pids, hash('sha256', machine.host, 'hex').slice(0, 8)].join('.');
    // The maker may live where this process sees nothing of it, unless that machine is this one before its last start.
    const container = at({ ...testMachine, pids: '4026539999' });
    const other = at({ ...testMachine, id: 'a0b1c2d3e4f5' });
    const namesake = at({ ...testMachine, boot: 'b0b1c2d3e4f5', host: 'another-host' });
    const elsewhere = [container, other, namesake].map(place => `.remote-swarm-4194999-${code}.${place}.00000002`);
    const before = at({ ...testMachine, boot: 'b0b1c2d3e4f5', pids: '4026539999' });
    const abandoned = [
      ...[`.remote-swarm-${process.pid}-b3RoZXI.00000000`, `.remote-swarm-4194999-${code}.00000001`],
      ...[before, at(testMachine)].map(place => `.remote-swarm-4194999-${code}.${place}.00000002`),
    ];
    foreign.push(...elsewhere);
    for (const name of [busy, ...foreign, ...abandoned]) await mkdir(path.join(directory, name));
    await mine.initialize();
    expect((await readdir(directory)).sort()).toEqual([busy, ...foreign].sort());
    expect(await mine.list()).toEqual({ folders: [], unreadable: [] });
  });

  test('one that is being made or removed is called after the machine that works on it', async () => {
    const seen: string[] = [];
    const mine = folders();
    await mine.initialize();
    const watcher = watch(directory, (_, name) => seen.push(name ?? ''));
    try {
      await mine.remove(await mine.make(newSpec('0123456789abcdef')));
      const { id, boot, pids } = testMachine;
      await vi.waitFor(() => expect(seen.filter(name => name.includes(`.${id}.${boot}.${pids}.`))).not.toEqual([]));
    } finally {
      watcher.close();
    }
  });

  test('everything of an instance is for its user only', async () => {
    const { layout } = await folders().make(newSpec('0123456789abcdef', { secretEnv: ['S'] }, { S: 'value' }));
    const modeOf = async (file: string) => (await lstat(file)).mode & 0o777;
    for (const folder of [layout.root, layout.home, layout.reserved]) expect(await modeOf(folder)).toBe(0o700);
    for (const file of [layout.token, layout.environment, layout.record]) expect(await modeOf(file)).toBe(0o600);
  });

  test('a pipe or a folder in place of a file is told, and nothing waits for it', async () => {
    const mine = folders();
    const { layout, identity } = await mine.make(newSpec('0123456789abcdef'));
    const log = path.join(layout.reserved, 'server.log');
    for (const [make, says] of [
      ['mkfifo', /is no file; something in the instance/],
      ['mkdir', /EISDIR|is no file/],
    ] as const) {
      for (const file of [layout.token, log, layout.record]) {
        await rm(file, { recursive: true, force: true });
        expect(spawnSync(make, [file]).status).toBe(0);
      }
      const { folders: found, unreadable } = await mine.list();
      expect(found).toEqual([]);
      expect(unreadable).toMatchObject([{ id: identity.id, problem: expect.stringMatching(says) }]);
      await expect(readLog(log, 'token', {})).rejects.toThrow(says);
      await expect(openPlainFile(log, 'append')).rejects.toThrow(says);
    }
  });
});

describe('what an instance knows', () => {
  test('of the window’s environment only what a shell needs', () => {
    const outer = {
      PATH: '/bin',
      LC_ALL: 'C',
      https_proxy: 'http://proxy',
      SSH_AUTH_SOCK: '/agent',
      GITHUB_TOKEN: 'secret',
      ELECTRON_RUN_AS_NODE: '1',
      VSCODE_IPC_HOOK_CLI: '/sock',
      NODE_OPTIONS: '--require x',
      HOME: '/root',
    };
    expect(instanceEnvironment(outer, '/d/id/home', '/d/id', { OWN: '1', LC_ALL: 'de' }, [])).toEqual({
      PATH: '/bin',
      LC_ALL: 'de',
      https_proxy: 'http://proxy',
      SSH_AUTH_SOCK: '/agent',
      OWN: '1',
      HOME: '/d/id/home',
      GIT_CEILING_DIRECTORIES: '/d/id',
      REMOTE_SWARM_INSTANCE: '/d/id',
    });
  });

  test.each([
    ['/scratch/job/4711', true],
    [`/scratch/${'x'.repeat(100)}`, false],
  ])('a TMPDIR of %s is taken over: %s', (TMPDIR, isTaken) => {
    expect('TMPDIR' in instanceEnvironment({ TMPDIR }, '/d/id/home', '/d/id', {}, [])).toBe(isTaken);
    expect(instanceEnvironment({}, '/d/id/home', '/d/id', { TMPDIR }, [])).toMatchObject({ TMPDIR });
  });

  test('of secrets those that its config names, a new value before an old one', () => {
    const config = InstanceConfig.parse({ name: 'x', env: { A: '1' }, secretEnv: ['OLD', 'NEW', 'NONE'] });
    const variables = instanceVariables(config, { NEW: 'n', OTHER: 'o' }, { OLD: 'before', NEW: 'before', A: 'x' });
    expect(variables).toEqual({ A: '1', OLD: 'before', NEW: 'n' });
    expect(updatedConfig(config, { env: { B: '2' } })).toEqual({ ...config, env: { B: '2' } });
  });
});

describe('the lines of a log', () => {
  const lines = ['before all', '2026-01-01T00:00:00.000Z one', 'of one', '2026-01-01T00:00:02.000Z two'];

  test('since a time, a line without one goes with that before it', () => {
    const since = (time: string) => selectLines(lines, false, { since: time }).lines;
    expect(since('2025-12-31T23:59:59.999Z')).toEqual(lines.slice(1));
    expect(since('2026-01-01T00:00:00.000Z')).toEqual(lines.slice(3));
    expect(since('2026-01-01T00:00:02.000Z')).toEqual([]);
  });

  test('the last ones, and whether others were left out', () => {
    expect(selectLines(lines, false, { tail: 2 })).toEqual({ lines: lines.slice(2), truncated: true });
    expect(selectLines(lines, false, { tail: 4 })).toEqual({ lines, truncated: false });
    expect(selectLines(lines, true, { tail: 4 })).toEqual({ lines, truncated: true });
    expect(selectLines(lines, false, { tail: 0 })).toEqual({ lines: [], truncated: true });
  });
});

test('capped output is the beginning of the output, without half a character', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.nat(40), (chunks, most) => {
      const output = new CappedOutput(most);
      for (const chunk of chunks) output.add(Buffer.from(chunk));
      const all = chunks.join('');
      expect(all.startsWith(output.text())).toBe(true);
      expect(output.truncated).toBe(Buffer.byteLength(all) > most);
      if (!output.truncated) expect(output.text()).toBe(all);
    }),
  );
});

test('on Windows the local provider says that it is not supported', async () => {
  const environment = {
    localDirectory: directory,
    launcher: '',
    editorServerDirectory: '',
    machine: testMachine,
    readSecret: async () => undefined,
  };
  const provider = new LocalProvider({ id: 'local', type: 'local' }, environment, 'win32');
  await expect(provider.initialize()).rejects.toMatchObject({ code: 'unsupported-platform' });
  await rm(directory, { recursive: true, force: true });
});
