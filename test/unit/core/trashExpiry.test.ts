import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TrashExpiry } from '../../../src/core/trashExpiry.ts';
import { providerUnreachable } from '../../../src/model/errors.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const toFake = ['Date', 'performance', 'setTimeout', 'clearTimeout'] as const;
beforeEach(() => void vi.useFakeTimers({ toFake: [...toFake], now: Date.parse('2026-03-01T12:00:00.000Z') }));
afterEach(() => void vi.useRealTimers());

/** A swarm whose monitor rests, with its trash; a second one on the same disk is another window. */
async function open({ place = new MemoryPlace(), disk = new MemoryDisk(), seat = new ObserverSeat() } = {}) {
  const lease = new MemoryLease(seat);
  const { controller } = memorySwarm({ place, disk, lease, health: { enabled: false } });
  const trash = new TrashExpiry(controller.registry, lease, id => controller.purgeInstance(id));
  await controller.initialize();
  await vi.advanceTimersByTimeAsync(1);
  return { controller, trash, place, disk, seat };
}

test('what was deleted is there for seven days, and then it is gone', async () => {
  const { controller, trash, place } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  const other = await controller.createInstance({ name: 'kept' });
  await controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(7 * day - 2 * hour);
  expect(place.homesOf.has(id)).toBe(true);
  await vi.advanceTimersByTimeAsync(3 * hour);
  expect({ home: place.homesOf.has(id), names: controller.listInstances().map(({ config }) => config.name) }).toEqual({
    home: false,
    names: ['kept'],
  });
  expect(place.instances.get(other.id)?.running).toBe(true);
  trash.dispose();
  await controller.dispose();
});

test('a clock that is wrong for some minutes removes nothing', async () => {
  const { controller, trash, place } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.deleteInstance(id);
  for (let again = 0; again < 20; again++) {
    vi.setSystemTime(Date.now() + 365 * day);
    await vi.advanceTimersByTimeAsync(9 * minute);
    vi.setSystemTime(Date.now() - 365 * day);
    await vi.advanceTimersByTimeAsync(hour + again * minute);
  }
  expect(place.homesOf.has(id)).toBe(true);
  await vi.advanceTimersByTimeAsync(7 * day);
  expect(place.homesOf.has(id)).toBe(false);
  trash.dispose();
  await controller.dispose();
});

test('what was restored in time stays, and its time begins anew when it is deleted again', async () => {
  const { controller, trash, place } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(6 * day);
  await controller.restoreInstance(id);
  await vi.advanceTimersByTimeAsync(2 * day);
  expect(controller.getInstance(id).status).toBe('stopped');
  await controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(6 * day);
  expect(place.homesOf.has(id)).toBe(true);
  trash.dispose();
  await controller.dispose();
});

test('what its provider does not let go is chased', async () => {
  const { controller, trash, place } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.deleteInstance(id);
  place.failNext('deleteInstance', providerUnreachable('memory', 'it rests', 'Wait.'));
  await vi.advanceTimersByTimeAsync(7 * day + 2 * hour);
  expect(controller.getInstance(id).desired).toBe('absent');
  await controller.refresh();
  expect(place.homesOf.has(id)).toBe(false);
  expect(controller.listInstances()).toEqual([]);
  trash.dispose();
  await controller.dispose();
});

test('one window empties the trash, and the next one takes over', async () => {
  const first = await open();
  const second = await open(first);
  const { id } = await first.controller.createInstance({ name: 'web' });
  await first.controller.deleteInstance(id);
  first.trash.dispose();
  await first.controller.dispose();
  await vi.advanceTimersByTimeAsync(7 * day + hour);
  expect(first.place.homesOf.has(id)).toBe(false);
  expect(first.place.calls.filter(call => call === 'deleteInstance')).toHaveLength(1);
  second.trash.dispose();
  await second.controller.dispose();
});

test('an empty trash costs nothing', async () => {
  const { controller, trash } = await open();
  await controller.createInstance({ name: 'web' });
  const timers = vi.getTimerCount();
  trash.dispose();
  expect(vi.getTimerCount()).toBe(timers);
  await controller.dispose();
});

test.each([
  ['deleted', 'trashed'],
  ['deleted for good', 'absent'],
] as const)('what is %s while its provider is in use no more is so once it is again', async (_, desired) => {
  const { controller, trash, place, disk } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  trash.dispose();
  await controller.dispose();
  const without = memorySwarm({ disk, providers: [], health: { enabled: false } }).controller;
  await without.initialize();
  await expect(desired === 'absent' ? without.purgeInstance(id) : without.deleteInstance(id)).rejects.toMatchObject({
    code: 'unknown-provider',
  });
  expect(without.getInstance(id)).toMatchObject({
    desired,
    error: { code: 'unknown-provider', hint: expect.stringContaining('Add "memory" to remoteSwarm.providers again') },
  });
  await without.dispose();
  const again = await open({ place, disk });
  await again.controller.refresh();
  expect(place.instances.get(id)?.role).toBe(desired === 'absent' ? undefined : 'trash');
  again.trash.dispose();
  await again.controller.dispose();
});
