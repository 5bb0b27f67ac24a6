import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { homeText, type KilledWindow, KilledWorld, settled } from './killedWorld.ts';
import { makeFilesMortal } from './mortalLife.ts';

interface Scene {
  readonly name: string;
  /** Makes what is to be acted on, and answers with what the act is told. */
  prepare(world: KilledWorld): Promise<string>;
  act(window: KilledWindow, told: string, world: KilledWorld): Promise<unknown>;
  /** What came of it, in one word, once a new process has settled it; rejects where the world is not whole. */
  outcome(window: KilledWindow, told: string, world: KilledWorld): Promise<string>;
}

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
const nothing = { role: undefined, running: false, home: undefined };

const scenes: readonly Scene[] = [
  {
    name: 'trash',
    prepare: async world => (await create(world)).id,
    act: ({ controller }, id) => controller.deleteInstance(id),
    outcome: async (window, id, world) => {
      const { record, seen, other } = await wholeAt(window, world, id);
      expect(other).toEqual(nothing);
      expect(seen.home).toBe(homeText);
      expect([`running running`, `trashed trashed`]).toContain(`${record.desired} ${record.status}`);
      if (record.status === 'trashed') expect(record.trashedAt).toBeDefined();
      return record.status;
    },
  },
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
    prepare: migrated,
    act: ({ controller }, migrationId) => controller.migrations.rollBack(migrationId),
    outcome: async (window, migrationId, world) => {
      const { instanceId: id } = window.controller.migrations.getMigrationStatus(migrationId);
      const { record, seen, other } = await wholeAt(window, world, id);
      expect(seen.home).toBe(homeText);
      expect(other).toEqual({ role: 'parked', running: false, home: homeText });
      // It is stopped before anything else is done, and stays so when it does not come to that.
      if (record.status === 'stopped') expect(record).toMatchObject({ providerId: 'there', desired: 'stopped' });
      else expect(record.status).toBe('running');
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

/** One life of the act: how it ended, what its changes were, and what a process that came after it made of that. */
async function killedAt(scene: Scene, diesAt: number) {
  const world = await KilledWorld.make();
  try {
    const told = await scene.prepare(world);
    await world.endAll();
    const window = await world.open(diesAt);
    const end = await window.life.act(() => scene.act(window, told, world));
    await world.endAll();
    const next = await world.open();
    await settled(next);
    const outcome = await scene.outcome(next, told, world);
    expect(world.mostRunning).toBeLessThanOrEqual(1);
    // Each home in the archive is in the list, and the other way round.
    expect(next.controller.snapshots.listSnapshots().map(({ id }) => id)).toEqual([...world.kept.keys()]);
    // Every record is one that can be read.
    for (const folder of ['instances', 'migrations', 'snapshots']) {
      const files = await readdir(`${world.directory('ada')}/${folder}`).catch(() => []);
      expect(files.filter(name => !/^([a-z0-9]+\.json|locks)$/.test(name))).toEqual([]);
    }
    return { end, outcome, changes: window.life.changes };
  } finally {
    await world.remove();
  }
}

describe('a process that is killed before each change that it makes leaves a whole world', () => {
  const rows: string[] = [];

  beforeAll(makeFilesMortal);
  afterAll(() => console.log(['operation | boundaries | came to', ...rows].join('\n')));

  test.each(scenes)(
    '$name',
    async scene => {
      const { changes, outcome, end } = await killedAt(scene, 0);
      expect(end).toBe('done');
      const outcomes = new Map([[outcome, 1]]);
      const faults: string[] = [];
      for (let diesAt = 1; diesAt <= changes.length; diesAt++) {
        try {
          const life = await killedAt(scene, diesAt);
          // One life writes what was observed once more than another, as its timers come.
          if (life.changes.length >= diesAt) expect(life.end).toBe('died');
          outcomes.set(life.outcome, (outcomes.get(life.outcome) ?? 0) + 1);
        } catch (error) {
          const why = error instanceof Error ? error.message.split('\n').slice(0, 12).join(' ') : String(error);
          faults.push(`${diesAt}, before "${changes[diesAt - 1]}": ${why}`);
        }
      }
      const told = [...outcomes].map(([what, times]) => `${times} ${what}`).join(', ');
      rows.push(`${scene.name} | ${changes.length} | ${told}${faults.length > 0 ? `, ${faults.length} FAULTS` : ''}`);
      expect(faults).toEqual([]);
    },
    120_000,
  );
});
