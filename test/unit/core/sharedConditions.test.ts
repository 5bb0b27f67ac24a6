import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ProviderCapabilities } from '../../../src/model/provider.ts';
import { ProviderRecord } from '../../../src/model/providerRecord.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { MemoryLock, type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

/** Knows how big its place is once it was reached, and what this window has asked of it. */
class WindowsProvider extends MemoryProvider {
  readonly asked: string[] = [];
  override readonly abilities: MemoryProvider['abilities'];
  #cores = 1;

  constructor(place: MemoryPlace) {
    super(place);
    const { abilities } = new MemoryProvider(place);
    this.abilities = {
      ...abilities,
      observe: ctx => {
        this.asked.push('observe');
        return abilities.observe(ctx);
      },
      probe: (id, port, ctx) => {
        this.asked.push('probe');
        return abilities.probe(id, port, ctx);
      },
    };
  }

  override getCapabilities(): ProviderCapabilities {
    const { maxResourcesPerInstance, ...capabilities } = super.getCapabilities();
    return { ...capabilities, maxResourcesPerInstance: { ...maxResourcesPerInstance, cpu: { cores: this.#cores } } };
  }

  override async initialize(): Promise<void> {
    this.asked.push('initialize');
    await super.initialize();
    this.#cores = 8;
  }
}

/** A state directory, a place and a seat, and the windows on them. */
class World {
  readonly place = new MemoryPlace();
  readonly seat = new ObserverSeat();
  readonly providerDisk = new MemoryDisk();
  readonly #shared = {
    ...{ disk: new MemoryDisk(), healthDisk: new MemoryDisk(), migrationDisk: new MemoryDisk() },
    locks: new MemoryLock(),
  };

  async open(options: MemorySwarmOptions = {}) {
    const { place, providerDisk, seat } = this;
    const provider = new WindowsProvider(place);
    const lease = new MemoryLease(seat);
    const { controller } = memorySwarm({
      ...{ ...this.#shared, place, providerDisk, lease, providers: [provider] },
      ...options,
    });
    open.push(controller);
    await controller.initialize();
    await seconds(1);
    const state = () => controller.getSwarmStatus().providers[0];
    return { controller, asked: provider.asked, state, lease };
  }

  /** What is on disk of the provider. */
  record(): ProviderRecord {
    return ProviderRecord.parse(JSON.parse(this.providerDisk.records.get('memory') ?? 'null'));
  }

  /** As if somebody had written it. */
  write(record: ProviderRecord): void {
    this.providerDisk.records.set(record.id, JSON.stringify(record));
    this.providerDisk.changes.fire({ id: record.id, author: this });
  }
}

const open: { dispose(): Promise<void> }[] = [];
beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00Z') });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map(controller => controller.dispose()));
  vi.useRealTimers();
});

describe('of all windows on one state', () => {
  test('only the observer asks the provider, and all show how it answers', async () => {
    const world = new World();
    const observer = await world.open();
    await observer.controller.createInstance({ name: 'one' });
    const others = [];
    for (let count = 0; count < 7; count += 1) others.push(await world.open());
    await seconds(65);
    world.place.unreachable = true;
    await seconds(35);
    for (const { asked, state } of others) {
      expect(asked).toEqual([]);
      expect(state()).toEqual({ ...observer.state(), instances: 1 });
      expect(state()).toMatchObject({
        reachable: false,
        problem: expect.stringContaining('refused'),
        hint: expect.stringContaining('Start it'),
      });
    }
    world.place.unreachable = false;
    await seconds(35);
    for (const { asked, state } of others) {
      expect(asked).toEqual([]);
      expect(state()).toMatchObject({ reachable: true });
      expect(state()).not.toHaveProperty('problem');
    }
  });

  test('all show what was found, and any of them can adopt it', async () => {
    const world = new World();
    const stranger = memorySwarm({ place: world.place, swarmId: 'bbbbbbbbbbbbbbbb' }).controller;
    open.push(stranger);
    const { id } = await stranger.createInstance({ name: 'theirs' });
    const observer = await world.open();
    const other = await world.open();
    expect(other.controller.listFound()).toEqual(observer.controller.listFound());
    expect(other.controller.listFound()).toMatchObject([
      { providerId: 'memory', observation: { id, status: 'running' } },
    ]);
    await other.controller.adoptInstance('memory', id);
    await seconds(35);
    expect([observer, other].map(({ controller }) => controller.listFound())).toEqual([[], []]);
    expect(world.record().found).toEqual([]);
    expect(other.asked).toEqual([]);
  });

  test('all know which provider is suspect, and none but the observer counts on it', async () => {
    const world = new World();
    const health = { fleetShare: 1, autoRecover: false };
    const observer = await world.open({ health });
    const other = await world.open({ health });
    for (const name of ['a', 'b', 'c']) await observer.controller.createInstance({ name });
    await seconds(65);
    expect(other.controller.conditions.suspects()).toEqual([]);
    for (const id of world.place.instances.keys()) await world.place.crash(id);
    await seconds(35);
    const reason = '3 of 3 instances on "memory" fail at once.';
    expect(observer.controller.conditions.suspects()).toEqual([{ providerId: 'memory', reason }]);
    expect(other.controller.conditions.suspects()).toEqual([{ providerId: 'memory', reason }]);
    expect(other.controller.health.suspects()).toBeUndefined();
    world.seat.pass();
    await seconds(40);
    expect(other.controller.health.suspects()).toEqual([{ providerId: 'memory', reason }]);
    expect(observer.controller.health.suspects()).toBeUndefined();
  });

  test('each knows what the provider can take, and need not reach it for that', async () => {
    const world = new World();
    await world.open();
    const other = await world.open();
    const { config } = await other.controller.createInstance({ name: 'big', resources: { cpuCores: 8 } });
    expect(config.resources).toEqual({ cpuCores: 8 });
    await expect(other.controller.createInstance({ name: 'huge', resources: { cpuCores: 9 } })).rejects.toMatchObject({
      code: 'no-placement',
    });
    expect(other.asked).toEqual([]);
  });

  test('any asks the provider when a person refreshes there, and shows what it saw', async () => {
    const world = new World();
    const observer = await world.open();
    const other = await world.open();
    world.place.unreachable = true;
    await other.controller.refresh();
    expect(other.asked).toEqual(['initialize']);
    expect([other.state()?.reachable, observer.state()?.reachable]).toEqual([false, true]);
    world.place.unreachable = false;
    await other.controller.refresh();
    expect(other.state()?.reachable).toBe(true);
    expect(world.record().revision).toBe(1);
  });
});

describe('the observer', () => {
  test('writes what has changed, and nothing else', async () => {
    const world = new World();
    await world.open();
    await seconds(300);
    expect(world.record()).toMatchObject({ revision: 1, observerEpoch: 1, reachable: true });
    world.place.unreachable = true;
    await seconds(300);
    expect(world.record()).toMatchObject({ revision: 2, reachable: false, code: 'provider-unreachable' });
  });

  test('that takes over reaches the provider itself, and marks what it says with its epoch', async () => {
    const world = new World();
    const first = await world.open();
    const other = await world.open();
    await first.controller.dispose();
    await seconds(1);
    expect(other.asked).toEqual(['initialize', 'observe']);
    expect(world.record()).toMatchObject({ observerEpoch: 2, reachable: true });
  });

  test('that was replaced while it slept asks nothing, and shows what the other one writes', async () => {
    const world = new World();
    const stale = await world.open();
    const { id } = await stale.controller.createInstance({ name: 'one' });
    const other = await world.open();
    await seconds(40);
    const before = [...stale.asked];
    world.seat.pass();
    world.place.unreachable = true;
    await seconds(1);
    expect(other.state()).toMatchObject({ reachable: false });
    expect(stale.state()).toEqual(other.state());
    world.place.unreachable = false;
    await world.place.crash(id);
    await seconds(40);
    expect(stale.state()).toEqual(other.state());
    expect(stale.asked).toEqual(before);
  });

  test('that was replaced while it slept does not knock at a provider that was away', async () => {
    const world = new World();
    const stale = await world.open();
    const { id } = await stale.controller.createInstance({ name: 'one' });
    const other = await world.open();
    world.place.unreachable = true;
    await seconds(40);
    const before = [...stale.asked];
    world.seat.pass();
    world.place.changed.fire(id);
    await seconds(1);
    expect(other.asked).toContain('initialize');
    expect(stale.asked).toEqual(before);
  });

  test('that was replaced while it slept counts nothing anew for that', async () => {
    const world = new World();
    const stale = await world.open();
    const { id } = await stale.controller.createInstance({ name: 'one' });
    await world.open();
    await seconds(65);
    world.place.unresponsive(id);
    await seconds(35);
    const checks = () => stale.controller.health.get(id)?.checks;
    const before = checks();
    expect(before).toContainEqual(expect.objectContaining({ name: 'connectivity', outcome: 'failed' }));
    vi.setSystemTime(Date.now() + 3_600_000);
    // It is to find out by its own next round.
    world.providerDisk.changes.dispose();
    world.seat.pass();
    await seconds(40);
    expect(checks()).toEqual(before);
  });

  test('that lost its turn in a sleep, and has the next one, counts anew what it saw before', async () => {
    const world = new World();
    const { controller } = await world.open();
    const { id } = await controller.createInstance({ name: 'one' });
    await seconds(65);
    world.place.unresponsive(id);
    const silences = () => controller.health.get(id)?.checks.find(({ name }) => name === 'connectivity')?.times;
    while (controller.health.get(id)?.status === 'healthy' || silences() !== 2) await seconds(1);
    vi.setSystemTime(Date.now() + 3_600_000);
    world.seat.pass();
    await seconds(35);
    expect(world.seat.epoch).toBe(2);
    expect(silences()).toBe(1);
    expect(controller.health.get(id)).toMatchObject({ status: 'degraded', recovery: { attempts: [] } });
  });

  test.each([
    ['a failure', new Error('The connection was lost while the window slept.')],
    ['a list', undefined],
  ])('that is replaced while the provider is about to answer makes nothing of %s', async (_, failure) => {
    const world = new World();
    const stale = await world.open();
    const { id } = await stale.controller.createInstance({ name: 'one' });
    await world.open();
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    world.place.latency = call => (call === 'observe' ? promise : Promise.resolve());
    await seconds(35);
    const before = [...stale.asked];
    expect(before.at(-1)).toBe('observe');
    if (failure) world.place.failNext('observe', failure);
    const shown = new Set<unknown>();
    stale.controller.onDidChange(() => {
      shown.add(stale.state()?.reachable).add(stale.controller.getInstance(id).status);
    });
    world.seat.pass();
    answer();
    await seconds(1);
    expect(world.record()).toMatchObject({ observerEpoch: 2, reachable: true });
    expect([...shown]).toEqual([true, 'running']);
    expect(stale.asked).toEqual(before);
  });

  test('that is replaced when it is about to write leaves that to the other one', async () => {
    const world = new World();
    const stale = await world.open();
    const other = await world.open();
    world.place.unreachable = true;
    while (stale.state()?.reachable) await vi.advanceTimersByTimeAsync(50);
    world.place.latency = () => new Promise(() => {});
    world.seat.pass();
    await seconds(5);
    expect(world.record()).toMatchObject({ reachable: true });
    expect(stale.state()).toEqual(other.state());
  });

  test('leaves what a later observer wrote, and puts right what anybody else did', async () => {
    const world = new World();
    await world.open();
    const record = world.record();
    const wrong = { ...record, reachable: false, problem: 'made up' };
    world.write({ ...wrong, revision: 2 });
    await seconds(1);
    expect(world.record()).toEqual({ ...record, revision: 3 });
    world.write({ ...wrong, revision: 4, observerEpoch: 2 });
    await seconds(65);
    expect(world.record()).toMatchObject({ revision: 4, problem: 'made up' });
  });

  test('forgets what was known of a provider that there is no more', async () => {
    const world = new World();
    await (await world.open()).controller.dispose();
    world.write({ ...world.record(), id: 'gone' });
    expect(world.providerDisk.records.has('gone')).toBe(true);
    await world.open();
    expect([...world.providerDisk.records.keys()]).toEqual(['memory']);
  });

  test('looks once where health is not monitored, and when an event wakes it', async () => {
    const world = new World();
    const { asked, controller } = await world.open({ health: { enabled: false } });
    expect(asked).toEqual(['initialize', 'observe']);
    const { id } = await controller.createInstance({ name: 'one' });
    await seconds(1);
    const looks = () => asked.filter(call => call === 'observe').length;
    const before = looks();
    expect(before).toBeGreaterThan(0);
    await seconds(300);
    expect(looks()).toBe(before);
    await world.place.crash(id);
    await seconds(1);
    expect(controller.getInstance(id).status).toBe('stopped');
  });

  test('goes on when its disk refuses', async () => {
    const world = new World();
    const { state } = await world.open();
    world.providerDisk.records.set('memory', '{');
    world.place.unreachable = true;
    await seconds(35);
    expect(state()).toMatchObject({ reachable: false });
  });
});
