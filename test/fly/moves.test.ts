import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { MigrationStrategy } from '../../src/model/migration.ts';
import { appName, volumeName } from '../../src/providers/fly/instanceMachine.ts';
import { randomId, testSwarmId } from '../contract/specs.ts';
import { expectCode, fillHome } from '../contract/tools.ts';
import { expectSameHome, homeWalk } from '../engine/support/homeWalk.ts';
import { notHere } from '../fakes/notHere.ts';
import { organization } from './support/flyScene.ts';
import { FlyWorld, type Place, worldProblem } from './support/flyWorld.ts';

/** One after the other they are every pair of places of which one is Fly.io, in both orders. */
const way: readonly Place[] = ['fly', 'engine', 'fly', 'host', 'fly', 'local'];
const strategies = ['stop-and-recreate', 'create-then-stop'] as const;

/** In the long form (REMOTE_SWARM_SOAK=1) and in the short one. */
const homes =
  process.env.REMOTE_SWARM_SOAK === '1'
    ? [
        { what: '10 MB', bytes: 10_000_000, files: 1, strategies },
        { what: '10,000 files', bytes: 10_000_000, files: 10_000, strategies },
      ]
    : [{ what: 'a few files', bytes: 300_000, files: 200, strategies: ['create-then-stop'] as const }];
const moves = homes.flatMap(home => home.strategies.map(strategy => ({ ...home, strategy })));

