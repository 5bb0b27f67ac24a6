import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { LateProviders } from '../../src/lateProviders.ts';
import { providerUnreachable } from '../../src/model/errors.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an engine that is started later becomes a provider, once', async () => {
  const engine = new MemoryProvider();
  const initialize = vi
    .spyOn(engine, 'initialize')
    .mockRejectedValue(providerUnreachable('memory', 'no Docker engine listens', 'Start it.'));
  const directory = new ProviderDirectory([]);
  const found: string[] = [];
  const added: string[] = [];
  directory.onDidAdd(({ id }) => added.push(id));
  const late = new LateProviders(directory, [engine], id => found.push(id));
  await vi.advanceTimersByTimeAsync(60_000);
  expect([directory.ids(), found]).toEqual([[], []]);
  initialize.mockResolvedValue();
  await vi.advanceTimersByTimeAsync(20_000);
  expect([directory.ids(), found, added]).toEqual([['memory'], ['memory'], ['memory']]);
  const { length } = initialize.mock.calls;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(initialize.mock.calls).toHaveLength(length);
  await late.dispose();
});

test('nothing is looked for once the swarm is closed, and what was not found is closed too', async () => {
  const engine = new MemoryProvider();
  const initialize = vi.spyOn(engine, 'initialize');
  const dispose = vi.spyOn(engine, 'dispose');
  const late = new LateProviders(new ProviderDirectory([]), [engine], () => {});
  await late.dispose();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([initialize.mock.calls.length, dispose.mock.calls.length]).toEqual([0, 1]);
});
