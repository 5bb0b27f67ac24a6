import { AsyncResource } from 'node:async_hooks';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { Provider } from '../../src/model/provider.ts';
import { contentOf, fill, MemoryCarrier } from '../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../fakes/memoryKeeper.ts';
import { MemoryLease, ObserverSeat } from '../fakes/memoryLease.ts';
import { type MemoryCall, MemoryPlace } from '../fakes/memoryPlace.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';
import { MemoryDisk } from '../fakes/memoryStore.ts';
import { MemoryVault, memorySwarm } from '../fakes/memorySwarm.ts';
import { StallingWindow } from './stallingWindow.ts';
import { LockTable, WindowLocks } from './windowLocks.ts';

export type PlaceName = 'here' | 'there';
export const placeNames = ['here', 'there'] as const;

export const homeText = 'uncommitted and untracked work';

const changing: ReadonlySet<MemoryCall> = new Set([
  ...(['createInstance', 'startInstance', 'stopInstance', 'deleteInstance', 'updateInstance'] as const),
  ...(['recreateInstance', 'trashInstance', 'restoreInstance', 'prepareIncoming', 'setRole', 'transfer'] as const),
]);

/** As a window reaches a place: what changes something there is refused once its lock is lost (semantics 44). */
function reached(place: MemoryPlace): MemoryPlace {
  const pass: MemoryPlace['pass'] = (providerId, call, ctx, work) =>
    place.pass(providerId, call, ctx, () => {
      if (!changing.has(call)) return work();
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

/** A window on the world. */
export interface Window {
  readonly process: StallingWindow;
  readonly controller: SwarmController;
  readonly lease: MemoryLease;
}

/** Two places, the archive, and the state of a swarm: what all windows share. */
export class StallWorld {
  readonly places = { here: new MemoryPlace(), there: new MemoryPlace() };
  readonly archive = new MemoryKeeper();
  readonly vault = new MemoryVault();
  readonly instances = new MemoryDisk();
  readonly migrations = new MemoryDisk();
  readonly snapshots = new MemoryDisk();
  /** The most servers of one instance that have run at once. */
  mostRunning = 0;
  readonly #others = { healthDisk: new MemoryDisk(), providerDisk: new MemoryDisk(), timeDisk: new MemoryDisk() };
  readonly #table = new LockTable();
  readonly #seat = new ObserverSeat();
  readonly #windows: Window[] = [];

  constructor() {
    const { here, there } = this.places;
    for (const place of [here, there]) {
      place.changed.event(() => {
        for (const id of new Set([...here.instances.keys(), ...there.instances.keys()])) {
          const running = [here, there].filter(({ instances }) => instances.get(id)?.running).length;
          this.mostRunning = Math.max(this.mostRunning, running);
        }
      });
    }
  }

  async open(): Promise<Window> {
    const process = new StallingWindow(window => this.#table.holds(window));
    const lease = new MemoryLease(this.#seat);
    const { controller } = await process.run(async () => {
      const made = memorySwarm({
        ...{ disk: this.instances, migrationDisk: this.migrations, snapshotDisk: this.snapshots, ...this.#others },
        ...{ vault: this.vault, lease, locks: new WindowLocks(this.#table, process), homeKeeper: this.archive },
        providers: placeNames.map(id => new MemoryProvider(reached(this.places[id]), { id })),
        ...{ homes: new MemoryCarrier(), defaultProviderType: 'here', health: { enabled: false } },
      });
      await made.controller.initialize();
      await made.controller.refresh();
      return made;
    });
    const window = { process, controller, lease };
    this.#windows.push(window);
    return window;
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
  }

  lockedKeys(): string[] {
    return this.#table.keys();
  }

  /** What is there of an instance, without any window. */
  seen(place: PlaceName, id: string) {
    const instance = this.places[place].instances.get(id);
    return { role: instance?.role, running: instance?.running ?? false, home: contentOf(this.#outside(place), id) };
  }

  fill(place: PlaceName, id: string, text = homeText): void {
    fill(this.#outside(place), id, text);
  }

  #outside(place: PlaceName): Provider {
    return new MemoryProvider(this.places[place]);
  }
}

/** As many looks at each place as it takes until nothing more comes of them, and what the observer does about them. */
export async function settled({ controller, process }: Window): Promise<void> {
  await process.run(async () => {
    for (let look = 0; look < 4; look += 1) {
      await controller.refresh();
      await controller.migrations.settleAll();
      for (const provider of controller.providers.all()) {
        const seen = new Map((await provider.abilities.observe()).map(observation => [observation.id, observation]));
        await controller.migrations.settleStrays(provider, seen);
      }
      for (const { id, desired, status } of controller.listInstances())
        if (desired === 'running' && status !== 'running') await controller.recoverInstance(id);
    }
    await controller.registry.flush();
  });
}