describe.skipIf(worldProblem() !== undefined)(
  notHere('an instance that moves between this computer, an engine, an ssh host and Fly.io', worldProblem()),
  () => {
    let world: FlyWorld;
    let window: SwarmController;
    const rows: string[] = [];

    beforeAll(async () => {
      world = await FlyWorld.open();
      window = await world.openWindow();
    });
    afterAll(async () => {
      await window?.dispose();
      await world?.close();
      console.log(['| home | from | to | strategy | seconds | downtime, s |', ...rows].join('\n'));
    });

    const workspaceOn = (place: Place, id: string) => path.join(world.homeOn(place, id), 'workspace');

    function fill(folder: string, bytes: number, files: number): void {
      for (let file = 0; file < files; file++) {
        const inside = path.join(folder, `${Math.floor(file / 100)}`);
        if (file % 100 === 0) mkdirSync(inside);
        writeFileSync(path.join(inside, `${file}`), randomBytes(Math.floor(bytes / files)));
      }
    }

    async function move(id: string, to: Place, strategy: MigrationStrategy) {
      const { id: migrationId } = await window.migrations.createMigrationPlan(id, to, strategy);
      const began = performance.now();
      const ended = await window.migrations.startMigration(migrationId);
      expect(ended.error).toBeUndefined();
      expect(ended).toMatchObject({ status: 'completed', leftovers: [], downtimeMs: expect.any(Number) });
      return { migrationId, seconds: (performance.now() - began) / 1_000, downtime: (ended.downtimeMs ?? 0) / 1_000 };
    }

    const arrivesWhole = async ({ what, bytes, files, strategy }: (typeof moves)[number]) => {
      const { id } = await window.createInstance({ name: strategy, env: { KEPT: 'yes' } }, 'local');
      const inside = async (command: string) => (await window.access.executeCommand(id, command)).stdout;
      await inside(fillHome);
      fill(workspaceOn('local', id), bytes, files);
      const before = homeWalk(workspaceOn('local', id));
      let from: Place = 'local';
      for (const to of way) {
        const { migrationId, seconds, downtime } = await move(id, to, strategy);
        rows.push(`| ${what} | ${from} | ${to} | ${strategy} | ${seconds.toFixed(1)} | ${downtime.toFixed(1)} |`);
        expect(window.getInstance(id)).toMatchObject({ providerId: to, role: 'owner', status: 'running' });
        for (const place of [from, to]) expectSameHome(workspaceOn(place, id), before);
        expect(await inside('echo $KEPT')).toBe('yes\n');
        expect(await window.providers.get(from).getInstance(id)).toMatchObject({ role: 'parked', status: 'stopped' });
        await window.migrations.cleanUp(migrationId);
        expect(await world.isOn(from, id)).toBe(false);
        from = to;
      }
      expect(world.scene.guard.violations()).toEqual([]);
      await window.purgeInstance(id);
    };
    test.each(moves)('arrives whole with $what: $strategy', arrivesWhole, 600_000);

    test('a home that others have left without a machine is told, and removed when a person says so', async () => {
      const { cloud } = world.scene;
      const homeIn = (swarmId: string) => {
        const id = randomId(12);
        cloud.makeVolume(cloud.makeApp(appName(id), organization, appName(id)), {
          ...{ name: volumeName(swarmId), region: 'ams', size_gb: 5 },
        });
        return id;
      };
      const [ours, others] = [homeIn(window.swarmId), homeIn(testSwarmId())];
      const { id: known } = await window.createInstance({ name: 'has lost its machine' }, 'fly');
      await window.stopInstance(known);
      for (const machine of cloud.app(appName(known)).machines.values()) await cloud.removeMachine(machine, true);
      await vi.waitFor(() => {
        for (const { machine } of cloud.app(appName(known)).volumes.values()) expect(machine).toBeUndefined();
      });
      expect(await window.strayHomes.list()).toEqual([{ id: ours, sizeGb: 5, providerId: 'fly' }]);
      for (const id of [others, known]) await expectCode(window.strayHomes.remove('fly', id), 'wrong-state');
      await window.strayHomes.remove('fly', ours);
      expect([ours, others, known].map(id => cloud.apps.has(appName(id)))).toEqual([false, true, true]);
      await cloud.removeApp(cloud.app(appName(others)));
      await window.purgeInstance(known);
    });

    test('is found again there, in each role, when the state directory is deleted', async () => {
      const made = async (name: string, place: Place) => {
        const { id } = await window.createInstance({ name, env: { KEPT: 'yes' } }, place);
        fill(workspaceOn(place, id), 10_000, 3);
        return id;
      };
      const [runs, stopped, trashed, came, left] = await Promise.all([
        made('runs', 'fly'),
        made('is stopped', 'fly'),
        made('is in the trash', 'fly'),
        made('has moved there', 'local'),
        made('has moved away', 'fly'),
      ]);
      await Promise.all([window.stopInstance(stopped), window.deleteInstance(trashed)]);
      await move(came, 'fly', 'stop-and-recreate');
      await move(left, 'local', 'stop-and-recreate');
      const all = [
        { id: runs, providerId: 'fly', role: 'owner', status: 'running' },
        { id: stopped, providerId: 'fly', role: 'owner', status: 'stopped' },
        { id: trashed, providerId: 'fly', role: 'trash', status: 'trashed' },
        { id: came, providerId: 'fly', role: 'owner', status: 'running' },
        { id: left, providerId: 'local', role: 'owner', status: 'running' },
      ] as const;
      const before = all.map(({ id, providerId }) => ({
        ...{ id, home: homeWalk(workspaceOn(providerId, id)), config: window.getInstance(id).config },
      }));
      const apps = [...world.scene.cloud.apps.keys()].sort();
      await window.dispose();

      world.loseState();
      window = await world.openWindow();
      // Lists of Fly.io are behind: the copy that moved away may first be told to be an owner still.
      const known = await vi.waitFor(async () => {
        await window.refresh();
        expect(window.listInstances()).toHaveLength(all.length);
        for (const found of all) expect(window.getInstance(found.id)).toMatchObject(found);
        const parked = window.migrations.listMigrations();
        expect(parked.map(({ instanceId }) => instanceId).sort()).toEqual([came, left].sort());
        return parked;
      }, 20_000);
      for (const { id, config } of before) expect(window.getInstance(id).config).toEqual(config);
      expect([...world.scene.cloud.apps.keys()].sort()).toEqual(apps);

      await window.migrations.rollBack(known.find(({ instanceId }) => instanceId === left)?.id ?? '');
      await window.restoreInstance(trashed);
      for (const { id, home } of before) {
        expect(window.getInstance(id)).toMatchObject({ providerId: 'fly', role: 'owner' });
        expectSameHome(workspaceOn('fly', id), home);
      }
      for (const { id } of all) await window.purgeInstance(id);
      expect(world.scene.cloud.apps.size).toBe(0);
    });
  },
);
