import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { lockLost } from '../../src/model/errors.ts';
import { type LockedContext, quietContext } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { loneContext } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { newSpec, testSwarmId } from './specs.ts';

const root = path.resolve(import.meta.dirname, '../..');

describe.runIf(process.platform === 'linux')('a window that goes on after a stall, on this machine', () => {
  let directory = '';
  let stalled: LocalProvider;
  let other: LocalProvider;
  let spec: InstanceSpec;
  let id = '';

  const open = () => {
    const server = path.join(directory, 'out', 'server-main.js');
    return new LocalProvider(
      { id: 'here', type: 'local', directory: path.join(directory, 'instances'), server },
      {
        ...{ localDirectory: directory, editorServerDirectory: directory, machine: testMachine },
        launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
        readSecret: async () => undefined,
      },
    );
  };

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-fences-'));
    mkdirSync(path.join(directory, 'out'));
    cpSync(
      path.join(root, 'test', 'engine', 'support', 'stubServer.mjs'),
      path.join(directory, 'out', 'server-main.js'),
    );
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  beforeEach(async () => {
    [stalled, other] = [open(), open()];
    await stalled.initialize();
    spec = newSpec(testSwarmId());
    id = (await stalled.createInstance(spec, loneContext)).id;
  });

  afterEach(async () => {
    await other.deleteInstance(id, loneContext);
    // What nobody knows of any more.
    for (const pid of servers()) process.kill(pid, 'SIGKILL');
  });

  /** Editor servers of the instance that live, whoever knows of them. */
  const servers = () =>
    globSync('/proc/[0-9]*/cmdline').flatMap(file => {
      try {
        const argv = readFileSync(file, 'utf8').split('\0');
        const isOurs = argv.includes('serve') && argv.some(argument => argument.includes(`${id}--owner`));
        return isOurs ? [Number(file.split('/')[2])] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
  const mark = () => {
    const [file = ''] = globSync(path.join(directory, 'instances', `${id}--*`, 'reserved', 'process.json'));
    return JSON.parse(readFileSync(file, 'utf8'));
  };

  /** A lock that is lost once the other window has it. `isBlind`: this window does not come to notice. */
  function lockOf(isBlind: boolean): { ctx: LockedContext; lose(): void } {
    let isLost = false;
    const assertHeld = () => {
      if (isLost && !isBlind) throw lockLost(id);
    };
    return {
      ctx: { ...quietContext, lock: { assertHeld } },
      lose: () => {
        isLost = true;
      },
    };
  }

  async function expectOneServer(): Promise<void> {
    const { status } = (await other.getInstance(id)) ?? {};
    expect(status).toBe('running');
    // A gate that was not opened takes a moment to end.
    await vi.waitFor(() => expect(servers()).toEqual([mark().pid]), { timeout: 5_000 });
  }

  test.each([
    ['and notices that its lock is lost', false],
    ['without noticing, as one that is stopped between a look and its deed', true],
  ])(
    'leaves the server that another window started, between the end and the start of a recreate, %s',
    async (_, isBlind) => {
      const { ctx, lose } = lockOf(isBlind);
      const { folders } = stalled;
      const renew = folders.renew.bind(folders);
      folders.renew = async (...args) => {
        lose();
        await other.startInstance(id, loneContext);
        return renew(...args);
      };
      const recreated = stalled.recreate(spec, ctx);
      if (isBlind) expect(await recreated).toMatchObject({ status: 'running' });
      else await expect(recreated).rejects.toMatchObject({ code: 'lock-lost' });
      await expectOneServer();
    },
  );

  test.each([
    ['and notices that its lock is lost', false],
    ['without noticing', true],
  ])('starts no second server beside the one that another window started, %s', async (_, isBlind) => {
    await stalled.stopInstance(id, true, loneContext);
    const { ctx, lose } = lockOf(isBlind);
    const { processes } = stalled;
    const startTime = processes.startTime.bind(processes);
    let isFirst = true;
    // Asked of the gate, when its mark is about to be written.
    processes.startTime = async pid => {
      const found = await startTime(pid);
      if (isFirst) {
        isFirst = false;
        lose();
        await other.startInstance(id, loneContext);
      }
      return found;
    };
    const started = stalled.startInstance(id, ctx);
    if (isBlind) expect(await started).toMatchObject({ status: 'running' });
    else await expect(started).rejects.toMatchObject({ code: 'lock-lost' });
    await expectOneServer();
  });

  test('ends no server that another window has started meanwhile', async () => {
    const { ctx, lose } = lockOf(false);
    const { processes } = stalled;
    const rows = processes.rows.bind(processes);
    let looks = 0;
    processes.rows = async () => {
      looks += 1;
      if (looks === 2) {
        lose();
        await other.stopInstance(id, true, loneContext);
        await other.startInstance(id, loneContext);
      }
      return rows();
    };
    await expect(stalled.stopInstance(id, true, ctx)).rejects.toMatchObject({ code: 'lock-lost' });
    await expectOneServer();
  });

  test('moves no folder that another window works in', async () => {
    const { ctx, lose } = lockOf(false);
    const { folders } = stalled;
    const rename = folders.rename.bind(folders);
    folders.rename = async (...args) => {
      lose();
      await other.startInstance(id, loneContext);
      return rename(...args);
    };
    await expect(stalled.moveTo('trash', id, ctx)).rejects.toMatchObject({ code: 'lock-lost' });
    await expectOneServer();
  });
});
