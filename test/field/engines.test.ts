import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { diskController } from '../crash/diskController.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { guardedDocker } from '../engine/support/engineInstances.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithOwnEngine } from '../engine/support/testEngine.ts';
import { fieldSuite } from './fieldSuite.ts';

describeWithOwnEngine('what an engine is cleaned up of', () => {
  let engine: Engine;
  let folder: string;
  let controller: SwarmController;

  beforeAll(async () => {
    engine = await startEngine({ name: 'field' });
    folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-field-'));
    const image = await ensureTestImage(engine.docker, 'stub');
    const provider = await guardedDocker('engine', { endpoint: engine.host, image });
    controller = await diskController(path.join(folder, 'state'), new ProviderDirectory([provider]));
    await controller.initialize();
  });

  afterAll(async () => {
    await controller?.dispose();
    await engine?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** What a stopped instance is like that is started once the engine was cleaned up. */
  async function startedAfter(cleanUp: () => Promise<unknown>) {
    const { id } = await controller.createInstance({ name: 'stopped' }, 'engine');
    const provider = controller.providers.get('engine');
    const run = async (command: string) => (await provider.executeCommand(id, command)).stdout;
    const token = () => provider.abilities.readToken(id);
    await run('echo kept > file');
    const before = await token();
    await controller.stopInstance(id);
    await cleanUp();
    await controller.refresh();
    const { status } = await controller.startInstance(id);
    const found = { status, file: await run('cat file'), sameToken: (await token()) === before };
    await controller.purgeInstance(id);
    return found;
  }

  const right = { status: 'running', file: 'kept\n', sameToken: true };
  fieldSuite('engines', [
    {
      input: 'docker network prune, while it is stopped',
      report: 'moby/moby#17160',
      right,
      found: () => startedAfter(() => engine.docker.pruneNetworks()),
    },
    {
      input: 'its network removed, and another one of that name made',
      report: 'docker/compose#5745',
      right,
      found: () =>
        startedAfter(async () => {
          const [network] = await engine.docker.listNetworks({ filters: { name: ['remote-swarm'] } });
          await engine.docker.getNetwork(network?.Id ?? '').remove();
          await engine.docker.createNetwork({ Name: network?.Name ?? '', Labels: network?.Labels ?? {} });
        }),
    },
    {
      input: 'docker container prune, while it is stopped',
      report: 'microsoft/vscode-remote-release#9919',
      right,
      found: () => startedAfter(() => engine.docker.pruneContainers()),
    },
    {
      input: 'docker system prune',
      report: 'coollabsio/coolify#1764',
      right,
      found: () =>
        startedAfter(async () => {
          await engine.docker.pruneContainers();
          await engine.docker.pruneNetworks();
          await engine.docker.pruneImages();
        }),
    },
  ]);
});
