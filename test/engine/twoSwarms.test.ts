import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { removeSwarm } from '../../src/operations/personOperations.ts';
import { diskController } from '../crash/diskController.ts';
import { dockerProvider } from './support/dockerProviders.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('two controllers with two state directories on one engine', () => {
  let directory: string;
  let engine: TestEngine;
  let image: string;
  const controllers: SwarmController[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'two-swarms-'));
    engine = await testEngine();
    image = await ensureTestImage(engine.docker, 'stub');
  });
  afterAll(async () => {
    for (const controller of controllers) {
      await new EngineWorld(engine.docker).removeSwarm(controller.swarmId);
      await controller.dispose();
    }
    await rm(directory, { recursive: true, force: true });
  });

  async function controllerOf(name: string): Promise<SwarmController> {
    const provider = dockerProvider({ endpoint: engine.host, image, runtimeImage: image });
    const state = path.join(directory, name);
    const usual = [undefined, undefined, undefined, undefined, undefined] as const;
    const controller = await diskController(state, new ProviderDirectory([provider]), ...usual, name);
    controllers.push(controller);
    await controller.registry.load();
    return controller;
  }

  /** All that the engine says of one swarm's instances, but for what time alone changes. */
  async function stateOf(swarmId: string): Promise<unknown> {
    const filters = { label: [`remote-swarm.swarm=${swarmId}`] };
    const containers = await engine.docker.listContainers({ all: true, filters });
    const inspected = await Promise.all(containers.map(({ Id }) => engine.docker.getContainer(Id).inspect()));
    const { Volumes } = await engine.docker.listVolumes({ filters });
    const facts = inspected.map(({ Id, Name, State, RestartCount, HostConfig }) => ({
      ...{ Id, Name, State, RestartCount, HostConfig },
    }));
    const byId = (one: { Id: string }, other: { Id: string }) => (one.Id < other.Id ? -1 : 1);
    return { containers: facts.sort(byId), volumes: (Volumes ?? []).map(({ Name }) => Name).sort() };
  }

  test("neither touches the other's instances, and each shows them as found", async () => {
    const ada = await controllerOf('ada');
    const bob = await controllerOf('bob');
    expect(ada.swarmId).not.toBe(bob.swarmId);
    const [runs, stops, trashed] = await Promise.all(
      ['runs', 'stops', 'trashed'].map(name => ada.createInstance({ name }, 'docker')),
    );
    await ada.stopInstance(stops?.id ?? '');
    await ada.deleteInstance(trashed?.id ?? '');
    const before = await stateOf(ada.swarmId);

    // Everything that Bob can do, under the very names that Ada uses.
    const own = await bob.createInstance({ name: 'runs' }, 'docker');
    await bob.refresh();
    const ids = [runs, stops, trashed].map(record => record?.id ?? '');
    expect(bob.listInstances().map(({ id }) => id)).toEqual([own.id]);
    const found = (controller: SwarmController) => controller.listFound().map(({ observation }) => observation.id);
    expect(found(bob).sort()).toEqual([...ids].sort());
    for (const id of ids) {
      for (const act of [
        'startInstance',
        'stopInstance',
        'deleteInstance',
        'restoreInstance',
        'purgeInstance',
      ] as const) {
        await expect((async () => bob[act](id))()).rejects.toMatchObject({ code: 'instance-not-found' });
      }
    }
    await bob.stopInstance(own.id);
    await bob.startInstance(own.id);
    await bob.deleteInstance(own.id);
    await bob.purgeInstance(own.id);
    await bob.refresh();
    expect(await stateOf(ada.swarmId)).toEqual(before);

    const adasAgain = await controllerOf('ada');
    await adasAgain.refresh();
    expect(adasAgain.listInstances().map(({ config, status }) => `${config.name} ${status}`)).toEqual([
      'runs running',
      'stops stopped',
      'trashed trashed',
    ]);
    expect(found(adasAgain)).toEqual([]);
    expect(await stateOf(bob.swarmId)).toEqual({ containers: [], volumes: [] });
  });

  test('what Bob adopts of Ann’s is left alone by the removal of all that she has, and her row says who has it', async () => {
    const ann = await controllerOf('ann');
    const bob = await controllerOf('bob');
    const [web, own] = await Promise.all(['web', 'own'].map(name => ann.createInstance({ name }, 'docker')));
    const id = web?.id ?? '';
    await bob.refresh();
    await bob.adoptInstance('docker', id);
    const seen = async () => {
      const [name = 'none'] = await new EngineWorld(engine.docker).containers(id);
      const { Id, State } = await engine.docker.getContainer(name).inspect();
      const { CreatedAt } = (await engine.docker.getVolume(`remote-swarm-${id}`).inspect()) as { CreatedAt?: string };
      return { name, Id, State, CreatedAt };
    };
    const before = await seen();
    expect(before).toMatchObject({ name: expect.stringContaining(bob.swarmId), State: { Running: true } });

    const removal = removeSwarm.prepare({}, ann);
    const targets = removal.targets(ann);
    expect(targets.map(target => target.id).toSorted()).toEqual([id, own?.id].toSorted());
    const { outcomes } = await (await removal.look(ann)).run(ann, {
      ...quietContext,
      targets,
      refused: new Map(),
      consent: undefined,
    });
    expect(outcomes).toEqual({ [id]: 'owned-by-another', [own?.id ?? '']: 'done' });
    expect(await seen()).toEqual(before);
    await ann.refresh();
    const [record] = ann.listInstances();
    expect(record).toMatchObject({
      id,
      status: 'unknown',
      detail: 'adopted by bob@engine',
      overruled: { by: 'another', owner: { user: 'bob', machine: 'engine' } },
    });
    await expect(ann.purgeInstance(id)).rejects.toMatchObject({ code: 'owned-by-another' });
    expect(await seen()).toEqual(before);
    await bob.purgeInstance(id);
    expect(await new EngineWorld(engine.docker).exists(id)).toBe(false);
  });
});
