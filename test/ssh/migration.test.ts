import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { diskController } from '../crash/diskController.ts';
import { localProvider } from '../crash/twoFolders.ts';
import { type SshHost, sshHostProblem, startSshHost } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, useHosts } from './support/sshProviders.ts';

const problem = sshHostProblem();

describe.skipIf(problem !== undefined)(`moves over ssh${problem ? ` (not here: ${problem})` : ''}`, () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-ssh-moves-'));
  const hosts: SshHost[] = [];
  let controller: SwarmController;
  let restorePath: () => void;

  beforeAll(async () => {
    await prepareForSsh();
    hosts.push(await startSshHost('one'), await startSshHost('two', { bare: true }));
    restorePath = useHosts(hosts, scratch);
    const providers = [await localProvider(scratch, 'local'), ...hosts.map(host => sshProvider(host))];
    const directory = new ProviderDirectory(providers);
    controller = await diskController(path.join(scratch, 'state'), directory, undefined, {}, new StreamCarrier());
    // Of two windows that bring the editor server at the same time, one is quicker.
    const [first] = hosts;
    const rival = first && sshProvider(first, 'rival');
    await Promise.all([rival?.initialize(), ...providers.map(provider => provider.initialize())]);
    await rival?.dispose();
    await controller.initialize();
    await controller.refresh();
  });
  afterAll(async () => {
    for (const { id } of controller?.listInstances() ?? []) await controller.purgeInstance(id);
    await controller?.dispose();
    restorePath?.();
    for (const host of hosts) await host.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const workspace = (place: string, id: string) => {
    const host = hosts.find(({ name }) => name === place);
    const instances = host ? path.join(host.home, '.remote-swarm', 'instances') : path.join(scratch, place);
    const [found = ''] = globSync(path.join(instances, `${id}--*`));
    return path.join(found, 'home', 'workspace');
  };
  const facts = (folder: string) =>
    execFileSync(
      'sh',
      ['-c', 'find . -printf "%p %y %m %s %Ts %l\\n" | sort; find . -type f | sort | xargs -d "\\n" sha256sum'],
      {
        cwd: folder,
        maxBuffer: 1e8,
      },
    ).toString();
  const leftovers = (host: SshHost) => globSync(path.join(host.home, '.remote-swarm', '.partial-*'));

  test('two windows that prepare a host leave one editor server there, and nothing half', () => {
    for (const host of hosts) {
      expect(leftovers(host)).toEqual([]);
      const [server = '', ...others] = globSync(path.join(host.home, '.remote-swarm', 'server', '*'));
      expect(others).toEqual([]);
      expect(existsSync(path.join(server, 'installed.json'))).toBe(true);
      expect(existsSync(path.join(server, 'tree'))).toBe(false);
    }
  });

  test('a host needs nothing but a shell', () => {
    const [, bare] = hosts;
    expect(() => bare?.run('node', '--version')).toThrow();
    expect(() => bare?.run('tar', '--version')).toThrow();
  });

  test.each(['stop-and-recreate', 'create-then-stop'] as const)('keep 10 MB and 10,000 files: %s', async strategy => {
    const { id } = await controller.createInstance({ name: strategy }, 'local');
    const files = workspace('local', id);
    for (let file = 0; file < 10_000; file++) {
      const folder = path.join(files, `${file % 100}`);
      if (file < 100) mkdirSync(folder);
      writeFileSync(path.join(folder, `file ${file}`), randomBytes(1_000));
    }
    execFileSync('sh', ['-c', 'ln -s nowhere link; ln "1/file 1" hard; chmod 600 hard; mkdir -m 750 empty'], {
      cwd: files,
    });
    const before = facts(files);
    for (const target of ['one', 'two', 'local']) {
      const plan = await controller.migrations.createMigrationPlan(id, target, strategy);
      const migration = await controller.migrations.startMigration(plan.id);
      expect(migration).toMatchObject({ status: 'completed', leftovers: [] });
      expect(controller.getInstance(id)).toMatchObject({ providerId: target, status: 'running' });
      expect(facts(workspace(target, id))).toBe(before);
      const { url, endpoint } = await controller.access.openInstance(id);
      expect((await fetch(url, { redirect: 'manual' })).status).toBe(302);
      endpoint.dispose();
      await controller.migrations.cleanUp(plan.id);
    }
    await controller.purgeInstance(id);
  });

  test('whose sshd is killed in the middle are taken back, and succeed when they are tried again', async () => {
    const [one] = hosts;
    if (!one) throw new Error('no host');
    const { id } = await controller.createInstance({ name: 'cut' }, 'local');
    const files = workspace('local', id);
    for (let file = 0; file < 10; file++) writeFileSync(path.join(files, `${file}`), randomBytes(20_000_000));
    const before = facts(files);
    let killed: Promise<void> | undefined;
    const ctx = {
      signal: new AbortController().signal,
      report: (message: string) => {
        if (message.startsWith('Copying the home:')) killed ??= one.killSshd();
      },
    };
    const first = await controller.migrations.createMigrationPlan(id, 'one', 'stop-and-recreate');
    const failed = await controller.migrations.startMigration(first.id, ctx);
    expect(killed, 'the copy was too quick').toBeDefined();
    await one.startSshd();
    expect(failed.status).not.toBe('completed');
    // What could not be taken back at once is, when the host is there again.
    await vi.waitFor(
      async () => {
        await controller.refresh();
        expect(controller.migrations.getMigrationStatus(first.id).status).toBe('failed');
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'local', status: 'running' });
    expect(facts(files)).toBe(before);

    const second = await controller.migrations.createMigrationPlan(id, 'one', 'stop-and-recreate');
    expect(await controller.migrations.startMigration(second.id)).toMatchObject({ status: 'completed' });
    expect(facts(workspace('one', id))).toBe(before);
    await controller.migrations.cleanUp(second.id);
  });

  test('a host without room for the editor server says so, and keeps nothing of it', async () => {
    const small = await startSshHost('small', { diskMb: 200 });
    const restore = useHosts([...hosts, small], scratch);
    const provider = sshProvider(small);
    await expect(provider.initialize()).rejects.toMatchObject({
      code: 'ssh-transfer-failed',
      message: expect.stringMatching(/no space/i),
    });
    expect(leftovers(small)).toEqual([]);
    expect(globSync(path.join(small.home, '.remote-swarm', 'server', '*'))).toEqual([]);
    await provider.dispose();
    restore();
    await small.stop();
  });
});
