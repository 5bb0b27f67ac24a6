import { expect, test, vi } from 'vitest';
import { ObservedTime } from '../../../src/core/observedTime.ts';
import type { ObservedTimeRecord } from '../../../src/model/observedTimeRecord.ts';
import type { RecordStore } from '../../../src/model/stateStore.ts';
import { MemoryLease } from '../../fakes/memoryLease.ts';

test('a window that ends while it learns what was observed before counts nothing more, and is held up by nothing', async () => {
  const { promise: record, resolve: read } = Promise.withResolvers<ObservedTimeRecord | null>();
  const store = { read: () => record, update: vi.fn() } as unknown as RecordStore<ObservedTimeRecord>;
  const lease = new MemoryLease();
  const time = new ObservedTime(store, lease);
  lease.start();
  await vi.waitFor(() => expect(lease.isHeld()).toBe(true));
  await time.dispose();
  const wait = vi.spyOn(globalThis, 'setTimeout');
  read(null);
  await new Promise(setImmediate);
  expect(wait).not.toHaveBeenCalled();
  expect(time.now()).toBeUndefined();
  vi.restoreAllMocks();
  lease.dispose();
});
