import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TrashExpiry } from '../../../src/core/trashExpiry.ts';
import { providerUnreachable } from '../../../src/model/errors.ts';
import { momentOf } from '../../../src/model/observedMoment.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
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

const byItself = { ...quietContext, by: { caller: 'controller', actor: 'trash' } } as const;

/** A swarm whose monitor rests, with its trash; a second one on the same disk is another window. */
async function open({
  place = new MemoryPlace(),
  disk = new MemoryDisk(),
  timeDisk = new MemoryDisk(),
  seat = new ObserverSeat(),
} = {}) {
  const lease = new MemoryLease(seat);
  const { controller, time } = memorySwarm({ place, disk, timeDisk, lease, health: { enabled: false } });
  const trash = new TrashExpiry(controller.registry, lease, time, id => controller.purgeInstance(id, byItself));
  await controller.initialize();
  await vi.advanceTimersByTimeAsync(1);
  return { controller, trash, place, disk, timeDisk, lease, seat };
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

test('no clock that is set shortens its time, or makes it longer', async () => {
  const { controller, trash, place } = await open();
  vi.setSystemTime(Date.now() - 40 * day);
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.deleteInstance(id);
  vi.setSystemTime(Date.now() + 80 * day);
  await vi.advanceTimersByTimeAsync(3 * day);
  vi.setSystemTime(Date.now() - 365 * day);
  await vi.advanceTimersByTimeAsync(4 * day - hour);
  expect(place.homesOf.has(id)).toBe(true);
  await vi.advanceTimersByTimeAsync(3 * hour);
  expect(place.homesOf.has(id)).toBe(false);
  trash.dispose();
  await controller.dispose();
});

/** Every text that comes of one in which one bit of a number is another. */
function flipped(text: string, field: string): string[] {
  const [start = 0, end = 0] = new RegExp(`(?<="${field}": ?)[0-9.]+`, 'd').exec(text)?.indices?.[0] ?? [];
  const bits = Array.from({ length: (end - start) * 8 }, (_, index) => index);
  return bits.map(bit => {
    const bytes = Buffer.from(text);
    const at = start + Math.floor(bit / 8);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
    return bytes.toString('latin1');
  });
}

const isJson = (text: string) => {
  try {
    return Boolean(JSON.parse(text));
  } catch {
    return false; // Put into quarantine: what was observed is lost.
  }
};

test.each(['milliseconds', 'keptSince'])('one wrong bit in %s shortens nothing', async field => {
  const world = { place: new MemoryPlace(), disk: new MemoryDisk(), timeDisk: new MemoryDisk() };
  const observed = { id: 'observed', schemaVersion: 1, revision: 0, milliseconds: momentOf(45 * day) };
  world.timeDisk.records.set('observed', JSON.stringify(observed));
  let window = await open(world);
  const { id } = await window.controller.createInstance({ name: 'web' });
  await window.controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(hour);
  const [disk, file] = field === 'milliseconds' ? [world.timeDisk, 'observed'] : [world.disk, id];
  const end = async () => {
    window.trash.dispose();
    await window.controller.dispose();
  };
  await end();
  const before = [world.disk, world.timeDisk].flatMap(each =>
    [...each.records].map(record => [each, ...record] as const),
  );
  const texts = flipped(disk.records.get(file) ?? '', field).filter(isJson);
  expect(texts.length).toBeGreaterThan(10);
  for (const text of texts) {
    for (const [each, name, record] of before) each.records.set(name, record);
    disk.records.set(file, text);
    window = await open(world);
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect({ text, there: world.place.homesOf.has(id) }).toEqual({ text, there: true });
    await end();
  }
});

test('a restore that was cut off leaves nothing of the time before', async () => {
  const first = await open();
  const { id } = await first.controller.createInstance({ name: 'web' });
  await first.controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(7 * day - 2 * hour);
  first.place.failNext('restoreInstance', providerUnreachable('memory', 'it rests', 'Wait.'));
  await expect(first.controller.restoreInstance(id)).rejects.toMatchObject({ code: 'provider-unreachable' });
  await first.controller.refresh();
  expect(first.controller.getInstance(id)).toMatchObject({ status: 'stopped' });
  await first.controller.deleteInstance(id);
  await vi.advanceTimersByTimeAsync(7 * day - 2 * hour);
  expect(first.place.homesOf.has(id)).toBe(true);
  await vi.advanceTimersByTimeAsync(4 * hour);
  expect(first.place.homesOf.has(id)).toBe(false);
  first.trash.dispose();
  await first.controller.dispose();
});

test('whatever clocks and windows do, it is kept for its time less an hour, and not for ever', {
  timeout: 60_000,
}, async () => {
  const steps = fc.array(
    fc.record({
      hours: fc.integer({ min: 1, max: 40 }),
      clock: fc.integer({ min: -40, max: 40 }),
      act: fc.constantFrom('stay', 'close', 'kill', 'sleep', 'restore'),
    }),
    { minLength: 5, maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async steps => {
      const world = { place: new MemoryPlace(), disk: new MemoryDisk(), timeDisk: new MemoryDisk() };
      let window = await open(world);
      const { id } = await window.controller.createInstance({ name: 'web' });
      await window.controller.deleteInstance(id);
      let kept = 0;
      const isThere = () => world.place.homesOf.has(id);
      const pass = async (milliseconds: number) => {
        for (let left = milliseconds; left > 0 && isThere(); left -= hour) {
          await vi.advanceTimersByTimeAsync(hour);
          kept += hour;
        }
      };
      for (const { hours, clock, act } of steps) {
        vi.setSystemTime(Date.now() + clock * day);
        if (act === 'sleep') vi.setSystemTime(Date.now() + hours * hour);
        else await pass(hours * hour);
        if (!isThere()) break;
        if (act === 'restore') {
          await window.controller.restoreInstance(id);
          vi.setSystemTime(Date.now() - clock * day);
          await window.controller.deleteInstance(id);
          kept = 0;
        }
        if (act !== 'close' && act !== 'kill') continue;
        window.trash.dispose();
        const written = [...world.timeDisk.records];
        await window.controller.dispose();
        // One that is killed writes nothing any more.
        if (act === 'kill') for (const [file, text] of written) world.timeDisk.records.set(file, text);
        window = await open(world);
      }
      if (!isThere()) expect(kept).toBeGreaterThanOrEqual(7 * day - hour);
      await pass(9 * day);
      expect({ there: isThere(), kept: kept >= 7 * day - hour }).toEqual({ there: false, kept: true });
      window.trash.dispose();
      await window.controller.dispose();
    }),
    { numRuns: 15 },
  );
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
  expect(place.calls.filter(call => call === 'deleteInstance')).toHaveLength(2);
  expect(place.homesOf.has(id)).toBe(false);
  expect(controller.listInstances()).toEqual([]);
  trash.dispose();
  await controller.dispose();
});

test('while its provider does not answer it stays, with its snapshots, and is asked for less and less often', async () => {
  const { controller, trash, place } = await open();
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.snapshots.takeSnapshot(id, quietContext);
  await controller.deleteInstance(id);
  place.unreachable = true;
  const purge = vi.spyOn(controller, 'purgeInstance');
  await vi.advanceTimersByTimeAsync(8 * day);
  expect(controller.snapshots.listSnapshots(id)).toHaveLength(1);
  expect(controller.getInstance(id)).toMatchObject({ desired: 'trashed', status: 'trashed' });
  expect(purge.mock.calls.length).toBeGreaterThan(2);
  expect(purge.mock.calls.length).toBeLessThan(50);
  place.unreachable = false;
  await vi.advanceTimersByTimeAsync(2 * hour);
  expect(place.homesOf.has(id)).toBe(false);
  expect([controller.listInstances(), controller.snapshots.listSnapshots(id)]).toEqual([[], []]);
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
