import { existsSync, globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SwarmError } from '../../src/model/errors.ts';
import { quietContext, withTimeout } from '../../src/model/operationContext.ts';
import type { Endpoint, Provider } from '../../src/model/provider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { type Fault, type FaultRow, faultTable, suffer } from '../engine/support/healthTable.ts';
import { WatchedSwarm } from '../engine/support/watchedSwarm.ts';
import { type SshHost, sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();
const failureOf = (work: Promise<unknown>): Promise<SwarmError> =>
  work.then(
    () => expect.fail('nothing failed'),
    (error: unknown) => error as SwarmError,
  );

describe.skipIf(problem !== undefined)(`an ssh host that fails${problem ? ` (not here: ${problem})` : ''}`, () => {
  let host: SshHost;
  let provider: Provider;
  let restorePath: () => void;

  beforeAll(async () => {
    await prepareForSsh();
    host = await startPreparedHost('flt');
    restorePath = useSsh(host.path);
    provider = sshProvider(host);
    await provider.initialize();
  });
  afterAll(async () => {
    await provider?.dispose();
    restorePath?.();
    await host?.stop();
  });

  /** What a new window says of the host, with another `ssh`. */
  async function newcomer(bin: string): Promise<SwarmError> {
    const restore = useSsh(bin);
    const other = sshProvider(host, 'other');
    try {
      return await failureOf(other.initialize());
    } finally {
      await other.dispose();
      restore();
    }
  }

  test.each([
    ['an unknown host key', () => host.strangerPath, 'ssh-host-key', 'is not known'],
    ['a changed host key', () => host.changedPath, 'ssh-host-key-changed', 'not the one that is known'],
    ['no key that it lets in', () => host.keylessPath, 'ssh-permission', 'refused the ssh login'],
    ['neither a key nor an agent', () => host.agentlessPath, 'ssh-permission', 'refused the ssh login'],
    ['a user whom it does not have', () => host.strangeUserPath, 'ssh-permission', 'nobody-there@'],
    ['no ssh on this machine', () => '/nonexistent', 'ssh-missing', 'no ssh'],
  ])('%s is said, with the way out', async (what, bin, code, words) => {
    const before = process.env.PATH;
    if (what.startsWith('no ssh')) process.env.PATH = '/nonexistent';
    const error = await newcomer(bin()).finally(() => {
      process.env.PATH = before;
    });
    expect(error).toMatchObject({ code, message: expect.stringContaining(words), hint: expect.stringMatching(/\S/) });
  });

  test('a host whose sshd is down refuses, to some no way leads, and one that is cut off is silent', async () => {
    await host.killSshd();
    expect(await newcomer(host.path)).toMatchObject({
      code: 'provider-unreachable',
      message: expect.stringContaining('refused'),
    });
    await host.startSshd();
    host.block();
    expect(await newcomer(host.path)).toMatchObject({
      code: 'provider-unreachable',
      message: expect.stringContaining('No route to host'),
      hint: expect.stringContaining('VPN'),
    });
    host.unblock();
    host.cut();
    expect(await newcomer(host.path)).toMatchObject({ family: 'network', message: expect.stringMatching(/ssh/) });
    host.mend();
    await provider.abilities.observe();
  });

  test('a half-dead connection ends a call in its time, and the next one is anew', async () => {
    await provider.abilities.observe();
    host.freeze('connections');
    const error = await failureOf(provider.getInstance('abcdefabcdef', withTimeout(quietContext, 60_000)));
    expect(error).toMatchObject({ family: 'network', retryable: true, message: expect.stringMatching(/did not|ssh/) });
    await vi.waitFor(async () => expect(await provider.getInstance('abcdefabcdef')).toBeNull(), 60_000);
  });

  test('where the program was removed that is said, and testing the provider brings it back', async () => {
    host.run('sh', '-c', 'rm -r /root/.remote-swarm/programs');
    expect(await failureOf(provider.getInstance('abcdefabcdef'))).toMatchObject({ code: 'ssh-host-not-prepared' });
    await provider.initialize();
    expect(await provider.getInstance('abcdefabcdef')).toBeNull();
    expect(globSync(path.join(host.home, '.remote-swarm', '.partial-*'))).toEqual([]);
  });

  test('start files that print do not disturb', async () => {
    host.run('sh', '-c', 'echo "echo welcome" > /root/.bashrc');
    const chatty = sshProvider(host, 'chatty');
    expect(await chatty.getInstance('abcdefabcdef')).toBeNull();
    await chatty.dispose();
    host.run('rm', '/root/.bashrc');
  });

  test('a create whose connection is lost leaves nothing, or what a repeated one adopts', async () => {
    const spec = newSpec(testSwarmId());
    const { id } = spec.identity;
    let lost: Promise<void> | undefined;
    const ctx = {
      signal: new AbortController().signal,
      report: (message: string) => {
        if (message.startsWith('Waiting')) lost ??= host.killSshd().then(() => host.startSshd());
      },
    };
    // The guard calls again by itself.
    expect(await provider.createInstance(spec, ctx)).toMatchObject({ id, status: 'running' });
    expect(lost).toBeDefined();
    expect((await provider.abilities.observe()).filter(row => row.id === id)).toHaveLength(1);
    const servers = () => globSync('/proc/[0-9]*/cmdline').filter(file => serves(file, id));
    expect(servers()).toHaveLength(1);
    await provider.deleteInstance(id);
    expect(servers()).toEqual([]);
  });

  test('a watch that is lost says so, and wakes again when the host is back', async () => {
    const { id } = await provider.createInstance(newSpec(testSwarmId()));
    const woken: (string | undefined)[] = [];
    const watch = provider.abilities.watch?.(changed => woken.push(changed));
    await vi.waitFor(async () => {
      await provider.updateInstance(id, { name: `renamed ${woken.length}` });
      expect(woken).toContain(id);
    }, 20_000);
    await host.killSshd();
    await vi.waitFor(() => expect(woken).toContain(undefined), 20_000);
    await host.startSshd();
    woken.length = 0;
    await vi.waitFor(() => expect(woken).toContain(undefined), 60_000);
    await provider.stopInstance(id);
    await vi.waitFor(() => expect(woken).toContain(id), 20_000);
    watch?.dispose();
    await provider.deleteInstance(id);
  });

  test('a window that did not reach the host itself can open what another one made', async () => {
    const { id } = await provider.createInstance(newSpec(testSwarmId()));
    const other = sshProvider(host, 'other');
    expect(await other.abilities.readToken(id)).toBe(await provider.abilities.readToken(id));
    expect(other.abilities.workspacePath(id)).toBe(provider.abilities.workspacePath(id));
    expect(await other.abilities.attachUri?.(id)).toMatchObject({
      uri: expect.stringMatching(/^vscode-remote:\/\/ssh-remote\+[0-9a-f]+\/root\/.*\/workspace$/),
    });
    await other.dispose();
    await provider.deleteInstance(id);
  });

  describe('with instances that are watched', () => {
    const rows: FaultRow[] = [];
    let swarm: WatchedSwarm;
    let id: string;
    let endpoint: Endpoint;
    const version = async () => (await fetch(`http://127.0.0.1:${endpoint.port}/version`)).status;
    const home = () => path.join(host.home, '.remote-swarm', 'instances', `${id}--owner`, 'home');
    const pid = () => JSON.parse(readFileSync(path.join(home(), '..', 'reserved', 'process.json'), 'utf8')).pid;

    beforeAll(async () => {
      swarm = await WatchedSwarm.open([provider], { checkTimeout: 3 });
      id = await swarm.create({ name: 'web' }, provider.id);
      await swarm.controller.access.executeCommand(id, 'echo kept > file');
      endpoint = await provider.abilities.connect(id);
    });
    afterAll(async () => {
      endpoint?.dispose();
      await swarm?.forget();
      console.log(faultTable(rows));
    });

    const unknown = { verdict: 'unknown', acts: [], seenWithin: 60_000, rounds: 2, wellWithin: 90_000 } as const;
    const silence = /the connection to its host took too long|did not finish within 10 s|ssh to flt failed/;
    // Each of its rounds takes as long as a list may.
    const silent = { ...unknown, says: silence, rounds: 1 } as const;
    const faults: readonly Fault[] = [
      {
        ...{ name: 'sshd killed, later started', ...unknown, says: /refused/ },
        befall: () => host.killSshd(),
        undo: () => host.startSshd(),
      },
      {
        ...{
          name: 'network cut, later mended',
          ...silent,
        },
        befall: () => host.cut(),
        undo: () => host.mend(),
      },
      {
        ...{ name: 'no way leads to it, later one does', ...unknown, says: /No route to host/ },
        befall: async () => {
          host.block();
          await host.killSshd();
          await host.startSshd();
        },
        undo: () => host.unblock(),
      },
      {
        ...{ name: 'key let in no more, later again', ...unknown, says: /refused the ssh login/ },
        befall: async () => {
          host.admit(false);
          await host.killSshd();
          await host.startSshd();
        },
        undo: () => host.admit(true),
      },
      {
        ...{ name: 'another host key, later its own', ...unknown, says: /not the one that is known/ },
        befall: () => host.killSshd().then(() => host.startSshd('other')),
        undo: () => host.killSshd().then(() => host.startSshd()),
      },
      {
        ...{ name: 'sshd stands still, later goes on', ...silent },
        befall: () => host.freeze('sshd'),
        undo: () => host.thaw(),
      },
      {
        ...{ name: 'host rebooted', verdict: 'unhealthy', says: /does not run|ended unexpectedly/, seenWithin: 60_000 },
        ...{ acts: ['restart'], cause: 'exited', wellWithin: 90_000 },
        befall: () => host.reboot(),
      },
    ];
    test.each(faults.map(fault => [fault.name, fault] as const))(
      '%s: the home and the endpoint last',
      async (_, fault) => {
        const before = pid();
        rows.push(await suffer('ssh', swarm, [id], fault));
        expect(readFileSync(path.join(home(), 'workspace', 'file'), 'utf8')).toBe('kept\n');
        if (fault.acts.length === 0) {
          expect(pid()).toBe(before);
          await vi.waitFor(async () => expect(await version()).toBe(200), { timeout: 60_000, interval: 500 });
        } else expect(existsSync(path.join(home(), 'workspace'))).toBe(true);
      },
    );
  });
});

function serves(file: string, id: string): boolean {
  try {
    const argv = readFileSync(file, 'utf8').split('\0');
    return argv.includes('serve') && argv.some(argument => argument.includes(`${id}--owner`));
  } catch {
    return false;
  }
}
