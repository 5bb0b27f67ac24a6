import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HealthConfig } from '../../../../src/model/config.ts';
import { newerState, stateUnavailable } from '../../../../src/model/errors.ts';
import { InstanceHealth } from '../../../../src/model/health.ts';
import { MemoryLease, ObserverSeat } from '../../../fakes/memoryLease.ts';
import type { MemoryCall, MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { MemoryLock, type MemorySwarmOptions, memorySwarm } from '../../../fakes/memorySwarm.ts';

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
const calls = (place: MemoryPlace, call: MemoryCall) => place.calls.filter(each => each === call).length;

describe('the health monitor, when what is around it gets in its way', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** A swarm with one instance, healthy for some minutes. */
  async function one(options: MemorySwarmOptions = {}) {
    const healthDisk = new MemoryDisk();
    const { controller, place } = memorySwarm({ healthDisk, autoSaveSeconds: 5, ...options });
    await controller.initialize();
    const { id } = await controller.createInstance({ name: 'one' }, 'memory');
    await seconds(400);
    return { controller, place, healthDisk, id };
  }

  /** The next such call takes so long. */
  function slow(place: MemoryPlace, call: MemoryCall, duration: number) {
    place.latency = async each => {
      if (each === call) await new Promise(resolve => setTimeout(resolve, duration * 1000));
    };
  }

  test('by a disk that takes nothing, it gives nothing up, says so, and goes on when there is room', async () => {
    const { controller, place, healthDisk, id } = await one();
    const full = vi.spyOn(healthDisk.records, 'set').mockImplementation(() => {
      throw stateUnavailable('/state', new Error('no space left on device'));
    });
    await place.crash(id);
    await seconds(1_800);
    expect(calls(place, 'startInstance')).toBe(0);
    expect(controller.health.get(id)).toMatchObject({ status: 'unhealthy', recovery: { attempts: [] } });
    expect(controller.health.get(id)?.recovery.crashLoop).toBeUndefined();
    expect(controller.health.get(id)?.next?.act).toMatch(/^Nothing is done while its state cannot be written: .*space/);
    full.mockRestore();
    await seconds(30);
    expect(controller.health.get(id)).toMatchObject({
      status: 'healthy',
      recovery: { attempts: [{ rung: 'restart' }] },
    });
    await controller.dispose();
  });

  test('by health that a later version wrote, it does nothing with that instance, and asks its place no faster for it', async () => {
    const { controller, place, healthDisk, id } = await one();
    let refused = 0;
    vi.spyOn(healthDisk.records, 'set').mockImplementation(() => {
      refused += 1;
      if (refused > 1_000) throw new Error('This goes on and on.');
      throw newerState('/state/health/one.json', 2);
    });
    const before = calls(place, 'observe');
    await place.crash(id);
    await seconds(300);
    expect(calls(place, 'startInstance')).toBe(0);
    expect(calls(place, 'observe') - before).toBeLessThan(300 / 5);
    await controller.dispose();
  });

  test('by health under a later epoch than there ever was, what is seen counts, and what runs is left alone', async () => {
    const { controller, place, healthDisk, id } = await one({ health: { autoRecover: false } });
    await place.crash(id);
    await seconds(30);
    const text = healthDisk.records.get(id) ?? '';
    const edited = { ...InstanceHealth.parse(JSON.parse(text)), observerEpoch: 2 ** 50, revision: 1_000 };
    expect(edited.status).toBe('unhealthy');
    await controller.startInstance(id);
    await controller.dispose();

    healthDisk.records.set(id, JSON.stringify(edited));
    const later = memorySwarm({ healthDisk, place, autoSaveSeconds: 5 });
    const started = calls(place, 'startInstance');
    await later.controller.initialize();
    await seconds(120);
    expect(calls(place, 'startInstance')).toBe(started);
    expect(later.controller.health.get(id)).toMatchObject({ status: 'healthy', recovery: { attempts: [] } });
    await later.controller.dispose();
  });

  test.each([
    ['pauses the instance', ({ controller, id }) => controller.pauseMonitoring(id, true)],
    ['switches recovery off', ({ health }) => Object.assign(health, { autoRecover: false })],
    ['stops the instance', ({ controller, id }) => controller.stopInstance(id)],
  ] satisfies [string, (world: Awaited<ReturnType<typeof one>> & { health: Partial<HealthConfig> }) => unknown][])(
    'by a person who %s while its home is looked for, it does nothing',
    async (_, act) => {
      const health: Partial<HealthConfig> = { recoveryActions: ['recreate'] };
      const world = await one({ health });
      const { controller, place, id } = world;
      slow(place, 'hasHome', 5);
      await place.crash(id);
      await seconds(1);
      await act({ ...world, health });
      await seconds(60);
      expect(calls(place, 'recreateInstance')).toBe(0);
      await controller.dispose();
    },
  );

  test('by a person who starts the instance at the same moment, it does not end what has just begun', async () => {
    const { controller, place, id } = await one();
    slow(place, 'getInstance', 1);
    await place.crash(id);
    await seconds(0.5);
    slow(place, 'startInstance', 5);
    const started = controller.startInstance(id);
    await seconds(60);
    expect(await started).toMatchObject({ status: 'running' });
    expect([calls(place, 'startInstance'), calls(place, 'stopInstance')]).toEqual([1, 0]);
    expect(controller.health.get(id)).toMatchObject({ status: 'healthy' });
    await controller.dispose();
  });

  test('by a server that prints what hides or reorders text, or goes on for ever, its evidence is one plain line', async () => {
    const { controller, place, id } = await one({ health: { recoveryActions: ['restart'] } });
    const hostile = `fatal:\r\n\u202e[click](command:rm)\u0007 ${'x'.repeat(1_000_000)}`;
    for (let times = 0; times < 3; times++) place.failNext('startInstance', new Error(hostile));
    await place.crash(id, hostile);
    await seconds(60);
    const { checks, reason, recovery } = controller.health.get(id) ?? {};
    const texts = [
      reason,
      ...(checks ?? []).map(({ seen }) => seen),
      ...(recovery?.attempts ?? []).map(({ note }) => note),
    ];
    texts.push(recovery?.crashLoop?.reason, controller.getInstance(id).error?.message);
    const told = texts.filter(text => text?.includes('fatal'));
    expect(told.length).toBeGreaterThan(3);
    for (const text of told) {
      expect(text).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u);
      expect(text?.length).toBeLessThanOrEqual(1_000);
    }
    await controller.dispose();
  });

  test('by a person who has another window check, all windows show what that saw, and what persons wanted stays', async () => {
    const [disk, locks, seat] = [new MemoryDisk(), new MemoryLock(), new ObserverSeat()];
    const { controller, place, healthDisk, id } = await one({ disk, locks, lease: new MemoryLease(seat) });
    const other = memorySwarm({ disk, healthDisk, place, locks, lease: new MemoryLease(seat), autoSaveSeconds: 5 });
    await other.controller.initialize();
    await seconds(10);
    const before = controller.health.get(id)?.checks[0]?.at ?? '';
    await controller.pauseMonitoring(id, true);
    await seconds(1);
    expect(await other.controller.checkInstanceHealth(id)).toMatchObject({ status: 'healthy' });
    await seconds(1);
    for (const window of [controller, other.controller]) {
      const health = window.health.get(id);
      expect((health?.checks[0]?.at ?? '') > before).toBe(true);
      expect(health?.pausedSince).toBeDefined();
    }
    await other.controller.dispose();
    await controller.dispose();
  });

  test('by a person who removes what is being looked at, it leaves no health of it behind', async () => {
    const { controller, place, healthDisk, id } = await one();
    const { id: other } = await controller.createInstance({ name: 'other' }, 'memory');
    slow(place, 'probe', 3);
    void controller.refresh();
    await seconds(1);
    const removed = controller.purgeInstance(other);
    await seconds(120);
    await removed;
    expect([...healthDisk.records.keys()]).toEqual([id]);
    const closed = controller.dispose();
    await seconds(5);
    await closed;
  });

  test('by its own end, whatever it is at, it leaves no timer and asks for nothing more', async () => {
    for (let moment = 0; moment < 60; moment += 2) {
      const health: Partial<HealthConfig> = { checkInterval: 20, resourceInterval: 20, recoveryActions: ['recreate'] };
      const { controller, place, id } = await one({ health });
      place.latency = () => new Promise(resolve => setTimeout(resolve, 3_000));
      for (let times = 0; times < 4; times++) place.failNext('recreateInstance', new Error('no'));
      await place.crash(id);
      await seconds(moment);
      let isClosed = false;
      void controller.dispose().then(() => {
        isClosed = true;
      });
      await seconds(20);
      const asked = place.calls.length;
      expect([moment, isClosed, vi.getTimerCount()]).toEqual([moment, true, 0]);
      await seconds(3_600);
      expect([moment, place.calls.length]).toEqual([moment, asked]);
    }
  });
});
