import { afterEach, describe, expect, test, vi } from 'vitest';
import { homeNotRemoved } from '../../../src/model/homeErrors.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { loneContext } from '../../fakes/loneProvider.ts';
import { contentOf, fill } from '../../fakes/memoryCarrier.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';
import { twoPlaces } from './migration/twoPlaces.ts';

const held = homeNotRemoved('/homes/web/held', 'operation not permitted', 0, undefined);

async function moved() {
  const world = await twoPlaces();
  const { controller, id } = world;
  const { id: migrationId } = await controller.migrations.createMigrationPlan(id, 'there');
  await controller.migrations.startMigration(migrationId);
  return { ...world, migrationId, status: () => controller.migrations.getMigrationStatus(migrationId) };
}

describe('a clean-up that was cut off', () => {
  test('is named with what holds it, never rolled back to, and ended when that is gone', async () => {
    const { controller, here, id, migrationId, status } = await moved();
    here.place.held.set(id, held);
    await expect(controller.migrations.cleanUp(migrationId)).rejects.toMatchObject({ code: 'home-not-removed' });
    expect(status().leftovers).toEqual([expect.stringContaining('/homes/web/held')]);
    await expect(controller.migrations.rollBack(migrationId)).rejects.toMatchObject({ code: 'migration-refused' });
    await expect(controller.migrations.compareParked(migrationId)).rejects.toMatchObject({ code: 'migration-refused' });
    here.place.held.clear();
    await controller.migrations.settleAll();
    expect(here.place.instances.has(id)).toBe(false);
    expect(status()).toMatchObject({ leftovers: [] });
    expect(status()).not.toHaveProperty('parkedUntil');
    expect(status()).not.toHaveProperty('removingSince');
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
  });

  test('of which the record says nothing is not rolled back to either', async () => {
    const { controller, here, there, id, migrationId } = await moved();
    here.place.held.set(id, held);
    await expect(here.deleteInstance(id)).rejects.toBe(held);
    await expect(controller.migrations.rollBack(migrationId)).rejects.toMatchObject({ code: 'removal-begun' });
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
    expect(there.place.instances.get(id)).toMatchObject({ role: 'owner', running: true });
  });
});

test('a parked copy that is not what it was does not become the owner', async () => {
  const { controller, here, there, id, migrationId } = await moved();
  fill(here, id, 'half of');
  await expect(controller.migrations.rollBack(migrationId)).rejects.toMatchObject({ code: 'copy-not-whole' });
  expect(there.place.instances.get(id)).toMatchObject({ role: 'owner', running: true });
  fill(here, id, 'uncommitted work');
  await controller.migrations.rollBack(migrationId);
  expect(contentOf(here, id)).toBe('uncommitted work');
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', status: 'running' });
});

describe('a deletion for good that was cut off', () => {
  afterEach(() => void vi.useRealTimers());

  test('is only ended, also by a swarm that has lost its state', async () => {
    const { controller, place } = memorySwarm();
    const { id } = await controller.createInstance({ name: 'web' });
    await controller.deleteInstance(id);
    place.held.set(id, held);
    await expect(controller.purgeInstance(id)).rejects.toMatchObject({ code: 'home-not-removed' });
    expect(controller.getInstance(id).error?.message).toContain('/homes/web/held');
    await expect(controller.restoreInstance(id)).rejects.toMatchObject({ code: 'wrong-state' });

    const lost = memorySwarm({ place, disk: new MemoryDisk() }).controller;
    await lost.initialize();
    await lost.refresh();
    expect([lost.listInstances(), lost.listFound()]).toEqual([[], []]);
    await expect(lost.adoptInstance('memory', id)).rejects.toMatchObject({ code: 'removal-begun' });
    const stranger = memorySwarm({ place, swarmId: 'bbbbbbbbbbbbbbbb' }).controller;
    await stranger.initialize();
    await stranger.refresh();
    expect(stranger.listFound()).toEqual([]);
    place.held.clear();
    await stranger.refresh();
    expect(place.homesOf.has(id)).toBe(true);
    await vi.waitFor(async () => {
      await lost.refresh();
      expect(place.homesOf.has(id)).toBe(false);
    });
    await controller.refresh();
    expect(controller.listInstances()).toEqual([]);
  });

  test('is left alone where an older record wants the instance', async () => {
    const { controller, place } = memorySwarm();
    const { id } = await controller.createInstance({ name: 'web' });
    place.held.set(id, held);
    await expect(controller.providers.get('memory').deleteInstance(id, loneContext)).rejects.toBe(held);
    place.held.clear();
    await controller.refresh();
    await controller.refresh();
    expect(controller.getInstance(id)).toMatchObject({ status: 'lost', detail: expect.stringContaining('was begun') });
    await expect(controller.startInstance(id)).rejects.toMatchObject({ code: 'wrong-state' });
    expect(place.homesOf.has(id)).toBe(true);
    await controller.purgeInstance(id);
    expect(place.homesOf.has(id)).toBe(false);
  });

  test('is tried at once, and then after ever longer pauses', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    const { controller, place } = memorySwarm();
    const { id } = await controller.createInstance({ name: 'web' });
    await controller.deleteInstance(id);
    place.held.set(id, held);
    await expect(controller.purgeInstance(id)).rejects.toMatchObject({ code: 'home-not-removed' });
    const tries = () => place.calls.filter(call => call === 'deleteInstance').length;
    const before = tries();
    for (let looks = 0; looks < 24 * 60; looks += 1) {
      await controller.refresh(quietContext);
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(tries() - before).toBeGreaterThan(24);
    expect(tries() - before).toBeLessThan(36);
    place.held.clear();
    await vi.advanceTimersByTimeAsync(3_600_000);
    await controller.refresh(quietContext);
    expect(controller.listInstances()).toEqual([]);
  });
});
