import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { timedOut } from '../../../../src/model/errors.ts';
import type { InstanceStatus } from '../../../../src/model/instance.ts';
import { MemoryLease } from '../../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a start that ran into its time-out comes to what its provider says, also while nobody watches', async () => {
  const place = new MemoryPlace();
  const provider = new MemoryProvider(place);
  const { getInstance } = provider;
  const { observe } = provider.abilities;
  let said: InstanceStatus | undefined;
  provider.getInstance = async (...asked) => {
    const there = await getInstance.apply(provider, asked);
    return there && { ...there, ...(said && { status: said }) };
  };
  Object.assign(provider.abilities, {
    observe: async (...asked: Parameters<typeof observe>) =>
      (await observe(...asked)).map(seen => ({ ...seen, ...(said && { status: said }) })),
  });
  const { controller } = memorySwarm({ providers: [provider], lease: new MemoryLease(), health: { enabled: false } });
  await controller.initialize();
  await vi.advanceTimersByTimeAsync(1_000);
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.stopInstance(id);
  await vi.advanceTimersByTimeAsync(1_000);
  const asked = () => place.calls.filter(call => call === 'observe').length;
  const before = asked();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked()).toBe(before);

  said = 'starting';
  place.failNext('startInstance', timedOut('The start', 60_000));
  await expect(controller.startInstance(id)).rejects.toMatchObject({ code: 'timed-out' });
  expect(controller.getInstance(id)).toMatchObject({ status: 'starting', error: { code: 'timed-out' } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(controller.getInstance(id)).toMatchObject({ status: 'starting', error: { code: 'timed-out' } });

  said = 'running';
  await vi.advanceTimersByTimeAsync(60_000);
  expect(controller.getInstance(id)).toMatchObject({ status: 'running' });
  expect(controller.getInstance(id).error).toBeUndefined();
  const then = asked();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked()).toBe(then);
  await controller.dispose();
});
