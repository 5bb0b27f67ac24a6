import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { StreamKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { homeTaskFailed } from '../../src/model/homeErrors.ts';
import type { LockedContext } from '../../src/model/operationContext.ts';
import type { HomeTask, Provider } from '../../src/model/provider.ts';
import { FileHomeArchive } from '../../src/storage/fileHomeArchive.ts';
import { contentOf, fill } from '../fakes/memoryCarrier.ts';
import { MemoryLease, ObserverSeat } from '../fakes/memoryLease.ts';
import { type MemoryCall, MemoryPlace } from '../fakes/memoryPlace.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';
import { MemoryDisk } from '../fakes/memoryStore.ts';
import { MemoryVault, memorySwarm } from '../fakes/memorySwarm.ts';
import { openMemoryHome } from './memoryHomes.ts';
import { type Stall, StallingWindow } from './stallingWindow.ts';
import { LockTable, WindowLocks } from './windowLocks.ts';

export type PlaceName = 'here' | 'there';
export const placeNames = ['here', 'there'] as const;

export const ourSwarm = 'aaaaaaaaaaaaaaaa';
/** Of somebody else. */
export const foreignSwarm = 'bbbbbbbbbbbbbbbb';

export const homeText = 'uncommitted and untracked work';

const changing: ReadonlySet<MemoryCall> = new Set([
  ...(['createInstance', 'startInstance', 'stopInstance', 'deleteInstance', 'updateInstance'] as const),
  ...(['recreateInstance', 'trashInstance', 'restoreInstance', 'prepareIncoming', 'setRole', 'transfer'] as const),
]);

/** As a window reaches a place: what changes something there is refused once its lock is lost (semantics 44). */
function reached(place: MemoryPlace, beforeChange: () => Promise<void>): MemoryPlace {
  const pass: MemoryPlace['pass'] = (providerId, call, ctx, work) =>
    place.pass(providerId, call, ctx, async () => {
      if (!changing.has(call)) return work();
      await beforeChange();
      if (!ctx.lock) throw new Error(`${call} was called without a lock.`);
      ctx.lock.assertHeld();
      return work();
    });
  const changed = {
    ...{ fire: place.changed.fire.bind(place.changed), dispose: () => {} },
    // In the window that listens, whoever changed something.
    event: (listener: (id: string | undefined) => void) => place.changed.event(AsyncResource.bind(listener)),
  };
  return new Proxy(place, {
    get: (target, key) => {
      if (key === 'pass') return pass;
      if (key === 'changed') return changed;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function withHomes(provider: MemoryProvider, failing: HomeTask[]): MemoryProvider {
  const openHome = async (id: string, task: HomeTask) => {
    if (failing[0] === task) throw homeTaskFailed(id, provider.id, `no ${failing.shift()}`);
    return openMemoryHome(provider, id, task);
  };
  const strayHomes = async (swarmId: string) =>
    [...provider.place.homesOf]
      .filter(([id, home]) => home.swarmId === swarmId && !provider.place.instances.has(id))
      .map(([id]) => ({ id, sizeGb: 1 }));
  const giveUpServer = async (id: string, ctx: LockedContext) => {
    ctx.lock.assertHeld();
    return provider.stopInstance(id, true, ctx);
  };
  Object.assign(provider.abilities, { openHome, strayHomes, giveUpServer });
  return provider;
}

/** A window on the world. */
export interface Window {
  readonly process: StallingWindow;
  readonly controller: SwarmController;
  readonly lease: MemoryLease;
  /** Awaited right before it changes something at a place. */
  beforeChange: () => Promise<void>;
}

/** Two places, the archive, and the state of a swarm: what all windows share. */
export class StallWorld {
  readonly places = { here: new MemoryPlace(), there: new MemoryPlace() };
  readonly vault = new MemoryVault();
  readonly instances = new MemoryDisk();
  readonly migrations = new MemoryDisk();
  readonly snapshots = new MemoryDisk();
  /** Programs beside homes that are to fail, the next one first. */
  readonly failingTasks: HomeTask[] = [];
  /** All that anybody has ever written into a home. */
  readonly written = new Set<string>();
  readonly #archive = path.join(tmpdir(), `remote-swarm-stalls-${randomUUID()}`);
  /** The most servers of one instance that have run at once, unless a place was away: what is there may run on. */
  mostRunning = 0;
  readonly #others = { healthDisk: new MemoryDisk(), providerDisk: new MemoryDisk(), timeDisk: new MemoryDisk() };
  readonly #table = new LockTable();
  readonly #seat = new ObserverSeat();
  readonly #windows: Window[] = [];

  constructor() {
    const { here, there } = this.places;
    let wasAway = false;
    for (const place of [here, there]) {
      place.changed.event(() => {
        wasAway ||= here.unreachable || there.unreachable;
        if (wasAway) return;
        for (const id of new Set([...here.instances.keys(), ...there.instances.keys()])) {
          const running = [here, there].filter(({ instances }) => instances.get(id)?.running).length;
          this.mostRunning = Math.max(this.mostRunning, running);
        }
      });
    }
  }

  /** The first one looks at each place; those that come after it know what it tells. */
  async open(): Promise<Window> {
    const process = new StallingWindow(window => this.#table.holds(window));
    const lease = new MemoryLease(this.#seat);
    const window = { process, lease, beforeChange: async () => {} };
    const { controller } = await process.run(async () => {
      const made = memorySwarm({
        ...{ disk: this.instances, migrationDisk: this.migrations, snapshotDisk: this.snapshots, ...this.#others },
        ...{ vault: this.vault, lease, locks: new WindowLocks(this.#table, process) },
        providers: placeNames.map(id =>
          withHomes(
            new MemoryProvider(
              reached(this.places[id], () => window.beforeChange()),
              { id },
            ),
            this.failingTasks,
          ),
        ),
        ...{
          homes: new StreamCarrier(),
          homeKeeper: new StreamKeeper(this.archive()),
          defaultProviderType: 'here',
          health: { enabled: false },
        },
      });
      await made.controller.initialize();
      if (this.#windows.length === 0) await made.controller.refresh();
      return made;
    });
    const opened = Object.assign(window, { controller });
    this.#windows.push(opened);
    return opened;
  }

  /** What a window that stands still held is free, and another one observes. */
  expire({ process, lease }: Window): void {
    this.#table.expire(process);
    if (lease.epoch !== undefined) this.#seat.pass();
  }

  wake({ process }: Window): void {
    process.wake();
    this.#table.tell();
  }

  async dispose(): Promise<void> {
    for (const window of this.#windows) {
      this.wake(window);
      await window.controller.dispose();
    }
    await rm(this.#archive, { recursive: true, force: true });
  }

  archive(): FileHomeArchive {
    return new FileHomeArchive(this.#archive, 0);
  }

  /** The state is lost, as far as it tells of migrations. */
  forgetMigrations(): void {
    for (const id of this.migrations.records.keys()) this.#rewrite(this.migrations, id, () => undefined);
  }

  /** The state is lost, as far as it tells of snapshots. */
  forgetSnapshots(): void {
    for (const id of this.snapshots.records.keys()) this.#rewrite(this.snapshots, id, () => undefined);
  }

  /** Another swarm has adopted it. */
  give(id: string, swarmId: string): void {
    const there = this.places.here.instances.get(id);
    if (there) there.identity = { ...there.identity, swarmId, epoch: there.identity.epoch + 2 };
  }

  /** It was failed over since. */
  raiseEpoch(id: string, epoch: number): void {
    this.#rewrite(this.instances, id, text => JSON.stringify({ ...JSON.parse(text), epoch }));
    for (const { instances } of Object.values(this.places)) {
      const there = instances.get(id);
      if (there?.role === 'owner') there.identity = { ...there.identity, epoch };
    }
  }

  /** Its record says that it runs on another machine. */
  runsElsewhere(id: string): void {
    this.#rewrite(this.instances, id, text => JSON.stringify({ ...JSON.parse(text), elsewhere: 'other' }));
  }

  /** Nothing is left of it but its home. */
  async strand(id: string): Promise<void> {
    this.#rewrite(this.instances, id, () => undefined);
    await this.places.here.loseServer(id);
  }

  #rewrite(disk: MemoryDisk, id: string, change: (text: string) => string | undefined): void {
    const next = change(disk.records.get(id) ?? '{}');
    if (next === undefined) disk.records.delete(id);
    else disk.records.set(id, next);
    disk.changes.fire({ id, author: this });
  }

  /** What a window has begun beside its act, and does not wait for, has ended too. */
  async quiet({ process }: Window): Promise<void> {
    while (this.#table.holds(process)) await new Promise(setImmediate);
  }

  lockedKeys(): string[] {
    return this.#table.keys();
  }

  /** What is there of an instance, without any window. */
  seen(place: PlaceName, id: string) {
    const instance = this.places[place].instances.get(id);
    return { role: instance?.role, running: instance?.running ?? false, home: contentOf(this.#outside(place), id) };
  }

  fill(place: PlaceName, id: string, text: string): void {
    this.written.add(text);
    fill(this.#outside(place), id, text);
  }

  #outside(place: PlaceName): Provider {
    return new MemoryProvider(this.places[place]);
  }
}

/** A window acts, and is never heard of again once it has come to a point. */
export async function cutOff(
  world: StallWorld,
  act: (window: Window) => Promise<unknown>,
  point: string,
): Promise<void> {
  const window = await world.open();
  const stopped = Promise.withResolvers<void>();
  const stall: Stall = { point, time: 1 };
  const ended = window.process.act(
    () => act(window),
    stall,
    () => {
      world.expire(window);
      window.lease.resign();
      stopped.resolve();
    },
  );
  await Promise.race([stopped.promise, ended.then(() => Promise.reject(new Error(`It never came to ${point}.`)))]);
  ended.catch(() => {});
}

/** What the observer does once it has looked at each place. */
export async function looked({ controller }: Window): Promise<void> {
  await controller.refresh();
  await controller.migrations.settleAll();
  await controller.snapshots.settle();
  for (const provider of controller.providers.all()) {
    const seen = new Map((await provider.abilities.observe()).map(observation => [observation.id, observation]));
    await controller.migrations.settleStrays(provider, seen);
  }
}

/** As many looks as it takes until nothing more comes of them, and the recovery of what does not run though it should. */
export async function settled(world: StallWorld, window: Window): Promise<void> {
  const { controller, process } = window;
  await process.run(async () => {
    for (let look = 0; look < 4; look += 1) {
      await looked(window);
      // What is ended beside the look.
      while (world.lockedKeys().length > 0) await new Promise(setImmediate);
      for (const { id, desired, status } of controller.listInstances())
        if (desired === 'running' && status !== 'running') await controller.recoverInstance(id).catch(() => {});
    }
    await controller.registry.flush();
  });
}
