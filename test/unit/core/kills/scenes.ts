import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { expect } from 'vitest';
import { isKeeping } from '../../../../src/core/migration/migrationSteps.ts';
import { parkedTime, timeLeft, trashTime } from '../../../../src/core/retention.ts';
import type { InstanceRecord } from '../../../../src/model/instance.ts';
import { momentOf } from '../../../../src/model/observedMoment.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { readClaim } from '../../../../src/storage/fileStateClaim.ts';
import { moveState, settleMove } from '../../../../src/storage/moveState.ts';
import { testMachine } from '../../../fakes/testMachine.ts';
import { homeText, idOfSwarm, type KilledWindow, type KilledWorld, settled } from './killedWorld.ts';

/** An operation, each of whose changes of the world is the last one of the process that carries it out. */
export interface Scene {
  readonly name: string;
  /** Who carries it out, if that is not Ada. */
  readonly swarm?: string;
  /** Makes what is to be acted on, and answers with what the act is told. */
  prepare(world: KilledWorld): Promise<string>;
  act(window: KilledWindow, told: string, world: KilledWorld): Promise<unknown>;
  /** Opens the swarm anew, where that is not as it was opened before. */
  reopen?(world: KilledWorld): Promise<KilledWindow>;
  /** What came of it, in one word, once a new process has settled it; rejects where the world is not whole. */
  outcome(window: KilledWindow, told: string, world: KilledWorld): Promise<string>;
}

/** Of what was kept before: less than the time that the tests take must not be left. */
const nearlyOver = 600_000;
const laterText = 'what was done since';

const create = async (world: KilledWorld, swarm = 'ada') => {
  const { controller } = await world.open(0, swarm);
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  world.fill('here', id);
  return { controller, id };
};

/** One record, which can be read, and says what is so at its place; nothing anywhere else. */
async function wholeAt(window: KilledWindow, world: KilledWorld, id: string) {
  const record = await window.controller.registry.readInstance(id);
  const place = record.providerId === 'there' ? 'there' : 'here';
  const seen = world.seen(place, id);
  expect({ role: record.role, running: record.status === 'running' }).toEqual({
    role: seen.role,
    running: seen.running,
  });
  expect(record.error).toBeUndefined();
  return { record, seen, other: world.seen(place === 'here' ? 'there' : 'here', id) };
}

/** What it was asked to be, or, of an act that came to nothing, what it was before. */
const startedOrNot: Scene['outcome'] = async (window, id, world) => {
  const { record, seen } = await wholeAt(window, world, id);
  expect(record.status).toBe(record.desired);
  expect(seen).toMatchObject({ role: 'owner', home: homeText });
  return record.status;
};

const nothing = { role: undefined, running: false, home: undefined };

/** What has just been put aside stays for its time, but for what a window may have counted and not written. */
function expectWholeTime({ time }: KilledWindow, keptSince: number | undefined, length: number): void {
  const now = time.now();
  if (now === undefined) throw new Error('Nothing is observed.');
  expect(timeLeft(keptSince, length, now)).toBeGreaterThanOrEqual(length - 3_600_000);
}

const move = {
  entries: ['swarm.json', 'instances', 'health', 'providers', 'migrations', 'snapshots', 'observed-time'],
  machine: testMachine,
};

