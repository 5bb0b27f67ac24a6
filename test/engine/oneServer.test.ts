import { afterAll, beforeAll, expect, test } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { expectCode } from '../contract/tools.ts';
import { dockerProvider } from './support/dockerProviders.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('at most one server has a home on an engine', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let provider: DockerProvider;
  let image: string;

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    image = await ensureTestImage(engine.docker, 'stub');
    provider = dockerProvider({ endpoint: engine.host, image, runtimeImage: image });
    await provider.initialize();
  });
  afterAll(async () => {
    await provider?.dispose();
    await world?.removeSwarm(swarmId);
  });

  const usersOf = async (id: string) => {
    const filters = { volume: [`remote-swarm-${id}`] };
    return (await engine.docker.listContainers({ all: true, filters })).map(({ Names, State }) => [Names[0], State]);
  };

  test('what somebody has renamed is unknown, is left alone, and nothing is made beside it', async () => {
    const spec = newSpec(swarmId);
    const { id } = await provider.createInstance(spec);
    const container = engine.docker.getContainer(`remote-swarm-${id}--owner`);
    const { Id } = await container.inspect();
    await container.rename({ name: `renamed-${id}` });
    const { abilities } = provider;
    expect((await abilities.observe()).filter(row => row.id === id)).toMatchObject([{ status: 'unknown' }]);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'unknown' });
    for (const act of [
      provider.createInstance(spec),
      abilities.recreateInstance(spec),
      abilities.prepareIncoming(spec),
      provider.startInstance(id),
      provider.stopInstance(id),
      abilities.trashInstance(id),
      provider.deleteInstance(id),
    ])
      await expectCode(act, 'container-untold');
    expect(await usersOf(id)).toEqual([[`/renamed-${id}`, 'running']]);

    await engine.docker.getContainer(Id).rename({ name: `remote-swarm-${id}--owner` });
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running', config: { name: spec.name } });
    await provider.deleteInstance(id);
  });

  test('nothing is made or started while another container writes to its home; who only reads is no hindrance', async () => {
    const spec = newSpec(swarmId);
    const { id } = await provider.createInstance(spec);
    const beside = async (ReadOnly: boolean) => {
      const Mounts = [{ Type: 'volume' as const, Source: `remote-swarm-${id}`, Target: '/home', ReadOnly }];
      const other = await engine.docker.createContainer({
        ...{ Image: image, Entrypoint: ['sleep', '1000'], HostConfig: { Mounts } },
      });
      await other.start();
      return other;
    };
    await provider.stopInstance(id);
    const reader = await beside(true);
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    await provider.stopInstance(id);
    const writer = await beside(false);
    await expectCode(provider.startInstance(id), 'instance-busy');
    await engine.docker.getContainer(`remote-swarm-${id}--owner`).remove();
    await expectCode(provider.abilities.recreateInstance(spec, quietContext), 'instance-busy');
    expect((await usersOf(id)).filter(([name]) => name?.includes(id))).toEqual([]);
    for (const other of [reader, writer]) await other.remove({ force: true });
    expect(await provider.abilities.recreateInstance(spec, quietContext)).toMatchObject({ status: 'running' });
    await provider.deleteInstance(id);
  });
});
