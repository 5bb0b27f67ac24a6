import { vi } from 'vitest';
import { providerRefused } from '../../../../src/model/errors.ts';
import type { ModelWorld } from './modelWorld.ts';

const minute = 60_000;
const gibibyte = 1024 ** 3;
const placeNames = ['here', 'there'] as const;

type ModelEvent = (world: ModelWorld, id: string) => unknown;

const busy = () => providerRefused('busy', 'Too many requests.', 'Try again later.');
const refused = () => providerRefused('unauthorized', 'The credentials are wrong.', 'Correct them.');
const placeNameOf = (world: ModelWorld, id: string) => world.nameOf(world.placeOf(id));

/** What persons do, each in the window that they look at. */
const commands: Record<string, ModelEvent> = {
  create: world => (world.ids.length < 24 ? world.create(world.ids.length % 4 === 3 ? 'there' : 'here') : undefined),
  'create slowly': world => {
    if (world.ids.length >= 24) return;
    const name = world.ids.length % 4 === 3 ? 'there' : 'here';
    world.slowToCreate(name);
    world.create(name);
  },
  start: (world, id) => world.ask('start', id, controller => controller.startInstance(id)),
  stop: (world, id) => world.ask('stop', id, controller => controller.stopInstance(id)),
  restart: (world, id) => world.ask('restart', id, controller => controller.restartInstance(id)),
  update: (world, id) => {
    world.witness.reset(id);
    const metadata = { at: String(Date.now()) };
    return world.ask('update', id, controller => controller.updateInstance(id, { metadata }));
  },
  delete: (world, id) => {
    // A create that is cancelled leaves nothing.
    if (world.stateOf(id) === 'creating') world.witness.letGo(id);
    return world.ask('delete', id, controller => controller.deleteInstance(id));
  },
  restore: (world, id) => world.ask('restore', id, controller => controller.restoreInstance(id)),
  purge: (world, id) => {
    world.witness.letGo(id);
    return world.ask('purge', id, controller => controller.purgeInstance(id));
  },
  'recover by restart': (world, id) => world.ask('recover', id, () => world.window.recover(id, 'restart')),
  'recover by recreate': (world, id) => world.ask('recover', id, () => world.window.recover(id, 'recreate')),
  migrate: (world, id) => world.ask('migrate', id, () => world.window.recover(id, 'migrate')),
  'roll back': (world, id) => {
    const [last] = world.migrations(id).filter(({ parkedUntil }) => parkedUntil !== undefined);
    return last && world.ask('roll back', id, controller => controller.migrations.rollBack(last.id));
  },
  pause: (world, id) => world.ask('pause', id, controller => controller.pauseMonitoring(id, true)),
  resume: (world, id) => world.ask('resume', id, controller => controller.pauseMonitoring(id, false)),
  reset: (world, id) => {
    world.witness.reset(id);
    return world.ask('reset', id, controller => controller.resetCrashLoop(id));
  },
  check: (world, id) => world.ask('check', id, controller => controller.checkInstanceHealth(id)),
  'adopt all': world =>
    world.ask('adopt', undefined, controller =>
      Promise.all(
        controller
          .listFound()
          .map(({ providerId, observation }) => controller.adoptInstance(providerId, observation.id)),
      ),
    ),
};

/** What becomes of single instances. */
const failures: Record<string, ModelEvent> = {
  crash: (world, id) => world.placeOf(id).crash(id),
  'out of memory': (world, id) => {
    world.witness.begin(`${id} out-of-memory`);
    return world.placeOf(id).runOutOfMemory(id);
  },
  'bad image': (world, id) => {
    world.witness.begin(`${id} bad-config`);
    return world.placeOf(id).crash(id, 'its image cannot be run', 'bad-config');
  },
  hang: (world, id) => world.placeOf(id).unresponsive(id),
  'answer 500': (world, id) => world.placeOf(id).unresponsive(id, 'answered 500', 'recreate'),
  'deaf for good': (world, id) => world.placeOf(id).unresponsive(id, 'refused the connection', 'none'),
  'hears again': (world, id) => world.placeOf(id).responsive(id),
  'lose server': (world, id) => world.placeOf(id).loseServer(id),
  'lose home': (world, id) => {
    world.witness.letGo(id);
    world.witness.begin(`${id} homeless`);
    return world.placeOf(id).loseHome(id);
  },
  'disk full': (world, id) => void world.placeOf(id).usage.set(id, { diskUsedBytes: 10 * gibibyte }),
  'disk has room': (world, id) => void world.placeOf(id).usage.delete(id),
};

/** What becomes of the place where an instance lives. */
const outages: Record<string, ModelEvent> = {
  'all crash': async (world, id) => {
    const name = placeNameOf(world, id);
    const { watched, failing } = world.witness.ward(name);
    if (failing.length === 0 && watched.length >= 3) world.witness.begin(`${name} suspect`);
    for (const { id: each } of watched) await world.places[name].crash(each);
  },
  'list nothing': (world, id) => world.placeOf(id).freezeList([]),
  'list again': (world, id) => world.placeOf(id).thawList(),
  'forget all': (world, id) => world.forgetAll(placeNameOf(world, id)),
  'remember all': (world, id) => world.rememberAll(placeNameOf(world, id)),
  'provider down': (world, id) => world.down(placeNameOf(world, id)),
  'provider up': (world, id) => world.up(placeNameOf(world, id)),
  'all down': world => {
    for (const name of placeNames) world.down(name);
  },
  'all up': world => {
    for (const name of placeNames) world.up(name);
  },
  'too many requests': (world, id) => world.placeOf(id).failNext('observe', busy()),
  'wrong credentials': (world, id) => world.placeOf(id).failNext('observe', refused()),
  'failing start': (world, id) => world.placeOf(id).failNext('startInstance', busy()),
  'lost start reply': (world, id) => world.placeOf(id).loseReply('startInstance'),
  'failing create': (world, id) => world.placeOf(id).failNext('createInstance', busy()),
  'lost create reply': (world, id) => world.placeOf(id).loseReply('createInstance'),
  'failing delete': (world, id) => world.placeOf(id).failNext('deleteInstance', busy()),
  'lost delete reply': (world, id) => world.placeOf(id).loseReply('deleteInstance'),
  slow: (world, id) => world.slow(placeNameOf(world, id)),
  quick: (world, id) => world.quick(placeNameOf(world, id)),
};

/** What becomes of the windows, and of the machine. */
const upheavals: Record<string, ModelEvent> = {
  'window restart': world => world.reopen('close'),
  'window killed': world => world.reopen('kill'),
  'second window': world => (world.windows.length < 2 ? world.open() : undefined),
  'window closed': async world => {
    if (world.windows.length > 1) await world.windows.pop()?.close();
  },
  'lease lost': world => {
    if (world.seat.waiting.size > 0) world.seat.pass();
  },
  'state lost': world => world.loseState(),
  'identity lost': world => world.loseState(world.swarmId.replace(/^a/, 'b')),
  'clock forward': () => void vi.setSystemTime(Date.now() + 60 * minute),
  'clock back': () => void vi.setSystemTime(Date.now() - 60 * minute),
  nothing: () => {},
};

export const modelEvents: Readonly<Record<string, ModelEvent>> = { ...commands, ...failures, ...outages, ...upheavals };
