import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { ObservedTime } from '../../../../src/core/observedTime.ts';
import type { SwarmController } from '../../../../src/core/swarmController.ts';
import { Migration } from '../../../../src/model/migration.ts';
import { momentOf } from '../../../../src/model/observedMoment.ts';
import { ObservedTimeRecord, observedTimeId } from '../../../../src/model/observedTimeRecord.ts';
import type { OperationContext } from '../../../../src/model/operationContext.ts';
import type { Provider } from '../../../../src/model/provider.ts';
import { FileLock } from '../../../../src/storage/fileLock.ts';
import { JsonFileStore } from '../../../../src/storage/jsonFileStore.ts';
import { contentOf, fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../../../fakes/memoryKeeper.ts';
import { type MemoryCall, MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import { MortalLife } from './mortalLife.ts';

/** Where the disk is not waited for: these processes are not killed by a loss of power. */
export const quick = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export type PlaceName = 'here' | 'there';

export const idOfSwarm = (swarm: string) => swarm.padEnd(16, '0');

export const homeText = 'uncommitted and untracked work';
export const halfText = 'a half of what was to be';

const looking: readonly MemoryCall[] = ['initialize', 'observe', 'describe', 'getInstance', 'listInstances', 'hasHome'];

/** As a process reaches a place: what changes something there may be the last that it does. */
function reached(place: MemoryPlace, life: MortalLife): MemoryPlace {
  const pass: MemoryPlace['pass'] = async (providerId, call, ctx, work) => {
    if (!looking.includes(call) || life.isOver) await life.moment(`${providerId}: ${call}`);
    return place.pass(providerId, call, ctx, work);
  };
  return new Proxy(place, {
    get: (target, key) => {
      if (key === 'pass') return pass;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The archive of all homes, as a process reaches it. A home that is brought back is a half one for a while. */
class MortalKeeper extends MemoryKeeper {
  readonly #life: MortalLife;

  constructor(kept: Map<string, string>, life: MortalLife) {
    super();
    this.#life = life;
    this.kept = kept;
  }

  override readonly kept: Map<string, string>;

  override async keep(...asked: Parameters<MemoryKeeper['keep']>) {
    await this.#life.moment('archive: keep');
    return super.keep(...asked);
  }

  override async bringBack(provider: Provider, instanceId: string, snapshotId: string, ctx: OperationContext) {
    await this.#life.moment('archive: begin to bring back');
    if (this.kept.has(snapshotId)) fill(provider, instanceId, halfText);
    await this.#life.moment('archive: bring back');
    return super.bringBack(provider, instanceId, snapshotId, ctx);
  }

  override async forget(ids: readonly string[]) {
    for (const id of ids) {
      await this.#life.moment('archive: forget');
      await super.forget([id]);
    }
  }
}

/** A window on the world: a process with its controller. */
export interface KilledWindow {
  readonly controller: SwarmController;
  readonly time: ObservedTime;
  readonly directory: string;
  readonly life: MortalLife;
}

/** Two places, the archive and the files of swarms: what outlives every process. */
export class KilledWorld {
  readonly places = { here: new MemoryPlace(), there: new MemoryPlace() };
  readonly kept = new Map<string, string>();
  /** The most servers of one instance that have run at once. */
  mostRunning = 0;
  readonly #scratch: string;
  #windows: KilledWindow[] = [];

  private constructor(scratch: string) {
    this.#scratch = scratch;
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

  /** `parent` is to be removed when all is over: what a process writes in its last moment may come late. */
  static async make(parent: string): Promise<KilledWorld> {
    return new KilledWorld(await mkdtemp(path.join(parent, 'world-')));
  }

  directory(swarm: string): string {
    return path.join(this.#scratch, swarm);
  }

  /** `swarm` names the state directory, and the swarm; a directory that was moved has the id of another one. */
  async open(diesAt = 0, swarm = 'ada', swarmId = idOfSwarm(swarm)): Promise<KilledWindow> {
    const life = new MortalLife(diesAt);
    const directory = this.directory(swarm);
    const homes = new MemoryCarrier();
    homes.step = () => life.moment('carrier');
    const { controller, time } = await life.run(async () => {
      const made = memorySwarm({
        ...{ directory, swarmId, locks: new FileLock(path.join(directory, 'locks')) },
        providers: (['here', 'there'] as const).map(id => new MemoryProvider(reached(this.places[id], life), { id })),
        ...{ homes, homeKeeper: new MortalKeeper(this.kept, life), defaultProviderType: 'here' },
        ...{ health: { enabled: false }, autoSaveSeconds: 1 },
      });
      await made.controller.initialize();
      await made.controller.refresh();
      return made;
    });
    const window = { controller, time, directory, life };
    this.#windows.push(window);
    return window;
  }

  /** After whoever was at it has ended: its locks are nobody's any more. */
  async endAll(): Promise<void> {
    for (const { life } of this.#windows) life.end();
    this.#windows = [];
    for (const swarm of ['ada', 'bob', 'moved']) {
      for (const folder of ['', 'instances', 'migrations', 'snapshots', 'health', 'providers']) {
        await rm(path.join(this.directory(swarm), folder, 'locks'), { recursive: true, force: true });
      }
    }
  }

  async remove(): Promise<void> {
    await this.endAll();
    await rm(this.#scratch, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Ada's swarm has been observed for so many milliseconds, and kept so long what is parked, for the next process. */
  async observeFor(milliseconds: number): Promise<void> {
    await this.endAll();
    const folder = (name: string) => path.join(this.directory('ada'), name);
    const record = { id: observedTimeId, schemaVersion: 1, revision: 0, milliseconds: momentOf(milliseconds) } as const;
    await new JsonFileStore(folder('observed-time'), ObservedTimeRecord, 1).update(observedTimeId, () => record);
    const migrations = new JsonFileStore(folder('migrations'), Migration, 1);
    for (const { id } of (await migrations.load()).records)
      await migrations.update(id, current => current && { ...current, keptSince: momentOf(0) });
  }

  copyState(from: string, to: string): Promise<void> {
    return cp(this.directory(from), this.directory(to), { recursive: true });
  }

  /** What is there of an instance, without any window. */
  seen(place: PlaceName, id: string) {
    const instance = this.places[place].instances.get(id);
    const home = contentOf(new MemoryProvider(this.places[place]), id);
    return { role: instance?.role, running: instance?.running ?? false, home };
  }

  fill(place: PlaceName, id: string, text = homeText): void {
    fill(new MemoryProvider(this.places[place]), id, text);
  }
}

/** As many looks at each place as it takes until nothing more comes of them. */
export async function settled({ controller, life }: KilledWindow): Promise<void> {
  await life.run(async () => {
    for (let look = 0; look < 4; look += 1) {
      await controller.refresh();
      await controller.migrations.settleAll();
      await controller.snapshots.settle();
      for (const provider of controller.providers.all()) {
        const seen = new Map((await provider.abilities.observe()).map(observation => [observation.id, observation]));
        await controller.migrations.settleStrays(provider, seen);
      }
    }
  });
}
