import { quietContext } from '../../src/model/operationContext.ts';
import type { HomeTask } from '../../src/model/provider.ts';
import type { MemoryCall } from '../fakes/memoryPlace.ts';
import { type Act, acts, away } from './acts.ts';
import {
  afterFailed,
  changedSince,
  failing,
  isAway,
  kept,
  migrated,
  nothing,
  type Prepare,
  running,
  stopped,
  unknownAt,
  where,
} from './preparations.ts';
import type { Scene } from './scenes.ts';
import { foreignSwarm, type StallWorld, type Window } from './stallWorld.ts';

const failed = (name: string, act: Act, prepare: Scene['prepare']): Scene => ({ ...act, name, prepare, fails: true });

const failingTask = (task: HomeTask) => (world: StallWorld) => void world.failingTasks.push(task);

/** Somebody cancels it when it comes to the call. */
const cancelled = (call: MemoryCall, act: (window: Window, id: string, ctx: typeof quietContext) => Promise<unknown>) =>
  ({
    name: `cancel at ${call}`,
    do: (window, id, world) => {
      const cancel = new AbortController();
      world.places.here.latency = async asked => {
        if (asked !== call) return;
        world.places.here.latency = async () => {};
        cancel.abort();
      };
      return act(window, id, { ...quietContext, signal: cancel.signal });
    },
  }) satisfies Act;

const updateLeft: Prepare = afterFailed(where(stopped, failing('here', 'updateInstance')), acts.rename);
const notMade = async (window: Window, world: StallWorld) => {
  failing('here', 'createInstance')(world);
  await acts.create.do(window).catch(() => {});
  return {};
};

/** Where a place fails, or somebody gives up. */
export const failingScenes: readonly Scene[] = [
  {
    ...cancelled('createInstance', ({ controller }, _, ctx) => controller.createInstance({ name: 'web' }, 'here', ctx)),
    ...{ prepare: nothing, fails: true },
  },
  failed('create, which fails', acts.create, async (_, world) => {
    failing('here', 'createInstance')(world);
    return {};
  }),
  failed('start what was never made', acts.start, notMade),
  failed('stop what was never made', acts.stop, notMade),
  failed('start what is half updated', acts.start, updateLeft),
  failed('start, which fails', acts.start, where(stopped, failing('here', 'startInstance'))),
  failed('rename what was never made', acts.rename, notMade),
  failed('rename, which fails', acts.rename, where(running, failing('here', 'updateInstance'))),
  failed(
    'rename, which is cancelled',
    cancelled('updateInstance', ({ controller }, id, ctx) => controller.updateInstance(id, { name: 'site' }, ctx)),
    running,
  ),
  failed('delete, which fails', acts.trash, where(running, failing('here', 'trashInstance'))),
  failed('delete permanently, which fails', acts.purge, where(running, failing('here', 'deleteInstance'))),
  failed('migrate, which fails', acts.migrate, where(running, failing('there', 'prepareIncoming'))),
  failed(
    'migrate, of which a copy is left',
    acts.migrate,
    where(where(running, failingTask('import')), failing('there', 'deleteInstance')),
  ),
  failed('roll back, the other away', acts.rollBack, where(migrated, failing('there', 'setRole'))),
  failed(
    'clean up, which fails',
    acts.cleanUp,
    where(migrated, (world, id) => void world.places.here.held.set(id, away('here'))),
  ),
  failed('take a snapshot, which fails', acts.keep, where(running, failingTask('export'))),
  failed('take a snapshot again', acts.keep, afterFailed(where(running, failingTask('export')), acts.keep)),
  failed('reset, which fails', acts.reset, where(changedSince, failingTask('import'))),
  failed('restore a snapshot, which fails', acts.restoreSnapshot, where(kept, failingTask('import'))),
  failed('fail over, which fails', acts.failOver, where(isAway(kept), failingTask('import'))),
  failed(
    'fail over what is back',
    acts.failOver,
    where(isAway(kept), world => {
      world.places.here.unreachable = false;
    }),
  ),
  failed(
    'adopt what was never seen',
    { ...acts.adopt, do: ({ controller }) => controller.adoptInstance('here', 'unknown00001') },
    async (_, world) => {
      await unknownAt(world, foreignSwarm);
      return {};
    },
  ),
];
