import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { diskController } from '../crash/diskController.ts';
import { dockerProvider } from './support/dockerProviders.ts';
import { ensureTestImage } from './support/images.ts';
import { listeners } from './support/listeners.ts';
import { describeWithEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('tunnels through an engine', () => {
  let directory: string;
  let swarm: SwarmController;
  let clear: () => Promise<void>;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-tunnels-'));
    const { docker, host } = await testEngine();
    const image = await ensureTestImage(docker, 'stub');
    const provider = dockerProvider({ endpoint: host, image, runtimeImage: image });
    swarm = await diskController(path.join(directory, 'state'), new ProviderDirectory([provider]));
    await swarm.registry.load();
    clear = async () => void (await new EngineWorld(docker).removeSwarm(swarm.swarmId));
  });
  afterAll(async () => {
    await clear?.();
    await swarm?.dispose();
    await rm(directory, { recursive: true, force: true });
  });

  test.each([
    ['its stop', (id: string) => swarm.stopInstance(id)],
    ['its making anew', (id: string) => swarm.recoverInstance(id, 'recreate', undefined, true)],
    ['its way to the trash', (id: string) => swarm.deleteInstance(id)],
  ])('are one for each port of an instance, and none after %s', async (name, act) => {
    const { id } = await swarm.createInstance({ name }, 'docker');
    const before = listeners();
    for (let time = 0; time < 5; time++) await swarm.access.connectPort(id, 8080);
    await Promise.all(Array.from({ length: 5 }, () => swarm.access.connectPort(id, 9090)));
    expect(listeners() - before).toBe(2);
    await act(id);
    await expect.poll(() => listeners() - before).toBe(0);
  });
});
