import { describe, expect, test } from 'vitest';
import { Emitter } from '../../../src/model/event.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { type SwarmCore, SwarmHost } from '../../../src/vscode/swarmHost.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { MemoryLock, memorySwarm } from '../../fakes/memorySwarm.ts';

/** Counts what is built and disposed; fails as often as the test wants. */
class Workshop {
  built = 0;
  disposed = 0;
  failures = 0;
  readonly changes = new Emitter<void>();

  readonly build = async (): Promise<SwarmCore> => {
    if (this.failures > 0) {
      this.failures--;
      throw new Error('no disk');
    }
    this.built++;
    const core = { controller: { onDidChange: this.changes.event }, dispose: async () => void this.disposed++ };
    return core as unknown as SwarmCore;
  };
}

describe('the host of the core', () => {
  test('builds it once, at the first call', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    expect(host.ready).toBeUndefined();
    const [one, two] = await Promise.all([host.core(), host.core()]);
    expect(one).toBe(two);
    expect(host.ready).toBe(one);
    expect(workshop.built).toBe(1);
  });

  test('a failure is told, and tried again at the next call', async () => {
    const workshop = new Workshop();
    workshop.failures = 1;
    const host = new SwarmHost(workshop.build);
    let told = 0;
    host.onDidChange(() => told++);
    await expect(host.core()).rejects.toThrow('no disk');
    expect(host.problem).toBeInstanceOf(Error);
    expect(told).toBe(1);
    await host.core();
    expect(host.problem).toBeUndefined();
  });

  test('tells what the core tells', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    await host.core();
    let told = 0;
    host.onDidChange(() => told++);
    workshop.changes.fire();
    expect(told).toBe(1);
  });

  test('a reload waits for what runs, and lets the state be moved while nothing is there', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    const first = await host.core();
    const steps: string[] = [];
    const gate = Promise.withResolvers<void>();
    const work = host.use(async core => {
      await gate.promise;
      steps.push(core === first ? 'work on the first' : 'work on another');
    });
    await Promise.resolve();
    const reload = host.whileDown(
      async () => void steps.push(`moved, ${workshop.disposed} disposed, ready: ${host.ready}`),
    );
    gate.resolve();
    await Promise.all([work, reload]);
    expect(steps).toEqual(['work on the first', 'moved, 1 disposed, ready: undefined']);
    expect(workshop.built).toBe(2);
    expect(host.ready).not.toBe(first);
  });

  test('a reload of what was never built builds nothing', async () => {
    const workshop = new Workshop();
    await new SwarmHost(workshop.build).reload();
    expect(workshop.built).toBe(0);
  });

  test('nothing is built after the end', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    await host.core();
    await host.dispose();
    expect(workshop.disposed).toBe(1);
    await expect(host.core()).rejects.toThrow();
    expect(workshop.built).toBe(1);
  });
});

