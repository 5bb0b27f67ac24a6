import { type Act, acts } from './acts.ts';
import {
  after,
  afterCutOff,
  afterFailed,
  changedSince,
  failing,
  isAway,
  kept,
  migrated,
  type Prepare,
  running,
  stopped,
  trashed,
  unknownAt,
  where,
} from './preparations.ts';
import type { Scene } from './scenes.ts';
import { ourSwarm, type StallWorld, type Window } from './stallWorld.ts';

const core = 'src/core';
const lifecycle = `${core}/instanceLifecycle.ts`;
const run = `${core}/migration/migrationRun.ts`;
const snapshots = `${core}/snapshots/snapshotManager.ts`;
const pivoted = `${run} follow: this.#world.book.read(`;

const settled = (name: string, prepare: Prepare, removes?: Act['removes']): Scene => ({
  ...{ ...acts.look, name, prepare },
  ...(removes && { removes }),
});

/** What is not there yet when its window ends. */
const creating =
  (act: Act, beginning: string): Scene['prepare'] =>
  async (window, world) => {
    await afterCutOff(async () => ({ id: '' }), act, beginning)(window, world);
    return {};
  };

const reachable = (world: StallWorld) => {
  world.places.here.unreachable = false;
};

/** By a window that knows that a place is away. */
const failOver: Act = {
  ...acts.failOver,
  do: async (window, id) => {
    await window.controller.refresh();
    return acts.failOver.do(window, id);
  },
};

/** Deleted for good while its old copy could not be reached. */
const purgedElsewhere = where(after(isAway(migrated), acts.purge), reachable);

const overtaken = where(afterCutOff(running, acts.migrate, pivoted), (world, id) => world.raiseEpoch(id, 9));

const resetCutOff = afterCutOff(changedSince, acts.reset, `${core}/snapshots/homeKeeper.ts bringBack: Promise.all(`);

/** Ours, with its removal begun, and no record. */
const begunRemoval = async (_: Window, world: StallWorld) => {
  const id = await unknownAt(world, ourSwarm);
  const there = world.places.here.instances.get(id);
  if (there) there.role = 'removing';
  return {};
};

/** What windows have left undone, and others end. */
export const cutOffScenes: readonly Scene[] = [
  { ...acts.look, name: 'end a create', prepare: creating(acts.create, `${lifecycle} #make: givenTo(`) },
  { ...acts.look, name: 'end a first start', prepare: creating(acts.createFilled, `${lifecycle} #setUp: setUpWork`) },
  { ...acts.stop, name: 'stop a first start', prepare: creating(acts.createFilled, `${lifecycle} #setUp: setUpWork`) },
  settled('end a start', afterCutOff(stopped, acts.start, `${lifecycle} #transition: this.#intend(`)),
  settled('see a start cut off', afterCutOff(stopped, acts.start, `${lifecycle} #transition: call(`)),
  settled('end a stop', afterCutOff(running, acts.stop, `${lifecycle} #transition: this.#intend(`)),
  settled('end a delete', afterCutOff(running, acts.trash, `${lifecycle} trash: getTwice(`)),
  settled('end a restore', afterCutOff(trashed, acts.restore, `${lifecycle} call: provider.abilities.hasHome(`)),
  settled('end a removal', afterCutOff(running, acts.purge, `${lifecycle} remove: this.#forgetElsewhere(`), 'instance'),
  settled('end an update', afterCutOff(running, acts.rename, `${lifecycle} update: this.#vault.read(`)),
  settled('end a reset', resetCutOff),
  {
    ...settled(
      'end a reset, its snapshot gone',
      where(resetCutOff, world => world.forgetSnapshots()),
      'copy',
    ),
    fails: true,
  },
  settled('end a snapshot', afterCutOff(running, acts.keep, `${snapshots} #take: keeper.keep(`)),
  settled('take a migration back', afterCutOff(running, acts.migrate, `${run} create-target: carrier.copy(`)),
  settled('end a migration', afterCutOff(running, acts.migrate, pivoted)),
  { ...acts.start, name: 'start what is half migrated', prepare: afterCutOff(stopped, acts.migrate, pivoted) },
  settled('see a migration overtaken', overtaken),
  settled('end a roll-back', afterCutOff(migrated, acts.rollBack, `${run} #settleRollBack: this.#park(`)),
  settled('end a roll-back, the other away', after(where(migrated, failing('there', 'setRole')), acts.rollBack)),
  settled(
    'end a clean-up',
    afterCutOff(migrated, acts.cleanUp, `${core}/migration/parkedCopies.ts remove: book.`),
    'copy',
  ),
  settled('clear what was away', purgedElsewhere, 'instance'),
  settled('clear what is away again', where(purgedElsewhere, failing('here', 'deleteInstance')), 'instance'),
  {
    ...{ ...acts.failOver, name: 'fail over again', fails: true },
    prepare: afterCutOff(isAway(kept), failOver, `${snapshots} #bringBack: keeper.bringBack(`),
  },
  settled(
    'end a failover',
    where(afterCutOff(isAway(kept), failOver, `${snapshots} failOver: target.abilities.setRole(`), reachable),
  ),
  { ...acts.look, name: 'end a begun removal', removes: 'instance', prepare: begunRemoval },
  { ...acts.leave, prepare: afterFailed(where(migrated, failing('there', 'deleteInstance')), acts.purge) },
  { ...acts.removeStray, prepare: where(running, (world, id) => world.strand(id)) },
];
