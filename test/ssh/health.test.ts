import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Endpoint } from '../../src/model/provider.ts';
import { type Fault, type FaultRow, faultTable, suffer } from '../engine/support/healthTable.ts';
import { WatchedSwarm } from '../engine/support/watchedSwarm.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import { hostLimits, type SshHost, sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();
/** In the long form (REMOTE_SWARM_SOAK=1). */
const isLong = process.env.REMOTE_SWARM_SOAK === '1';

describe.skipIf(problem !== undefined)(notHere('instances of an ssh host that fails', problem), () => {
  let host: SshHost;
  let provider: LoneProvider;
  let restorePath: () => void;
  const rows: FaultRow[] = [];
  let swarm: WatchedSwarm;
  let id: string;
  let endpoint: Endpoint;
  const version = async () => (await fetch(`http://127.0.0.1:${endpoint.port}/version`)).status;
  const home = () => path.join(host.home, '.remote-swarm', 'instances', `${id}--owner`, 'home');
  const pid = () => JSON.parse(readFileSync(path.join(home(), '..', 'reserved', 'process.json'), 'utf8')).pid;

  beforeAll(async () => {
    await prepareForSsh();
    host = await startPreparedHost('hlt');
    restorePath = useSsh(host.path);
    provider = sshProvider(host);
    await provider.initialize();
    swarm = await WatchedSwarm.open([provider], { checkTimeout: 3 });
    id = await swarm.create({ name: 'web' }, provider.id);
    await swarm.controller.access.executeCommand(id, 'echo kept > file');
    endpoint = await provider.abilities.connect(id);
  });
  afterAll(async () => {
    endpoint?.dispose();
    await swarm?.forget();
    await provider?.dispose();
    restorePath?.();
    await host?.stop();
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
      ...{ name: 'network cut, later mended', ...silent },
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
  // In the short form one silence stands for both: each takes half a minute.
  const suffered = faults.filter(({ name }) => isLong || !name.startsWith('sshd stands still'));
  for (const fault of suffered) {
    const limits = fault.name.startsWith('no way leads') ? hostLimits : undefined;
    test.skipIf(limits !== undefined)(notHere(`${fault.name}: the home and the endpoint last`, limits), async () => {
      const before = pid();
      rows.push(await suffer('ssh', swarm, [id], fault));
      expect(readFileSync(path.join(home(), 'workspace', 'file'), 'utf8')).toBe('kept\n');
      if (fault.acts.length === 0) {
        expect(pid()).toBe(before);
        await vi.waitFor(async () => expect(await version()).toBe(200), { timeout: 60_000, interval: 500 });
      } else expect(existsSync(path.join(home(), 'workspace'))).toBe(true);
    });
  }
});
