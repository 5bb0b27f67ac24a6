import { messageOf, SwarmError } from '../../src/model/errors.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import type { Act, Scene, Told } from './scenes.ts';
import type { Stall, StallingWindow } from './stallingWindow.ts';
import { StallWorld, settled } from './stallWorld.ts';
import { faultsOf, recordsOf } from './wholeWorld.ts';

/** Milliseconds in which every window must have come to an end. */
const patience = 10_000;

/** The points that an act comes to, undisturbed. */
export async function pointsOf(scene: Scene): Promise<StallingWindow['reached']> {
  const world = new StallWorld();
  try {
    const window = await world.open();
    const told = await window.process.run(() => scene.prepare(window, world));
    await window.process.act(() => scene.do(window, told, world)).catch(() => {});
    window.process.endAct();
    return window.process.reached;
  } finally {
    await world.dispose();
  }
}

export interface StalledRun {
  /** Whether it came to the point at which it was to be stopped. */
  readonly wasStopped: boolean;
  /** What came of the acts: `done`, or the code of why not. */
  readonly ends: readonly [first: string, second: string];
  readonly faults: readonly string[];
}

/** A window is stopped in the middle of an act for longer than its locks last; another one acts, and it goes on then. */
export async function stalledRun(scene: Scene, stall: Stall, act: Act): Promise<StalledRun> {
  const world = new StallWorld();
  try {
    const first = await world.open();
    const told = await first.process.run(() => scene.prepare(first, world));
    const second = await world.open();
    const stopped = Promise.withResolvers<void>();
    let wasLocked = false;
    const firstEnd = endOf(
      first.process.act(
        () => scene.do(first, told, world),
        stall,
        () => {
          wasLocked = first.process.reached.at(-1)?.locked ?? false;
          world.expire(first);
          stopped.resolve();
        },
      ),
    );
    await Promise.race([stopped.promise, firstEnd]);
    const wasStopped = first.process.isFrozen;
    const secondEnd = await inTime(
      'the other window',
      endOf(second.process.run(async () => act.do(second, told, world))),
    );
    const wanted = wantedOf(world, told);
    world.wake(first);
    const ends = [await inTime('the window that stood still', firstEnd), secondEnd] as const;
    first.process.endAct();
    const wantedThen = wantedOf(world, told);
    await inTime('settling', settled(second));
    const mayBeGone = scene.removes || act.removes;
    return {
      ...{ wasStopped, ends },
      faults: [
        ...(wasLocked && wanted !== wantedThen ? [`wanted was ${wanted}, and is ${wantedThen}`] : []),
        ...(mayBeGone || recordsOf(world.instances, InstanceRecord).some(({ id }) => id === told.id)
          ? []
          : ['it is gone']),
        ...faultsOf(world, [first, second]),
      ],
    };
  } finally {
    await world.dispose();
  }
}

/** What a person's last word was, as far as the record says. */
const wantedOf = (world: StallWorld, { id }: Told): string => {
  const record = recordsOf(world.instances, InstanceRecord).find(each => each.id === id);
  return record ? `${record.desired} "${record.wanted?.name ?? record.config.name}"` : 'nothing';
};

const endOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof SwarmError ? error.code : `unexpected: ${messageOf(error)}`),
  );

function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} has not come to an end`)), patience);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
