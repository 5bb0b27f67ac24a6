import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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
});
