import type { InstanceConfigInput } from '../../src/model/instance.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import type { MemoryCall } from '../fakes/memoryPlace.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';
import { type Act, acts, away, type Told } from './acts.ts';
import { pointAt } from './allPoints.ts';
import {
  cutOff,
  foreignSwarm,
  homeText,
  ourSwarm,
  type PlaceName,
  type StallWorld,
  type Window,
} from './stallWorld.ts';

/** Makes a world, in the window that is going to act. */
export type Prepare = (window: Window, world: StallWorld) => Promise<{ readonly id: string }>;

export const nothing = async (): Promise<Told> => ({});

export const made =
  (config: Partial<InstanceConfigInput> = {}, secrets: Record<string, string> = {}): Prepare =>
  async ({ controller }, world) => {
    const { id } = await controller.createInstance({ name: 'web', ...config }, 'here', quietContext, secrets);
    world.fill('here', id, homeText);
    return { id };
  };

/** After something that is done to the world. */
export const where =
  (prepare: Prepare, change: (world: StallWorld, id: string, window: Window) => unknown): Prepare =>
  async (window, world) => {
    const { id } = await prepare(window, world);
    await change(world, id, window);
    return { id };
  };

/** After acts, one by one. */
export const after = (prepare: Prepare, ...before: readonly Act[]): Prepare =>
  where(prepare, async (world, id, window) => {
    for (const act of before) await act.do(window, id, world);
  });

/** After an act that is known to fail. */
export const afterFailed = (prepare: Prepare, act: Act): Prepare =>
  where(prepare, (world, id, window) => act.do(window, id, world).catch(() => {}));

/** After an act of a window that ended at a point. */
export const afterCutOff = (prepare: Prepare, act: Act, beginning: string): Prepare =>
  where(prepare, (world, id) => cutOff(world, window => act.do(window, id, world), pointAt(beginning)));

/** Worked on since. */
export const workedOn = (prepare: Prepare, place: PlaceName, text: string): Prepare =>
  where(prepare, (world, id) => world.fill(place, id, text));

/** One call, or one task beside a home, fails there. */
export const failing =
  (place: PlaceName, ...calls: readonly MemoryCall[]) =>
  (world: StallWorld): void => {
    for (const call of calls) world.places[place].failNext(call, away(place));
  };

export const running = made();
export const stopped = after(running, acts.stop);
export const trashed = after(running, acts.trash);
export const kept = after(running, acts.keep);
export const changedSince = workedOn(kept, 'here', 'what was done after the snapshot');
export const migrated = workedOn(after(running, acts.migrate), 'there', 'what was done after the move');

export const isAway: (prepare: Prepare) => Prepare = prepare =>
  where(prepare, async (world, _, { controller }) => {
    world.places.here.unreachable = true;
    await controller.refresh();
  });

/** Made at a place by another window, or in another swarm, of which this one knows nothing. */
export async function unknownAt(world: StallWorld, swarmId: string, id = 'unknown00001'): Promise<string> {
  await new MemoryProvider(world.places.here, { id: 'here' }).createInstance({
    ...{ name: 'theirs', resources: {}, env: {}, secretEnv: [], ports: [], extensions: [], metadata: {}, secrets: {} },
    source: { kind: 'empty' },
    identity: {
      ...{ id, swarmId, epoch: 1, owner: { user: 'bob', machine: 'other' } },
      createdAt: new Date().toISOString(),
    },
  });
  world.fill('here', id, homeText);
  return id;
}

export const foreign = async ({ controller }: Window, world: StallWorld): Promise<Told> => {
  await unknownAt(world, foreignSwarm);
  await controller.refresh();
  return {};
};

export const unknownOfOurs = async (_: Window, world: StallWorld): Promise<Told> => {
  await unknownAt(world, ourSwarm);
  return {};
};

/** The copy that a migration has put aside, in another role, and without the migration. */
export const asideIs = (role: 'owner' | 'incoming' | 'parked', epoch: number): Prepare =>
  where(migrated, async (world, id) => {
    world.forgetMigrations();
    const aside = world.places.here.instances.get(id);
    if (!aside) throw new Error('There is no parked copy.');
    aside.role = role;
    aside.identity = { ...aside.identity, epoch };
  });

/** Its place knows of later changes than the record. */
export const overruled: Prepare = where(running, async (world, id, { controller }) => {
  const there = world.places.here.instances.get(id);
  if (!there) throw new Error('There is no instance.');
  there.identity = { ...there.identity, generation: 5 };
  await controller.refresh();
});