/** A state that is moved, and opened anew at its one place, when `first` of the two directories was opened before. */
const moveScene = (first: 'new' | 'old'): Scene => ({
  name: `move of the state directory, then the ${first} one is opened`,
  prepare: async world => {
    const { controller, id } = await create(world);
    await controller.snapshots.takeSnapshot(id, quietContext);
    const identity = JSON.stringify({ schemaVersion: 1, swarmId: idOfSwarm('ada') });
    await writeFile(path.join(world.directory('ada'), 'swarm.json'), identity);
    return id;
  },
  act: async ({ controller, directory }, _id, world) => {
    await controller.dispose();
    await moveState(move, directory, world.directory('moved'), quietContext);
  },
  reopen: async world => {
    const [from, to] = [world.directory('ada'), world.directory('moved')];
    await settleMove(move, first === 'new' ? to : from, quietContext);
    if (readClaim(from)?.moving?.done) await settleMove(move, to, quietContext);
    const has = (directory: string) => existsSync(path.join(directory, 'swarm.json'));
    expect([has(from), has(to)].filter(Boolean)).toHaveLength(1);
    return world.open(0, has(to) ? 'moved' : 'ada', idOfSwarm('ada'));
  },
  outcome: async (window, id, world) => {
    const { record, seen } = await wholeAt(window, world, id);
    expect(record).toMatchObject({ status: 'running', swarmId: idOfSwarm('ada') });
    expect(seen.home).toBe(homeText);
    expect(window.controller.snapshots.listSnapshots(id)).toHaveLength(1);
    expect(window.controller.listFound()).toEqual([]);
    return window.directory === world.directory('moved') ? 'moved' : 'as it was';
  },
});

