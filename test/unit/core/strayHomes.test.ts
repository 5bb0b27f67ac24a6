import { expect, test } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const open = async (disk: MemoryDisk, places: { place: MemoryPlace } | { providers: [] }) => {
  const { controller } = memorySwarm({ disk, health: { enabled: false }, ...places });
  await controller.initialize();
  return controller;
};

test('what cannot be deleted since its provider is gone is forgotten, and is an instance again when that is back', async () => {
  const disk = new MemoryDisk();
  const place = new MemoryPlace();
  const before = await open(disk, { place });
  const { id } = await before.createInstance({ name: 'web' });
  await before.dispose();

  const without = await open(disk, { providers: [] });
  await expect(without.strayHomes.leave(id, quietContext)).rejects.toMatchObject({ code: 'wrong-state' });
  expect(without.listInstances()).toHaveLength(1);
  await expect(without.purgeInstance(id)).rejects.toMatchObject({ code: 'unknown-provider' });
  expect(without.getInstance(id)).toMatchObject({ status: 'deleting', desired: 'absent' });
  await without.strayHomes.leave(id, quietContext);
  expect(without.listInstances()).toEqual([]);
  await without.dispose();

  expect(place.homesOf.has(id)).toBe(true);
  const after = await open(disk, { place });
  await after.refresh();
  expect(after.listInstances()).toMatchObject([{ id, status: 'running', desired: 'running' }]);
  await after.dispose();
});