/** A real swarm, built anew on the same places, files and locks, as the composition root builds it. */
class SwarmWorkshop {
  readonly place = new MemoryPlace();
  readonly seat = new ObserverSeat();
  readonly ended: number[] = [];
  readonly #shared = {
    place: this.place,
    disk: new MemoryDisk(),
    migrationDisk: new MemoryDisk(),
    locks: new MemoryLock(),
    creations: new Map<string, AbortController>(),
  };
  built = 0;

  readonly build = async (): Promise<SwarmCore> => {
    const turn = ++this.built;
    const lease = new MemoryLease(this.seat);
    const { controller } = memorySwarm({ ...this.#shared, lease, health: { enabled: false } });
    await controller.initialize();
    const dispose = async () => {
      this.ended.push(turn);
      await controller.dispose();
    };
    return { controller, rest: () => lease.resign(), dispose } as Partial<SwarmCore> as SwarmCore;
  };
}

describe('a setting that is changed during a long operation', () => {
  /** A create that its place holds, asked of the first core; and the core that the changed setting asks for. */
  async function reloaded() {
    const workshop = new SwarmWorkshop();
    const host = new SwarmHost(workshop.build);
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    workshop.place.latency = async call => {
      if (call !== 'createInstance') return;
      begun.resolve();
      await held.promise;
    };
    const cancel = new AbortController();
    const ctx = { ...quietContext, signal: cancel.signal };
    const first = await host.core();
    const create = host.use(core => core.controller.createInstance({ name: 'web' }, undefined, ctx));
    create.catch(() => {});
    await begun.promise;
    const [{ id = '' } = {}] = first.controller.listInstances();
    await within(host.reload());
    return { workshop, host, held, cancel, create, first, id };
  }

  const within = async <T>(work: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('It hangs.')), 1_000);
    return Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
  };

  test('holds nothing up: commands go on with the new swarm, and the old one ends when the operation has', async () => {
    const { workshop, host, held, create, first, id } = await reloaded();
    await within(host.use(core => core.controller.refresh()));
    const other = await within(host.use(async core => core.controller.listInstances()));
    expect(other.map(({ status }) => status)).toEqual(['creating']);
    expect(host.ready).not.toBe(first);
    expect([...workshop.ended]).toEqual([]);
    held.resolve();
    expect((await create).status).toBe('running');
    await expect.poll(() => workshop.ended).toEqual([1]);
    expect(workshop.place.calls.filter(call => call === 'createInstance')).toHaveLength(1);
    await expect.poll(() => host.ready?.controller.registry.getInstance(id)?.status).toBe('running');
    await host.dispose();
    expect(workshop.ended).toEqual([1, 2]);
  });

  test('lets it be cancelled', async () => {
    const { workshop, host, held, cancel, create } = await reloaded();
    cancel.abort();
    held.resolve();
    await expect(create).rejects.toThrow();
    await expect.poll(() => workshop.ended).toEqual([1]);
    expect(workshop.place.instances.size).toBe(0);
    expect(await host.use(async core => core.controller.registry.readAll())).toEqual([]);
  });

  test('lets the instance be deleted that is being made', async () => {
    const { workshop, host, held, create, id } = await reloaded();
    const deleted = host.use(core => core.controller.purgeInstance(id));
    held.resolve();
    await expect(create).rejects.toThrow();
    await within(deleted).catch(error => expect(error).toMatchObject({ code: 'instance-not-found' }));
    expect(workshop.place.instances.size).toBe(0);
    expect(workshop.place.calls.filter(call => call === 'createInstance')).toHaveLength(0);
  });

  test('makes one of the two the observer, the new one', async () => {
    const { workshop, host, held, create } = await reloaded();
    expect(workshop.seat.epoch).toBe(2);
    expect(host.ready?.controller.health.isObserver).toBe(true);
    held.resolve();
    await create;
  });

  test('again and again leaves one swarm, and none that has nothing to do', async () => {
    const { workshop, host, held, create } = await reloaded();
    await within(Promise.all([host.reload(), host.reload(), host.reload()]));
    expect(workshop.built).toBe(5);
    await expect.poll(() => workshop.ended).toEqual([2, 3, 4]);
    held.resolve();
    await create;
    await expect.poll(() => workshop.ended).toEqual([2, 3, 4, 1]);
  });

  test('that moves the state waits for it, while commands go on, and gives up in the end', async () => {
    const { workshop, host, held, create, id } = await reloaded();
    let moved = 0;
    const refused = host.whileDown(async () => void moved++, 50);
    await within(host.use(core => core.controller.refresh()));
    await expect(within(refused)).rejects.toMatchObject({ code: 'swarm-busy' });
    expect(moved).toBe(0);
    expect(await within(host.use(async core => core.controller.getInstance(id).status))).toBe('creating');
    const move = host.whileDown(async () => void moved++);
    held.resolve();
    await Promise.all([create, within(move)]);
    expect(moved).toBe(1);
    expect(workshop.ended.toSorted()).toEqual([1, 2]);
  });
});
