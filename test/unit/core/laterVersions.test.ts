import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { randomId } from '../../contract/specs.ts';
import { loneProvider } from '../../fakes/loneProvider.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

let directory = '';
const opened: ReturnType<typeof memorySwarm>[] = [];
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-later-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ controller }) => controller.dispose()));
  rmSync(directory, { recursive: true });
});

const later = (folder: string, id: string) => {
  mkdirSync(path.join(directory, folder), { recursive: true });
  writeFileSync(path.join(directory, folder, `${id}.json`), JSON.stringify({ id, schemaVersion: 2, all: 'else' }));
};

/**
 * A window on that state, with two places; the first one tells of every home that it has as one without a server. One
 * that does not observe adopts nothing of its own accord.
 */
async function open(here: MemoryPlace, there: MemoryPlace, observes = true) {
  const first = new MemoryProvider(here, { id: 'here' });
  Object.assign(first.abilities, { strayHomes: async () => [...here.homesOf.keys()].map(id => ({ id, sizeGb: 1 })) });
  const providers = [first, new MemoryProvider(there, { id: 'there' })];
  const swarm = memorySwarm({ directory, providers, health: { enabled: false } });
  opened.push(swarm);
  const { controller } = swarm;
  if (observes) await controller.initialize();
  else await controller.registry.load();
  return { controller, here: loneProvider(first), there: loneProvider(new MemoryProvider(there, { id: 'there' })) };
}

/** An instance that lives at the first place, and a copy of it on its way to the second one. */
async function withCopy(role: 'incoming' | 'removing') {
  const [here, there] = [new MemoryPlace(), new MemoryPlace()];
  const world = await open(here, there);
  const { controller } = world;
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  const { config, swarmId, owner, createdAt } = controller.getInstance(id);
  const identity = { id, swarmId, owner, createdAt, epoch: 2 };
  await world.there.abilities.prepareIncoming({ ...config, identity, secrets: {} });
  if (role === 'removing') await world.there.abilities.setRole(id, role);
  return { ...world, id, elsewhere: there };
}
const settled = async (world: Awaited<ReturnType<typeof open>>) => {
  const seen = await world.there.abilities.observe();
  await world.controller.migrations.settleStrays(world.there, new Map(seen.map(each => [each.id, each])));
};

describe('what a later version has written', () => {
  test('keeps a home from being one that no instance has', async () => {
    const place = new MemoryPlace();
    const before = await open(place, new MemoryPlace(), false);
    const { id } = await before.controller.createInstance({ name: 'web' }, 'here');
    expect(await before.controller.strayHomes.list()).toEqual([]);
    later('instances', id);
    const { controller } = await open(place, new MemoryPlace(), false);
    expect(await controller.strayHomes.list()).toEqual([]);
    await expect(controller.strayHomes.remove('here', id)).rejects.toMatchObject({ code: 'newer-state' });
    await expect(controller.strayHomes.leave(id, quietContext)).rejects.toMatchObject({ code: 'newer-state' });
    expect(place.homesOf.has(id)).toBe(true);
  });

  test('of a migration keeps every home that it may be about', async () => {
    const place = new MemoryPlace();
    const before = await open(place, new MemoryPlace(), false);
    const { id } = await before.controller.createInstance({ name: 'web' }, 'here');
    rmSync(path.join(directory, 'instances', `${id}.json`));
    const migration = randomId(12);
    later('migrations', migration);
    const { controller } = await open(place, new MemoryPlace(), false);
    await expect(controller.strayHomes.list()).rejects.toMatchObject({ code: 'newer-state' });
    await expect(controller.strayHomes.remove('here', id)).rejects.toMatchObject({ code: 'newer-state' });
    expect(place.homesOf.has(id)).toBe(true);
    rmSync(path.join(directory, 'migrations', `${migration}.json`));
    await controller.strayHomes.remove('here', id);
    expect(place.homesOf.has(id)).toBe(false);
  });

  test('of a migration keeps the copy that it may be about, which goes otherwise', async () => {
    const world = await withCopy('incoming');
    const migration = randomId(12);
    later('migrations', migration);
    await settled(world);
    expect(world.elsewhere.instances.get(world.id)?.role).toBe('incoming');
    rmSync(path.join(directory, 'migrations', `${migration}.json`));
    await settled(world);
    expect(world.elsewhere.instances.has(world.id)).toBe(false);
  });

  test('of a migration keeps an instance from being forgotten', async () => {
    const { controller, id } = await withCopy('incoming');
    const file = path.join(directory, 'instances', `${id}.json`);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), desired: 'absent' }));
    later('migrations', randomId(12));
    await expect(controller.strayHomes.leave(id, quietContext)).rejects.toMatchObject({ code: 'newer-state' });
  });

  test('of an instance keeps what is being removed of it, which goes otherwise', async () => {
    const { here, there, id } = await withCopy('removing');
    const text = readFileSync(path.join(directory, 'instances', `${id}.json`), 'utf8');
    later('instances', id);
    const elsewhere = there as unknown as MemoryProvider;
    const second = await open((here as unknown as MemoryProvider).place, elsewhere.place);
    await second.controller.refresh();
    await new Promise(resolve => setImmediate(resolve));
    // In its turn after what the observer does about it.
    await expect(second.controller.strayHomes.remove('there', id)).rejects.toMatchObject({ code: 'newer-state' });
    expect(elsewhere.place.instances.get(id)?.role).toBe('removing');
    writeFileSync(path.join(directory, 'instances', `${id}.json`), text);
    const third = await open((here as unknown as MemoryProvider).place, elsewhere.place);
    await third.controller.refresh();
    await expect.poll(() => elsewhere.place.instances.has(id)).toBe(false);
  });
});
