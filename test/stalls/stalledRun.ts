import { nextAct } from '../../src/core/migration/migrationSteps.ts';
import { messageOf, SwarmError } from '../../src/model/errors.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import { Migration } from '../../src/model/migration.ts';
import type { Act, Told } from './acts.ts';
import type { Scene } from './scenes.ts';
import type { Stall, StallingWindow } from './stallingWindow.ts';
import { StallWorld, settled, type Window } from './stallWorld.ts';
import { faultsOf, recordsOf } from './wholeWorld.ts';

/** Milliseconds in which every window must have come to an end. */
const patience = 30_000;
/** Turns of the event loop in which a window that goes on comes as far as it can. */
const turns = 30;

/** When the window that stood still goes on: once the other one has acted, or while that is about to change something. */
export type Waking = 'after' | 'within';

/** The points that an act comes to, undisturbed. */
export async function pointsOf(scene: Scene): Promise<StallingWindow['reached']> {
  const world = new StallWorld();
  try {
    const window = await world.open();
    const told = await window.process.run(() => scene.prepare(window, world));
    await window.process.act(async () => scene.do(window, idOf(window, told), world)).catch(() => {});
    await world.quiet(window);
    window.process.endAct();
    return window.process.reached;
  } finally {
    await world.dispose();
  }
}

export interface StalledRun {
  /** What came of the acts: `done`, or the code of why not. */
  readonly ends: readonly [first: string, second: string];
  readonly faults: readonly string[];
}

/** A window is stopped in the middle of an act for longer than its locks last; another one acts, and it goes on then. */
export async function stalledRun(scene: Scene, stall: Stall, act: Act, waking: Waking): Promise<StalledRun> {
  const world = new StallWorld();
  try {
    const first = await world.open();
    const told = await first.process.run(() => scene.prepare(first, world));
    const second = await world.open();
    const stopped = Promise.withResolvers<void>();
    let wasLocked = false;
    const stop = () => {
      wasLocked = first.process.reached.at(-1)?.locked ?? false;
      world.expire(first);
      stopped.resolve();
    };
    const acting = first.process.act(async () => scene.do(first, idOf(first, told), world), stall, stop);
    const firstEnd = endOf(acting.finally(() => world.quiet(first)));
    await Promise.race([stopped.promise, firstEnd]);
    const wasStopped = first.process.isFrozen;
    if (waking === 'within') {
      second.beforeChange = async () => {
        second.beforeChange = async () => {};
        world.wake(first);
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      };
    }
    const otherAct = second.process.run(async () => act.do(second, idOf(second, told), world));
    const secondEnd = await inTime('the other window', endOf(otherAct));
    const wanted = isMigrating(world) ? 'what the migration says' : wantedOf(world, told);
    world.wake(first);
    const ends = [await inTime('the window that stood still', firstEnd), secondEnd] as const;
    first.process.endAct();
    const wantedThen = wantedOf(world, told);
    for (const place of Object.values(world.places)) place.unreachable = false;
    await first.process.run(() => first.controller.registry.flush());
    await inTime('settling', settled(world, second));
    const mayBeGone = told.id === undefined || [scene, act].some(({ removes }) => removes === 'instance');
    const isThere = recordsOf(world.instances, InstanceRecord).some(({ id }) => id === told.id);
    return {
      ends,
      faults: [
        ...(wasStopped ? [] : ['it never came there']),
        ...(wasLocked && isOther(wanted, wantedThen) ? [`wanted was ${wanted}, and is ${wantedThen}`] : []),
        ...(mayBeGone || isThere ? [] : ['it is gone']),
        ...(await faultsOf(world, [first, second], { scene, act })),
      ],
    };
  } catch (error) {
    return { ends: ['?', '?'], faults: [messageOf(error)] };
  } finally {
    await world.dispose();
  }
}

const idOf = ({ controller }: Window, { id }: Told): string =>
  id ?? controller.listInstances()[0]?.id ?? 'nothing00000';

/** A removal may have come to its end, and what was only forgotten be found again. */
const isOther = (wanted: string, then: string) =>
  !(wanted === then || (wanted.startsWith('absent') && then === 'nothing') || /^(nothing|what)/.test(wanted));

const isMigrating = (world: StallWorld) =>
  recordsOf(world.migrations, Migration).some(migration => nextAct(migration) !== 'nothing');

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