export const scenes: readonly Scene[] = [
  {
    name: 'start',
    prepare: async world => {
      const { controller, id } = await create(world);
      return (await controller.stopInstance(id)).id;
    },
    act: ({ controller }, id) => controller.startInstance(id),
    outcome: startedOrNot,
  },
  {
    name: 'start of what an update is left of',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.stopInstance(id);
      const again = (current: InstanceRecord) => ({ ...current, wanted: { ...current.config, ports: [8080] } });
      return (await controller.registry.updateInstance(id, again)).id;
    },
    act: ({ controller }, id) => controller.startInstance(id),
    outcome: startedOrNot,
  },
  {
    name: 'stop',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.stopInstance(id),
    outcome: startedOrNot,
  },
  {
    name: 'restart',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.restartInstance(id),
    outcome: startedOrNot,
  },
  {
    name: 'making anew',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.recoverInstance(id, 'recreate'),
    outcome: startedOrNot,
  },
  {
    name: 'failover',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.snapshots.takeSnapshot(id, quietContext);
      return id;
    },
    // The machine there is switched off.
    act: async ({ controller }, id, { places: { here } }) => {
      const instance = here.instances.get(id);
      if (instance) await here.halt(instance);
      here.unreachable = true;
      await controller.refresh();
      await controller.snapshots.failOver(id, 'there', quietContext);
    },
    reopen: async world => {
      world.places.here.unreachable = false;
      return world.open();
    },
    outcome: async (window, id, world) => {
      const { record, seen, other } = await wholeAt(window, world, id);
      const isHere = record.providerId === 'here';
      // What ended with its machine, and was left there, is for whoever watches over it.
      expect(record).toMatchObject({ desired: 'running', status: isHere ? 'stopped' : 'running' });
      expect(seen).toMatchObject({ role: 'owner', home: homeText });
      if (isHere) expect(other).toEqual(nothing);
      else expect(other).toEqual({ role: 'parked', running: false, home: homeText });
      return record.providerId;
    },
  },
  {
    name: 'trash',
    // What was in the trash before, and nearly gone, is there anew.
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.deleteInstance(id);
      await controller.registry.updateInstance(id, current => ({ ...current, keptSince: momentOf(0) }));
      await controller.restoreInstance(id);
      await controller.startInstance(id);
      await world.observeFor(trashTime - nearlyOver);
      return id;
    },
    act: ({ controller }, id) => controller.deleteInstance(id),
    outcome: async (window, id, world) => {
      const { record, seen, other } = await wholeAt(window, world, id);
      expect(other).toEqual(nothing);
      expect(seen.home).toBe(homeText);
      expect([`running running`, `trashed trashed`]).toContain(`${record.desired} ${record.status}`);
      if (record.status === 'trashed') {
        expect(record.trashedAt).toBeDefined();
        expectWholeTime(window, record.keptSince, trashTime);
      }
      return record.status;
    },
  },
  {
    name: 'restore',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.deleteInstance(id);
      await controller.registry.updateInstance(id, current => ({ ...current, keptSince: momentOf(0) }));
      await world.observeFor(trashTime - nearlyOver);
      return id;
    },
    act: ({ controller }, id) => controller.restoreInstance(id),
    outcome: async (window, id, world) => {
      const { record, seen } = await wholeAt(window, world, id);
      expect(seen.home).toBe(homeText);
      expect([`stopped stopped`, `trashed trashed`]).toContain(`${record.desired} ${record.status}`);
      if (record.status === 'trashed') return 'trashed';
      // The next time in the trash begins anew.
      const deleted = await window.life.run(() => window.controller.deleteInstance(id));
      expectWholeTime(window, deleted.keptSince, trashTime);
      expect(world.seen('here', id)).toEqual({ role: 'trash', running: false, home: homeText });
      return 'restored';
    },
  },
  {
    name: 'adopt',
    swarm: 'bob',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.adoptInstance('here', id),
    outcome: async (bob, id, world) => {
      const ada = await world.open();
      await settled(ada);
      expect(world.seen('here', id)).toEqual({ role: 'owner', running: true, home: homeText });
      const [hers, his] = [ada, bob].map(({ controller }) => controller.registry.getInstance(id));
      if (his === undefined) {
        expect(bob.controller.listFound()).toHaveLength(1);
        expect(hers).toMatchObject({ status: 'running', desired: 'running' });
        expect(hers?.overruled).toBeUndefined();
        return 'as it was';
      }
      expect(his).toMatchObject({ swarmId: idOfSwarm('bob'), status: 'running', desired: 'running' });
      expect(hers).toMatchObject({ status: 'unknown', overruled: { by: 'another', swarmId: idOfSwarm('bob') } });
      return 'adopted';
    },
  },
  {
    name: 'take a snapshot',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.stopInstance(id);
      return id;
    },
    act: ({ controller }, id) => controller.snapshots.takeSnapshot(id, quietContext),
    outcome: async (window, id, world) => {
      const { seen } = await wholeAt(window, world, id);
      expect(seen.home).toBe(homeText);
      const { snapshots } = window.controller;
      const codes = snapshots.listFailed(id).map(({ error }) => error.code);
      if (snapshots.listSnapshots(id).length > 0) expect(codes).toEqual([]);
      else if (codes.length > 0) expect(codes).toEqual(['snapshot-cut-off']);
      return snapshots.listSnapshots(id).length > 0 ? 'taken' : (codes[0] ?? 'as it was');
    },
  },
  {
    name: 'reset to a snapshot',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.snapshots.takeSnapshot(id, quietContext);
      world.fill('here', id, laterText);
      return id;
    },
    act: ({ controller: { snapshots } }, id) =>
      snapshots.resetToSnapshot(snapshots.listSnapshots(id)[0]?.id ?? '', quietContext),
    outcome: async (window, id, world) => {
      const { record, seen } = await wholeAt(window, world, id);
      expect([...world.kept.values()]).toContain(homeText);
      expect(record.status).toBe(record.desired);
      if (seen.home === homeText) {
        expect([...world.kept.values()]).toEqual([homeText, laterText]);
        expect(record.desired).toBe('running');
        return `reset, ${record.status}`;
      }
      expect(seen.home).toBe(laterText);
      // It is stopped before anything else is done, and stays so when it does not come to that.
      return `as it was, ${record.status}`;
    },
  },
  {
    name: 'restore a snapshot as a new instance',
    prepare: async world => {
      const { controller, id } = await create(world);
      return (await controller.snapshots.takeSnapshot(id, quietContext)).id;
    },
    act: ({ controller }, told) => controller.snapshots.restoreSnapshot(told, 'again', 'there', quietContext),
    outcome: async (window, _told, world) => {
      const made = window.controller.listInstances().filter(({ config }) => config.name === 'again');
      expect(world.places.there.instances.size).toBe(made.length);
      if (made.length === 0) return 'nothing made';
      expect(made).toHaveLength(1);
      const { record, seen } = await wholeAt(window, world, made[0]?.id ?? '');
      expect(seen).toMatchObject({ role: 'owner', home: homeText });
      expect(record).toMatchObject({ desired: 'running', status: 'running' });
      return `made whole, ${record.status}`;
    },
  },
  {
    name: 'forget a snapshot',
    prepare: async world => {
      const { controller, id } = await create(world);
      const { id: told } = await controller.snapshots.takeSnapshot(id, quietContext);
      world.fill('here', id, laterText);
      await controller.snapshots.takeSnapshot(id, quietContext);
      return told;
    },
    act: ({ controller }, told) => controller.snapshots.deleteSnapshot(told, quietContext),
    outcome: async (_window, told, world) => {
      expect([...world.kept.values()]).toContain(laterText);
      return world.kept.has(told) ? 'as it was' : 'forgotten';
    },
  },
  moveScene('new'),
  moveScene('old'),
  {
    name: 'delete permanently',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.purgeInstance(id),
    outcome: purged('running'),
  },
  {
    name: 'expiry of the trash',
    prepare: async world => {
      const { controller, id } = await create(world);
      await controller.snapshots.takeSnapshot(id, quietContext);
      await controller.deleteInstance(id);
      return id;
    },
    act: ({ controller }, id) => controller.purgeInstance(id),
    outcome: purged('trashed'),
  },
  {
    name: 'clean up a parked copy',
    prepare: migrated,
    act: ({ controller }, migrationId) => controller.migrations.cleanUp(migrationId),
    outcome: async (window, migrationId, world) => {
      const { instanceId: id } = window.controller.migrations.getMigrationStatus(migrationId);
      const { record, seen, other } = await wholeAt(window, world, id);
      expect(record).toMatchObject({ providerId: 'there', status: 'running' });
      expect(seen.home).toBe(homeText);
      if (other.role === undefined) {
        expect(other).toEqual(nothing);
        return 'cleaned up';
      }
      expect(other).toEqual({ role: 'parked', running: false, home: homeText });
      return 'parked';
    },
  },
  {
    name: 'roll back a parked copy',
    prepare: async world => {
      const migrationId = await migrated(world);
      await world.observeFor(parkedTime - nearlyOver);
      return migrationId;
    },
    act: ({ controller }, migrationId) => controller.migrations.rollBack(migrationId),
    outcome: async (window, migrationId, world) => {
      const { instanceId: id } = window.controller.migrations.getMigrationStatus(migrationId);
      const { record, seen, other } = await wholeAt(window, world, id);
      expect(seen.home).toBe(homeText);
      expect(other).toEqual({ role: 'parked', running: false, home: homeText });
      // It is stopped before anything else is done, and stays so when it does not come to that.
      if (record.status === 'stopped') expect(record).toMatchObject({ providerId: 'there', desired: 'stopped' });
      else expect(record.status).toBe('running');
      const migration = window.controller.migrations.getMigrationStatus(migrationId);
      expect(isKeeping(migration)).toBe(true);
      if (migration.rolledBackAt !== undefined) expectWholeTime(window, migration.keptSince, parkedTime);
      return record.providerId === 'here' ? 'rolled back' : `as it was, ${record.status}`;
    },
  },
];

/** A home that went has gone whole, and by the act. */
function purged(before: 'running' | 'trashed'): Scene['outcome'] {
  return async (window, id, world) => {
    const { controller } = window;
    if ((await controller.registry.readAll()).length === 0) {
      expect([world.seen('here', id), world.seen('there', id)]).toEqual([nothing, nothing]);
      expect(controller.listFound()).toEqual([]);
      expect(controller.snapshots.listSnapshots()).toEqual([]);
      return 'removed';
    }
    const { record, seen } = await wholeAt(window, world, id);
    expect(record.status).toBe(before);
    expect(seen.home).toBe(homeText);
    return before;
  };
}

async function migrated(world: KilledWorld): Promise<string> {
  const { controller, id } = await create(world);
  const plan = await controller.migrations.createMigrationPlan(id, 'there');
  const { status } = await controller.migrations.startMigration(plan.id);
  expect(status).toBe('completed');
  return plan.id;
}
