import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { MemoryPlace } from '../fakes/memoryPlace.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';
import { describeProviderContract } from './providerContract.ts';
import { newSpec, testSwarmId } from './specs.ts';

describeProviderContract('the in-memory provider', async () => {
  const homes = await mkdtemp(path.join(tmpdir(), 'remote-swarm-memory-'));
  const place = new MemoryPlace({ homes });
  return {
    makeProvider: async () => new GuardedProvider(new MemoryProvider(place, { images: false, limits: false })),
    world: {
      exists: async id =>
        place.instances.has(id) ||
        (await access(path.join(homes, id)).then(
          () => true,
          () => false,
        )),
      readHome: (id, file) => readFile(path.join(homes, id, file), 'utf8').catch(() => undefined),
      publicText: async id => {
        const { identity, config } = place.instances.get(id) ?? {};
        return JSON.stringify({ identity, config });
      },
      plantForeign: async () => {
        const file = path.join(homes, 'abcdefabcdef', 'file');
        await mkdir(path.dirname(file));
        await writeFile(file, 'foreign');
        return async () => (await readFile(file, 'utf8').catch(() => '')) === 'foreign';
      },
      writeLog: async (id, line) => {
        const instance = place.instances.get(id);
        if (instance) place.say(instance, line);
      },
      crash: id => place.crash(id),
      loseServer: id => place.loseServer(id),
      loseHome: async id => {
        await place.loseServer(id);
        await place.loseHome(id);
      },
    },
    cleanup: async () => {
      await place.dispose();
      await rm(homes, { recursive: true, force: true });
    },
  };
}, ['terminal', 'listPorts', 'homeBytes']);

describe('the faults of the in-memory provider', () => {
  const place = new MemoryPlace();
  const provider = new MemoryProvider(place);
  const spec = newSpec(testSwarmId());
  const { id } = spec.identity;
  const seen = async () => provider.abilities.probe(id, undefined, quietContext);
  beforeAll(async () => {
    await provider.createInstance(spec);
  });

  test.each([
    ['restart', [false, true, true]],
    ['recreate', [false, false, true]],
    ['none', [false, false, false]],
  ] as const)('a silent server is cured by %s', async (cure, answered) => {
    place.unresponsive(id, 'answered 500', cure);
    const after = [await seen()];
    expect(after).toEqual([{ answered: false, latencyMs: 1, seen: 'answered 500' }]);
    await provider.stopInstance(id);
    await provider.startInstance(id);
    after.push(await seen());
    await provider.abilities.recreateInstance(spec);
    after.push(await seen());
    expect(after.map(each => each.answered)).toEqual(answered);
    place.responsive(id);
    expect(await seen()).toMatchObject({ answered: true });
  });

  test('a server that ends has a cause until it starts', async () => {
    await place.crash(id);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'exited' });
    await provider.startInstance(id);
    await place.runOutOfMemory(id);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'out-of-memory' });
    expect(await provider.startInstance(id)).not.toHaveProperty('cause');
  });

  test('usage can be set for one', async () => {
    place.usage.set(id, { diskUsedBytes: 9, diskTotalBytes: 10 });
    const [row] = (await provider.abilities.stats?.([id])) ?? [];
    expect(row).toMatchObject({ id, cpuCores: 0.25, diskUsedBytes: 9, diskTotalBytes: 10 });
  });

  test('homes that are gone are counted, with who did it', async () => {
    const other = newSpec(testSwarmId());
    await provider.createInstance(other);
    await place.loseHome(id);
    await provider.deleteInstance(other.identity.id);
    expect(place.destroyed).toEqual([
      { id, by: 'fault' },
      { id: other.identity.id, by: 'deleteInstance' },
    ]);
    expect(place.homesLost).toBe(0);
    await provider.createInstance(other);
    await place.removeHome(other.identity.id, 'recreateInstance');
    expect(place.homesLost).toBe(1);
  });
});
