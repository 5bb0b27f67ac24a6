import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HealthConfig } from '../../../../src/model/config.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

describe('the health monitor, when the settings change', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
    // Rounds come without jitter.
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** A swarm with one instance, which a round has just found healthy. */
  async function one(health: Partial<HealthConfig>) {
    const swarm = memorySwarm({ health });
    const { controller } = swarm;
    await controller.initialize();
    const { id } = await controller.createInstance({ name: 'one' }, 'memory');
    await seconds(1.2 * (health.checkInterval ?? 30));
    expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    return { ...swarm, id };
  }

  test('another interval holds at once, also for the round that was planned', async () => {
    const health: Partial<HealthConfig> = { checkInterval: 3_600, autoRecover: false };
    const { controller, place, id } = await one(health);
    place.unresponsive(id, 'answered 500', 'none');
    health.checkInterval = 5;
    controller.health.followSettings();
    await seconds(11);
    expect(controller.health.get(id)).toMatchObject({ status: 'unhealthy' });
    health.checkInterval = 3_600;
    controller.health.followSettings();
    const before = place.calls.length;
    await seconds(400);
    health.recoveryActions = [];
    controller.health.followSettings();
    await seconds(1_000);
    expect(place.calls.filter((call, index) => index >= before && call === 'probe').length).toBeLessThan(20);
    await controller.dispose();
  });

  test('switched off, nothing is told of anybody, and switched on again everybody is looked at', async () => {
    const health: Partial<HealthConfig> = { checkInterval: 3_600, autoRecover: false };
    const { controller, place, id } = await one(health);
    health.enabled = false;
    controller.health.followSettings();
    expect(controller.health.get(id)).toBeUndefined();
    expect(controller.health.list()).toEqual([]);
    await place.crash(id);
    await seconds(60);
    health.enabled = true;
    controller.health.followSettings();
    await seconds(1);
    expect(controller.health.get(id)).toMatchObject({ status: 'unhealthy' });
    await controller.dispose();
  });

  test('and take a provider away, nobody says any more how its instances are', async () => {
    const [disk, healthDisk] = [new MemoryDisk(), new MemoryDisk()];
    const before = memorySwarm({ disk, healthDisk });
    await before.controller.initialize();
    const { id } = await before.controller.createInstance({ name: 'one' }, 'memory');
    await seconds(65);
    await before.controller.dispose();
    const providers = [new MemoryProvider(new MemoryPlace(), { id: 'other' })];
    const { controller } = memorySwarm({ disk, healthDisk, providers });
    await controller.initialize();
    expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await seconds(1);
    expect(controller.health.get(id)).toMatchObject({
      status: 'unknown',
      reason: '"memory" does not answer: it is not among the providers in use.',
    });
    await controller.dispose();
  });

  test('a provider is called suspect for as long as nothing is recovered there', async () => {
    const { controller, place } = memorySwarm({ health: { fleetShare: 1 } });
    await controller.initialize();
    for (const name of ['a', 'b', 'c']) await controller.createInstance({ name }, 'memory');
    await seconds(65);
    place.latency = async call => {
      if (call === 'startInstance') await new Promise(resolve => setTimeout(resolve, 50_000));
    };
    for (const id of place.instances.keys()) await place.crash(id);
    await seconds(60);
    expect(controller.health.suspects()).toMatchObject([{ providerId: 'memory' }]);
    await seconds(60);
    expect(controller.health.list()).toMatchObject(Array(3).fill({ status: 'recovering' }));
    expect(controller.health.suspects()).toEqual([]);
    await controller.dispose();
  });

  test('and one that lists none of them stays suspect', async () => {
    const { controller, place } = memorySwarm();
    await controller.initialize();
    for (const name of ['a', 'b', 'c']) await controller.createInstance({ name }, 'memory');
    await seconds(65);
    place.instances.clear();
    await seconds(3_600);
    expect(controller.health.suspects()).toMatchObject([{ providerId: 'memory' }]);
    await controller.dispose();
  });
});
