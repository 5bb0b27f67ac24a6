import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import { abandonedAge } from '../../src/providers/docker/checkContainer.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { dockerProvider } from './support/dockerProviders.ts';
import { ensureTestImage, testImage } from './support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('what a window left on an engine that died in the middle', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let provider: DockerProvider;
  let before: string[];
  let spec: InstanceSpec;

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    provider = dockerProvider({ endpoint: engine.host, image: await ensureTestImage(engine.docker, 'stub') });
  });
  beforeEach(async () => {
    before = await world.inventory();
    spec = newSpec(swarmId);
  });
  afterAll(async () => {
    await world?.removeSwarm(swarmId);
    await provider?.dispose();
  });

  test('a look into an image is removed once it is old, without another window', async () => {
    const name = 'remote-swarm-check-aaaaaaaaaaaa';
    const Labels = { 'remote-swarm.check': name };
    await engine.docker.createContainer({ name, Image: testImage.stub, Cmd: ['true'], Labels });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      await provider.initialize();
      expect(await world.inventory()).toContain(`container /${name}`);
      // No further: the calls that begin then have time-outs on the same clock.
      await vi.advanceTimersByTimeAsync(abandonedAge + 1_000);
      await vi.waitFor(async () => expect(await world.inventory()).toEqual(before), 10_000);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a reader of a home that was never started does not hold it', async () => {
    await provider.prepareIncoming(spec, quietContext);
    const { id } = spec.identity;
    const name = 'remote-swarm-home-aaaaaaaaaaaa';
    await engine.docker.createContainer({
      ...{ name, Image: testImage.stub, Cmd: ['true'], Labels: { 'remote-swarm.check': name } },
      HostConfig: { Mounts: [{ Type: 'volume', Source: `remote-swarm-${id}`, Target: '/remote-swarm' }] },
    });
    await provider.deleteInstance(id);
    expect(await world.inventory()).toEqual(before);
  });

  test('a network that was made for an instance goes with its home, though there is no container', async () => {
    await provider.prepareIncoming(spec, quietContext);
    const { id } = spec.identity;
    await engine.docker.getContainer(`remote-swarm-${id}--incoming`).remove();
    await provider.deleteInstance(id);
    expect(await world.inventory()).toEqual(before);
  });
});
