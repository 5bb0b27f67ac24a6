import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { type Fault, type FaultRow, faultTable, suffer } from '../engine/support/healthTable.ts';
import { WatchedSwarm } from '../engine/support/watchedSwarm.ts';
import { notHere } from '../fakes/notHere.ts';
import { testMachine } from '../fakes/testMachine.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');

/** Answers with what undoes it. */
function moveClock(offset: number): () => void {
  const now = Date.now;
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + offset);
  return () => spy.mockRestore();
}

/** Blocks this process's event loop, as another extension in the same host may; answers with what ends it. */
function stallAgainAndAgain(): () => void {
  const timer = setInterval(() => {
    const until = performance.now() + 1_500;
    while (performance.now() < until);
  }, 2_000);
  return () => clearInterval(timer);
}

describe.runIf(process.platform === 'linux')('what the monitor says and does when a local editor server fails', () => {
  const rows: FaultRow[] = [];
  const directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-local-'));
  const homes = path.join(directory, 'instances');
  const stub = path.join(directory, 'out', 'server-main.js');
  let swarm: WatchedSwarm;
  let bystander: string;

  const localProvider = (id: string, folder: string, server: string) =>
    ProviderFactory.createProvider(
      'local',
      { id, type: 'local', directory: folder, server } as { id: string; type: string },
      {
        localDirectory: directory,
        launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
        editorServerDirectory,
        machine: testMachine,
        readSecret: async () => undefined,
      },
    );

  beforeAll(async () => {
    const installed = await installEditorServer(editorServerDirectory);
    if (installed.kind !== 'node') throw new Error('the installed editor server has no node');
    mkdirSync(path.dirname(stub));
    cpSync(path.join(root, 'test', 'engine', 'support', 'stubServer.mjs'), stub);
    const editor = await localProvider('editor', path.join(homes, 'editor'), installed.serverMain);
    const fast = await localProvider('stub', path.join(homes, 'stub'), stub);
    swarm = await WatchedSwarm.open([editor, fast]);
    bystander = await swarm.create({ name: 'bystander' }, 'stub');
  });

  afterAll(async () => {
    for (const { id } of swarm?.controller.listInstances() ?? []) await swarm.controller.purgeInstance(id);
    await swarm?.forget();
    rmSync(directory, { recursive: true, force: true });
    console.log(faultTable(rows));
  });

  const folder = (id: string) => {
    const [found = ''] = globSync(path.join(homes, '*', `${id}--owner`));
    return found;
  };
  /** Of the editor server that its mark names. */
  const serverPid = (id: string) =>
    Number(JSON.parse(readFileSync(path.join(folder(id), 'reserved', 'process.json'), 'utf8')).pid);
  /** All editor servers of the instance that live, whoever knows of them. */
  const servers = (id: string) =>
    globSync('/proc/[0-9]*/cmdline').filter(file => {
      try {
        const argv = readFileSync(file, 'utf8').split('\0');
        return argv.includes('serve') && argv.some(argument => argument.includes(`${id}--owner`));
      } catch {
        return false; // It has ended meanwhile.
      }
    });
  const breaks = async (id: string, how: string) => {
    await fetch(`http://127.0.0.1:${swarm.controller.getInstance(id).port}/break/${how}`);
  };

  const exited = {
    verdict: 'unhealthy',
    cause: 'exited',
    acts: ['restart'],
    seenWithin: 3_000,
    wellWithin: 30_000,
  } as const;
  const silent = { ...exited, cause: 'unresponsive', seenWithin: 15_000 } as const;

  const faults: (Fault & { provider: string })[] = [
    ...['editor', 'stub'].flatMap(provider => [
      {
        ...{ provider, name: `${provider} server killed (kill -9)`, ...exited },
        befall: (id: string): unknown => process.kill(serverPid(id), 'SIGKILL'),
        says: /editor server ended with exit code 137/,
      },
      {
        ...{ provider, name: `${provider} server hangs (SIGSTOP)`, ...silent },
        befall: (id: string): unknown => process.kill(serverPid(id), 'SIGSTOP'),
        says: /did not answer in time/,
      },
    ]),
    {
      ...{ provider: 'stub', name: 'stub server answers 500', ...silent },
      befall: id => breaks(id, 'answers-500'),
      says: /answered 500/,
    },
  ];

  test.each(faults.map(fault => [fault.name, fault] as const))('%s', async (name, fault) => {
    const id = await swarm.create({ name: name.replace(/[^\w ]/g, '') }, fault.provider);
    const kept = path.join(folder(id), 'home', 'workspace', 'kept');
    const text = randomBytes(2048).toString('hex');
    writeFileSync(kept, text);
    rows.push(await suffer('local', swarm, [id], fault));
    expect(readFileSync(kept, 'utf8') === text, 'its home is as it was').toBe(true);
    expect(servers(id)).toHaveLength(1);
  });

  test.each<[string, () => () => void]>([
    ['clock set forward by an hour', () => moveClock(3_600_000)],
    ['clock set back by an hour', () => moveClock(-3_600_000)],
    ['event loop stalls, again and again', stallAgainAndAgain],
  ])('%s: nothing is done', async (name, begin) => {
    let end = () => {};
    const fault: Fault = {
      ...{ name, verdict: 'healthy', acts: [], says: /./, seenWithin: 10_000, rounds: 5, wellWithin: 10_000 },
      befall: () => {
        end = begin();
      },
    };
    const pid = serverPid(bystander);
    try {
      const row = await suffer('local', swarm, [bystander], fault);
      rows.push(row);
      expect(row.statuses).toEqual(['healthy']);
    } finally {
      end();
    }
    expect(serverPid(bystander)).toBe(pid);
  });

  test('folder of an instance removed behind our back: nothing is made in its place', async () => {
    const id = await swarm.create({ name: 'gone' }, 'stub');
    const lost = folder(id);
    const pid = serverPid(id);
    const fault: Fault = {
      ...{ name: 'folder of the instance removed', verdict: 'unhealthy', acts: [], seenWithin: 5_000, rounds: 4 },
      befall: () => rmSync(lost, { recursive: true, force: true }),
      says: /Crash loop\. Its home is gone/,
    };
    rows.push(await suffer('local', swarm, [id], fault));
    expect(existsSync(lost)).toBe(false);
    process.kill(pid, 'SIGKILL');
  });

  const diskLimits = process.getuid?.() === 0 ? undefined : 'only root can mount a disk of its own';
  test.skipIf(diskLimits)(notHere('disk of its home full: it is told, and nothing is done', diskLimits), async () => {
    const small = path.join(directory, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small]);
    const other = await WatchedSwarm.open([await localProvider('small', small, stub)], { resourceInterval: 2 });
    try {
      const id = await other.create({ name: 'small' }, 'small');
      const filler = path.join(small, 'filler');
      const fault: Fault = {
        ...{ name: 'disk of its home full', verdict: 'degraded', acts: [], seenWithin: 15_000, rounds: 3 },
        befall: () => {
          const { bavail, bsize } = statfsSync(small);
          expect(() => writeFileSync(filler, Buffer.alloc(bavail * bsize + bsize))).toThrow(/ENOSPC/);
        },
        undo: () => rmSync(filler),
        ...{ wellWithin: 15_000, says: /Its disk is full.*no act of recovery makes any/ },
      };
      rows.push(await suffer('local', other, [id], fault));
      await other.controller.purgeInstance(id);
    } finally {
      await other.forget();
      execFileSync('umount', ['-l', small]);
    }
  });

  test('nobody else was touched', () => {
    expect(swarm.health(bystander).recovery.attempts).toEqual([]);
  });
});
