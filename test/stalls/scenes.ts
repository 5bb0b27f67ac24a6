import { type Act, acts, agent, type Told } from './acts.ts';
import { cutOffScenes } from './cutOffScenes.ts';
import { failingScenes } from './failingScenes.ts';
import {
  after,
  asideIs,
  changedSince,
  foreign,
  isAway,
  kept,
  made,
  migrated,
  nothing,
  overruled,
  type Prepare,
  running,
  stopped,
  trashed,
  unknownOfOurs,
  where,
} from './preparations.ts';
import { foreignSwarm, type StallWorld, type Window } from './stallWorld.ts';

/** An act, and the world that it is done in. */
export interface Scene extends Act {
  /** In the window that acts. */
  prepare(window: Window, world: StallWorld): Promise<Told>;
  /** What of it may be left in the record: its place failed, and says so. */
  readonly fails?: true;
}

const named = (name: string, act: Act, prepare: Scene['prepare']): Scene => ({ ...act, name, prepare });

const lost = (name: string, prepare: Prepare): Scene => ({ ...named(name, acts.look, prepare), fails: true });

/** Servers that somebody has removed. */
const lostServers = (count: number) =>
  where(running, async (world, id, { controller }) => {
    const others: string[] = [];
    for (let other = 1; other < count; other += 1)
      others.push((await controller.createInstance({ name: `other ${other}` }, 'here')).id);
    for (const lost of [id, ...others]) await world.places.here.loseServer(lost);
  });

/** An agent has renamed it, and its name is another one's by now. */
const nameTaken = where(running, async (_, id, { controller }) => {
  const { name } = controller.getInstance(id).config;
  await controller.updateInstance(id, { name: 'junk', env: { A: '2' } }, agent);
  await controller.createInstance({ name }, 'here');
});

export const scenes: readonly Scene[] = [
  { ...acts.create, prepare: nothing },
  { ...acts.createFilled, prepare: nothing },
  { ...acts.start, prepare: stopped },
  { ...acts.stop, prepare: running },
  { ...acts.restart, prepare: running },
  { ...acts.trash, prepare: running },
  { ...acts.restore, prepare: trashed },
  { ...acts.purge, prepare: after(kept, acts.migrate, acts.trash) },
  named('delete permanently what is planned to move', acts.purge, after(running, acts.plan)),
  named('delete permanently, a copy unknown', acts.purge, asideIs('parked', 1)),
  { ...acts.rename, prepare: running },
  { ...acts.update, prepare: made({ secretEnv: ['KEY'] }, { KEY: 'value' }) },
  { ...acts.undoAgents, prepare: after(running, acts.updateByAgent) },
  named('undo what agents changed, the name taken', acts.undoAgents, nameTaken),
  { ...acts.recover, prepare: where(running, (world, id) => world.places.here.crash(id)) },
  { ...acts.recreate, prepare: running },
  { ...named('make anew what was lost', acts.recreate, after(lostServers(1), acts.look, acts.look)), fails: true },
  { ...acts.refuge, prepare: running },
  { ...acts.plan, prepare: after(running, acts.plan) },
  { ...acts.migrate, prepare: running },
  { ...acts.migrateLive, prepare: running },
  { ...acts.cancel, prepare: after(running, acts.plan) },
  { ...acts.rollBack, prepare: migrated },
  { ...acts.cleanUp, prepare: migrated },
  { ...acts.compare, prepare: migrated },
  { ...acts.keep, prepare: after(kept, acts.stop) },
  { ...acts.reset, prepare: changedSince },
  { ...acts.restoreSnapshot, prepare: kept },
  { ...acts.fork, prepare: running },
  { ...acts.forget, prepare: after(kept, acts.keep) },
  named('take an eleventh snapshot', acts.keep, after(running, ...Array<Act>(10).fill(acts.keep))),
  { ...acts.failOver, fails: true, prepare: isAway(kept) },
  named('see an old owner', acts.look, asideIs('owner', 1)),
  named('see a newer owner', acts.look, asideIs('owner', 9)),
  { ...named('see what never arrived', acts.look, asideIs('incoming', 3)), removes: 'copy' },
  named('see a parked copy', acts.look, asideIs('parked', 1)),
  lost('see that a server is lost', lostServers(1)),
  lost('see that most servers are lost', lostServers(4)),
  lost('see that servers are lost still', after(lostServers(3), acts.look)),
  named(
    'see that another swarm has it',
    acts.look,
    where(running, (world, id) => world.give(id, foreignSwarm)),
  ),
  named('see what is ours', acts.look, unknownOfOurs),
  { ...acts.adopt, prepare: foreign },
  { ...acts.takeOver, fails: true, prepare: overruled },
  { ...acts.insist, fails: true, prepare: overruled },
  { ...acts.takeFrom, prepare: where(running, (world, id) => world.runsElsewhere(id)) },
  ...cutOffScenes,
  ...failingScenes,
];
