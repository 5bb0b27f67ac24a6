import { existsSync, globSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { editorServerVersion } from '../../src/providers/editorServer.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { notHere } from '../fakes/notHere.ts';
import { hostLimits, type SshHost, sshHostProblem, startSshHost } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();

describe.skipIf(problem !== undefined)(notHere('what is brought to a host', problem), () => {
  beforeAll(prepareForSsh);

  const leftovers = (host: SshHost) => globSync(path.join(host.home, '.remote-swarm', '.partial-*'));
  const servers = (host: SshHost) => globSync(path.join(host.home, '.remote-swarm', 'server', '*'));

  describe('that has nothing but a shell, by two windows at the same time', () => {
    let host: SshHost;
    let restorePath: () => void;
    beforeAll(async () => {
      host = await startSshHost('bare', { bare: true });
      restorePath = useSsh(host.path);
    });
    afterAll(async () => {
      restorePath?.();
      await host?.stop();
    });

    test('is one editor server, nothing half or of before, and an instance runs on it', async () => {
      const torn = path.join(host.home, '.remote-swarm', 'server', `code-server-${editorServerVersion}`, 'torn');
      mkdirSync(torn, { recursive: true });
      expect(() => host.run('node', '--version')).toThrow();
      expect(() => host.run('tar', '--version')).toThrow();
      const windows = [sshProvider(host), sshProvider(host, 'rival')] as const;
      await Promise.all(windows.map(provider => provider.initialize()));
      const [server = '', ...others] = servers(host);
      expect(others).toEqual([]);
      expect(existsSync(path.join(server, 'installed.json'))).toBe(true);
      expect([torn, path.join(server, 'tree')].filter(existsSync)).toEqual([]);
      // What the slower one brought is removed by the host, even when nobody waits for it.
      await vi.waitFor(() => expect(leftovers(host)).toEqual([]), 60_000);

      const [provider, rival] = windows;
      const { id } = await provider.createInstance(newSpec(testSwarmId()));
      const endpoint = await rival.abilities.connect(id);
      expect((await fetch(`http://127.0.0.1:${endpoint.port}/version`)).status).toBe(200);
      endpoint.dispose();
      await rival.deleteInstance(id);
      for (const window of windows) await window.dispose();
    });
  });

  test.skipIf(hostLimits !== undefined)(
    notHere('that has no room for it is nothing, and that is said', hostLimits),
    async () => {
      const small = await startSshHost('small', { diskMb: 200 });
      const restorePath = useSsh(small.path);
      const provider = sshProvider(small);
      await expect(provider.initialize()).rejects.toMatchObject({
        code: 'ssh-host-unfit',
        message: expect.stringMatching(/has (199|200) MB left on the disk of that directory, .* takes \d{3} MB\.$/),
      });
      // On some disks it is seen only when they are full.
      small.run('sh', '-c', 'mkdir ~/bin; ln -s /bin/true ~/bin/df; echo "PATH=$HOME/bin:$PATH" > ~/.bashrc');
      await expect(provider.initialize()).rejects.toMatchObject({
        code: 'ssh-transfer-failed',
        message: expect.stringMatching(/no space/i),
      });
      await vi.waitFor(() => expect(leftovers(small)).toEqual([]), 60_000);
      expect(servers(small)).toEqual([]);
      await provider.dispose();
      restorePath();
      await small.stop();
    },
  );
});
