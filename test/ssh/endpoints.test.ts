import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { forwarding } from '../../src/providers/sshArguments.ts';
import { diskController } from '../crash/diskController.ts';
import { children, listeners } from '../engine/support/listeners.ts';
import { notHere } from '../fakes/notHere.ts';
import { type SshHost, sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();
/** In the long form (REMOTE_SWARM_SOAK=1). */
const isLong = process.env.REMOTE_SWARM_SOAK === '1';

describe.skipIf(problem !== undefined)(notHere('ways into instances of a host', problem), () => {
  let host: SshHost;
  let scratch: string;
  let restorePath: () => void;
  let swarm: SwarmController;
  let other: SwarmController;
  let before: number;

  /** What leads to the host now, counted from outside. */
  const ways = () => ({ forwards: children(forwarding), listeners: listeners() - before });
  const none = { forwards: 0, listeners: 0 };
  let made = 0;
  const create = () => swarm.createInstance({ name: `web ${++made}` }, host.name);
  const open = async () => {
    const provider = sshProvider(host);
    const state = path.join(scratch, 'state');
    const window = await diskController(state, new ProviderDirectory([provider]), undefined, { enabled: false });
    await window.initialize();
    return window;
  };
  /** Whoever opens one instance again and again, in the editor and at a port. */
  const openOften = async (id: string) => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => swarm.access.openInstance(id)));
    for (let time = 0; time < 5; time++) await swarm.access.connectPort(id, 8080);
    const [{ url = '' } = {}] = opened;
    expect((await fetch(url, { redirect: 'manual' })).status).toBeLessThan(400);
    console.log('open after ten calls:', JSON.stringify(ways()));
  };

  beforeAll(async () => {
    await prepareForSsh();
    host = await startPreparedHost('ways');
    restorePath = useSsh(host.path);
    scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-ways-'));
    swarm = await open();
    other = await open();
    await swarm.refresh();
    before = listeners();
  });
  afterAll(async () => {
    await swarm?.dispose();
    await other?.dispose();
    restorePath?.();
    await host?.stop();
    if (scratch) await rm(scratch, { recursive: true, force: true });
  });

  const ends: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
    ['its stop in another window', id => other.stopInstance(id)],
    ['its way to the trash', id => swarm.deleteInstance(id)],
    ['its stop', id => swarm.stopInstance(id)],
    ['its forced stop', id => swarm.stopInstance(id, true)],
    ['its restart', id => swarm.restartInstance(id)],
    ['its removal', id => swarm.purgeInstance(id)],
    ['its making anew', id => swarm.recoverInstance(id, 'recreate', undefined, true)],
  ];

  test.each(isLong ? ends : ends.slice(0, 2))(
    'however often one is opened there is one for each port, and none after %s',
    async (_, act) => {
      const { id } = await create();
      await openOften(id);
      expect(ways()).toEqual({ forwards: 2, listeners: 2 });
      await expect.poll(() => other.registry.getInstance(id)?.status).toBe('running');
      await act(id);
      await expect.poll(ways, { timeout: 5_000 }).toEqual(none);
      if (swarm.registry.getInstance(id)) await swarm.purgeInstance(id);
    },
  );

  test('the last who lets go of one ends it, and none outlives its window', async () => {
    const { id } = await create();
    const handles = await Promise.all(Array.from({ length: 5 }, () => swarm.access.connectPort(id, 8080)));
    expect(new Set(handles.map(({ port }) => port)).size).toBe(1);
    for (const handle of handles.slice(1)) {
      handle.dispose();
      handle.dispose();
    }
    expect(ways()).toEqual({ forwards: 1, listeners: 1 });
    handles[0]?.dispose();
    await expect.poll(ways).toEqual(none);
    await openOften(id);
    await swarm.dispose();
    await expect.poll(ways).toEqual(none);
    swarm = await open();
    await swarm.purgeInstance(id);
  });
});
