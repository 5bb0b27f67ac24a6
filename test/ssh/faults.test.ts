import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SwarmError } from '../../src/model/errors.ts';
import { quietContext, withTimeout } from '../../src/model/operationContext.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import { hostLimits, type SshHost, sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();
const failureOf = (work: Promise<unknown>): Promise<SwarmError> =>
  work.then(
    () => expect.fail('nothing failed'),
    (error: unknown) => error as SwarmError,
  );

describe.skipIf(problem !== undefined)(notHere('an ssh host that fails', problem), () => {
  let host: SshHost;
  let provider: LoneProvider;
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

  test('a host whose sshd is down refuses, and one that is cut off is silent', async () => {
    await host.killSshd();
    expect(await newcomer(host.path)).toMatchObject({
      code: 'provider-unreachable',
      message: expect.stringContaining('refused'),
    });
    await host.startSshd();
    host.cut();
    expect(await newcomer(host.path)).toMatchObject({ family: 'network', message: expect.stringMatching(/ssh/) });
    host.mend();
    await provider.abilities.observe();
  });

  test.skipIf(hostLimits !== undefined)(notHere('no way leads to a host', hostLimits), async () => {
    host.block();
    expect(await newcomer(host.path)).toMatchObject({
      code: 'provider-unreachable',
      message: expect.stringContaining('No route to host'),
      hint: expect.stringContaining('VPN'),
    });
    host.unblock();
    await provider.abilities.observe();
  });

  test('a half-dead connection ends a call in its time, and the next one is anew', async () => {
    await provider.abilities.observe();
    host.freeze('connections');
    const error = await failureOf(provider.getInstance('abcdefabcdef', withTimeout(quietContext, 60_000)));
    expect(error).toMatchObject({ family: 'network', retryable: true, message: expect.stringMatching(/did not|ssh/) });
    await vi.waitFor(async () => expect(await provider.getInstance('abcdefabcdef')).toBeNull(), 60_000);
  });

  test.each([
    ['the program was removed', 'rm -r programs'],
    ['a part of the program was removed', 'rm programs/*/run'],
  ])('where %s that is said, and testing the provider brings it back', async (_, removal) => {
    host.run('sh', '-c', `cd ~/.remote-swarm; ${removal}`);
    expect(await failureOf(provider.getInstance('abcdefabcdef'))).toMatchObject({ code: 'ssh-host-not-prepared' });
    await provider.initialize();
    expect(await provider.getInstance('abcdefabcdef')).toBeNull();
    expect(globSync(path.join(host.home, '.remote-swarm', '.partial-*'))).toEqual([]);
  });

  test('what releases of long ago have left there goes with the next one, unless it is in use', async () => {
    const old = [
      ...['programs/0123456789abcdef', 'programs/fedcba9876543210', 'server/code-server-1.0.0'],
      'server/code-server-2.0.0',
    ];
    const [, fresh = '', , used = ''] = old;
    const make = [
      `cd ~/.remote-swarm; rm programs/*/run; mkdir -p ${old.join(' ')}; cp "$(command -v sleep)" ${used}/node`,
      `touch -d '40 days ago' ${old.filter(each => each !== fresh).join(' ')}; ${used}/node 300 >&- 2>&- & echo $!`,
    ];
    const pid = host.run('sh', '-c', make.join('; ')).trim();
    await provider.initialize();
    const left = old.filter(each => existsSync(path.join(host.home, '.remote-swarm', each)));
    host.run('kill', pid);
    expect(left).toEqual([fresh, used]);
    expect(await provider.getInstance('abcdefabcdef')).toBeNull();
    host.run('rm', '-r', ...left.map(each => path.join(host.homeThere, '.remote-swarm', each)));
  });

  test('start files that print do not disturb', async () => {
    host.run('sh', '-c', 'echo "echo welcome" > ~/.bashrc');
    const chatty = sshProvider(host, 'chatty');
    expect(await chatty.getInstance('abcdefabcdef')).toBeNull();
    await chatty.dispose();
    host.run('rm', path.join(host.homeThere, '.bashrc'));
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
    const servers = () =>
      commands().filter(argv => argv.includes('serve') && argv.some(argument => argument.includes(`${id}--owner`)));
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
      uri: expect.stringMatching(new RegExp(`^vscode-remote://ssh-remote\\+[0-9a-f]+${host.homeThere}/.*/workspace$`)),
    });
    await other.dispose();
    await provider.deleteInstance(id);
  });

  test('no ssh outlives the window that started it, however that ends', async () => {
    const connections = () => commands().flatMap(argv => (argv.includes(host.config) ? [argv.join(' ')] : []));
    const before = connections();
    const program = path.join(import.meta.dirname, 'support', 'dyingWindow.ts');
    const child = spawn(process.execPath, [program, host.name], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), ended]);
    const own = connections().filter(command => !before.includes(command));
    expect(own.filter(command => command.includes(' cat'))).toHaveLength(3);
    child.stdin.write('end\n');
    expect(await ended).toEqual([null, 'SIGKILL']);
    await vi.waitFor(() => expect(connections().filter(command => own.includes(command))).toEqual([]), 10_000);
  });
});

/** What the processes of this machine, and so of all hosts, were called with. */
const commands = (): string[][] =>
  globSync('/proc/[0-9]*/cmdline').map(file => {
    try {
      return readFileSync(file, 'utf8').split('\0');
    } catch {
      return [];
    }
  });
