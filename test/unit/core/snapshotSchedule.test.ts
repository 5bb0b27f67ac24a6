import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SnapshotSchedule } from '../../../src/core/snapshots/snapshotSchedule.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { fill } from '../../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../../fakes/memoryKeeper.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const hour = 3_600_000;
const day = 24 * hour;

const toFake = ['Date', 'performance', 'setTimeout', 'clearTimeout'] as const;
beforeEach(() => void vi.useFakeTimers({ toFake: [...toFake], now: Date.parse('2026-03-01T12:00:00.000Z') }));
afterEach(() => void vi.useRealTimers());

/** A window whose monitor rests, with its schedule; a second one on the same disk and seat is another window. */
async function open({
  disk = new MemoryDisk(),
  snapshotDisk = new MemoryDisk(),
  seat = new ObserverSeat(),
  place = new MemoryPlace(),
} = {}) {
  const lease = new MemoryLease(seat);
  const provider = new MemoryProvider(place);
  const keeper = new MemoryKeeper();
  const { controller } = memorySwarm({
    ...{ providers: [provider], disk, snapshotDisk, lease, homeKeeper: keeper, health: { enabled: false } },
  });
  const settings = { interval: 86_400 };
  const schedule = new SnapshotSchedule({
    lease,
    interval: () => settings.interval,
    due: milliseconds => controller.snapshots.due(milliseconds),
    take: async id => void (await controller.snapshots.takeSnapshot(id, quietContext)),
  });
  await controller.initialize();
  await vi.advanceTimersByTimeAsync(1);
  const close = async () => {
    schedule.dispose();
    await controller.dispose();
  };
  return { controller, provider, keeper, settings, shared: { disk, snapshotDisk, seat, place }, close };
}

const keptOf = ({ controller }: Awaited<ReturnType<typeof open>>, id: string) =>
  controller.snapshots.listSnapshots(id).length;

test('what runs is kept each day, what is stopped once more and then no longer', async () => {
  const window = await open();
  const { id } = await window.controller.createInstance({ name: 'web' });
  fill(window.provider, id, 'as it was');
  await vi.advanceTimersByTimeAsync(day - hour);
  expect(keptOf(window, id)).toBe(0);
  await vi.advanceTimersByTimeAsync(2 * hour);
  expect(keptOf(window, id)).toBe(1);
  await vi.advanceTimersByTimeAsync(day);
  expect(keptOf(window, id)).toBe(2);
  await window.controller.stopInstance(id);
  await vi.advanceTimersByTimeAsync(3 * day);
  expect(keptOf(window, id)).toBe(3);
  expect(window.controller.snapshots.listSnapshots(id)[0]?.live).toBe(false);
  await window.close();
});

test('never, while the setting says so; and it holds at once', async () => {
  const window = await open();
  const { id } = await window.controller.createInstance({ name: 'web' });
  window.settings.interval = 0;
  await vi.advanceTimersByTimeAsync(3 * day);
  expect(keptOf(window, id)).toBe(0);
  window.settings.interval = 3_600;
  await vi.advanceTimersByTimeAsync(hour);
  expect(keptOf(window, id)).toBeGreaterThan(0);
  await window.close();
});

test('what fails is tried again an hour later, and keeps no other one from being kept', async () => {
  const window = await open();
  const first = await window.controller.createInstance({ name: 'first' });
  const other = await window.controller.createInstance({ name: 'other' });
  vi.spyOn(window.keeper, 'keep').mockImplementationOnce(async () => {
    throw new Error('the disk is full');
  });
  await vi.advanceTimersByTimeAsync(day + hour / 2);
  expect([keptOf(window, first.id), keptOf(window, other.id)].sort()).toEqual([0, 1]);
  await vi.advanceTimersByTimeAsync(hour);
  expect([keptOf(window, first.id), keptOf(window, other.id)]).toEqual([1, 1]);
  await window.close();
});

test('after a clock that was far ahead is put right, what runs is kept each day as before', async () => {
  vi.setSystemTime(Date.now() + 40 * day);
  const window = await open();
  const { id } = await window.controller.createInstance({ name: 'web' });
  await vi.advanceTimersByTimeAsync(day + hour);
  expect(keptOf(window, id)).toBe(1);
  vi.setSystemTime(Date.now() - 40 * day);
  await vi.advanceTimersByTimeAsync(3 * day);
  expect(keptOf(window, id)).toBe(4);
  await window.close();
});

test('of two windows one does so', async () => {
  const one = await open();
  const other = await open(one.shared);
  await one.controller.createInstance({ name: 'web' });
  await vi.advanceTimersByTimeAsync(day + hour);
  expect([one.keeper.kept.size, other.keeper.kept.size]).toEqual([1, 0]);
  await one.close();
  await vi.advanceTimersByTimeAsync(day + hour);
  expect(other.keeper.kept.size).toBe(1);
  await other.close();
});
