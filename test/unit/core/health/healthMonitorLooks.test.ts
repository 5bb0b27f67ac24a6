import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

describe('the health monitor, when one look takes long', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Two instances, healthy unless their place was silent meanwhile; the next round has just begun, and the probe of one of them is not answered until `release`. */
  async function hanging({ unknown = false } = {}) {
    const { controller, place } = memorySwarm();
    await controller.initialize();
    const [one, other] = [
      await controller.createInstance({ name: 'one' }, 'memory'),
      await controller.createInstance({ name: 'other' }, 'memory'),
    ];
    await vi.advanceTimersByTimeAsync(35_000);
    place.unreachable = unknown;
    await vi.advanceTimersByTimeAsync(unknown ? 35_000 : 0);
    place.unreachable = false;
    const status = unknown ? 'unknown' : 'healthy';
    expect(controller.health.list()).toMatchObject([{ status }, { status }]);
    const held = Promise.withResolvers<void>();
    let isHeld = false;
    place.latency = async call => {
      if (call !== 'probe' || isHeld) return;
      isHeld = true;
      await held.promise;
    };
    while (!isHeld) await vi.advanceTimersByTimeAsync(100);
    await vi.advanceTimersByTimeAsync(1_000);
    const release = async () => {
      held.resolve();
      await vi.advanceTimersByTimeAsync(1);
    };
    const judgedAt = (id: string) => controller.health.get(id)?.checks[0]?.at ?? '';
    return { controller, place, one: one.id, other: other.id, judgedAt, release };
  }

  test('another one that dies meanwhile is seen and mended at once, and the long look says nothing of it', async () => {
    const { controller, place, one, other, judgedAt, release } = await hanging();
    const began = new Date().toISOString();
    await place.crash(other);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(controller.health.get(other)?.recovery.attempts).toMatchObject([{ rung: 'restart', outcome: 'succeeded' }]);
    expect(judgedAt(one) < began).toBe(true);
    const mended = judgedAt(other);
    expect(mended > began).toBe(true);
    await release();
    expect(judgedAt(other)).toBe(mended);
    expect(judgedAt(one) > began).toBe(true);
    await controller.dispose();
  });

  test('and it dies itself, what is seen later counts', async () => {
    const { controller, place, one, judgedAt, release } = await hanging();
    await place.crash(one);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(controller.health.get(one)?.recovery.attempts).toMatchObject([{ rung: 'restart', outcome: 'succeeded' }]);
    const mended = judgedAt(one);
    await release();
    expect(judgedAt(one)).toBe(mended);
    await controller.dispose();
  });

  test('another look that sees the same leaves it alone', async () => {
    const { controller, place, release } = await hanging({ unknown: true });
    const probes = () => place.calls.filter(call => call === 'probe').length;
    const before = probes();
    place.changed.fire(undefined);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(probes()).toBe(before);
    await release();
    await controller.dispose();
  });
});
