import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

describe('the health monitor, when much fails at once', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A swarm with three healthy instances on each of two providers. */
  async function twoProviders() {
    const places = [new MemoryPlace(), new MemoryPlace()];
    const providers = places.map((place, index) => new MemoryProvider(place, { id: `place${index}` }));
    const { controller } = memorySwarm({ providers, health: { fleetShare: 1 } });
    await controller.initialize();
    for (const { id } of providers) {
      for (const letter of ['a', 'b', 'c']) await controller.createInstance({ name: `${id} ${letter}` }, id);
    }
    await seconds(65);
    const ids = controller.listInstances().map(({ id }) => id);
    const attempts = () => ids.flatMap(id => controller.health.get(id)?.recovery.attempts ?? []);
    return { controller, places, ids, attempts };
  }

  test('as after a restart of this machine, nothing is done for some rounds, and then everything is recovered', async () => {
    const { controller, places, ids, attempts } = await twoProviders();
    for (const place of places) for (const id of place.instances.keys()) await place.crash(id);
    await seconds(70);
    expect(attempts()).toEqual([]);
    for (const id of ids) expect(controller.health.get(id)?.next?.act).toMatch(/^Every provider fails at once/);
    await seconds(120);
    expect(attempts()).toHaveLength(6);
    for (const id of ids) expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await controller.dispose();
  });

  test('what a person paused says nothing of its provider', async () => {
    const { controller, places, attempts } = await twoProviders();
    const [place] = places as [MemoryPlace];
    for (const letter of ['d', 'e', 'f']) {
      const { id } = await controller.createInstance({ name: letter }, 'place0');
      await controller.pauseMonitoring(id, true);
    }
    const watched = controller.listInstances().filter(({ id, config }) => place.instances.has(id) && config.name > 'p');
    for (const { id } of watched) await place.crash(id);
    await seconds(5);
    expect(watched).toHaveLength(3);
    expect(controller.conditions.suspects()).toMatchObject([{ providerId: 'place0' }]);
    expect(attempts()).toEqual([]);
    await controller.dispose();
  });

  test('and no provider answers, nothing is ever done', async () => {
    const { controller, places, ids, attempts } = await twoProviders();
    for (const place of places) place.unreachable = true;
    await seconds(3_600);
    expect(attempts()).toEqual([]);
    for (const id of ids) expect(controller.health.get(id)).toMatchObject({ status: 'unknown' });
    for (const place of places) place.unreachable = false;
    await seconds(60);
    expect(attempts()).toEqual([]);
    for (const id of ids) expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await controller.dispose();
  });

  test('and a provider lists none of them any more, nothing is ever made in their place', async () => {
    const { controller, places, ids, attempts } = await twoProviders();
    const hidden = places.map(place => new Map(place.instances));
    for (const place of places) place.instances.clear();
    await seconds(3_600);
    expect(attempts()).toEqual([]);
    for (const id of ids) {
      expect(controller.health.get(id)).toMatchObject({ status: 'unhealthy' });
      expect(controller.health.get(id)?.next?.act).toMatch(/no proof that they are gone/);
    }
    for (const [index, place] of places.entries()) {
      for (const [id, instance] of hidden[index] ?? []) place.instances.set(id, instance);
    }
    await seconds(120);
    expect(attempts()).toEqual([]);
    for (const id of ids) expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await controller.dispose();
  });
});
