import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryLease, ObserverSeat } from '../../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

describe('the health monitor', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('an instance whose server ended is started again at once, and healthy after two answers', async () => {
    const swarm = memorySwarm();
    const { controller, place } = swarm;
    await controller.initialize();
    const { id } = await controller.createInstance({ name: 'one' }, 'memory');
    await vi.advanceTimersByTimeAsync(35_000);
    expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await place.crash(id);
    await vi.advanceTimersByTimeAsync(500);
    expect(controller.getInstance(id).status).toBe('running');
    expect(controller.health.get(id)?.recovery.attempts).toMatchObject([
      { rung: 'restart', cause: 'exited', outcome: 'succeeded' },
    ]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await controller.dispose();
  });

  test('of what was removed while nobody observed, nothing is kept', async () => {
    const disks = { disk: new MemoryDisk(), healthDisk: new MemoryDisk() };
    const place = new MemoryPlace();
    const { controller } = memorySwarm({ ...disks, place });
    await controller.initialize();
    const [first, second] = [
      await controller.createInstance({ name: 'one' }, 'memory'),
      await controller.createInstance({ name: 'two' }, 'memory'),
    ];
    await vi.advanceTimersByTimeAsync(35_000);
    await controller.dispose();
    const left = () => [...disks.healthDisk.records.keys()];
    expect(left().toSorted()).toEqual([first.id, second.id].toSorted());
    const command = memorySwarm({ ...disks, place, lease: new MemoryLease(new ObserverSeat()) }).controller;
    await command.registry.load();
    await command.purgeInstance(first.id);
    await command.dispose();
    expect(left()).toHaveLength(2);
    const next = memorySwarm({ ...disks, place }).controller;
    await next.initialize();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(left()).toEqual([second.id]);
    await next.dispose();
  });
});
