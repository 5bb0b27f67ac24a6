import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { expectSameHome, homeWalk } from './support/homeWalk.ts';
import { boundariesOf, startMortal, sweptLater } from './support/mortal.ts';
import { type MovingScene, makeScene, openOn } from './support/movingScene.ts';
import { type Copy, OutsideWitness } from './support/outsideWitness.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

type Place = 'local' | 'engine';
const otherOf = (place: Place) => (place === 'local' ? 'engine' : 'local');

/** Until then nothing at the places tells that the target is to be the owner. */
const beforeRoles = [
  ...boundariesOf('prepare', 'validate-source', 'validate-target-provider', 'export-source-config'),
  ...boundariesOf('stop-source', 'create-target', 'verify-target'),
  'clean-up-source begun',
];
const afterRoles = ['clean-up-source done', ...boundariesOf('start-target', 'complete')];
/** Every third boundary, from one place; in the long form (REMOTE_SWARM_SOAK=1) each, from both. */
const moments = [...beforeRoles, ...afterRoles].flatMap((at, n) =>
  (['local', 'engine'] as const)
    .filter((_, place) => process.env.REMOTE_SWARM_SOAK === '1' || (n % 3 === 0 && place === n % 2))
    .map(from => ({ at, from })),
);

describeWithOwnEngine('an instance whose state directory is deleted', () => {
  let scene: MovingScene;
  let engine: Engine;
  let witness: OutsideWitness;
  let window: SwarmController;

  beforeAll(async () => {
    engine = await startEngine({ name: 'lost' });
    const engines = new Map([['engine', engine]]);
    scene = await makeScene(engines);
    witness = new OutsideWitness(scene.folder, engines);
    window = await openOn(scene);
  });

  afterAll(async () => {
    for (const { id } of window?.listInstances() ?? []) await window.purgeInstance(id);
    await window?.dispose();
    await engine?.stop();
    await rm(scene.folder, { recursive: true, force: true });
  });

  /** As `rm -r` does it, but for the swarm's id: without that nothing is adopted before a person says so. */
  async function loseState(): Promise<void> {
    const state = path.join(scene.folder, 'state');
    for (const name of readdirSync(state).filter(each => each !== 'swarm.json')) {
      rmSync(path.join(state, name), { recursive: true });
    }
    window = await openOn(scene);
  }

  async function made(from: Place) {
    const config = { name: 'web', env: { PLACE: from }, metadata: { kept: 'yes' } };
    const { id } = await window.createInstance(config, from);
    writeFileSync(path.join(witness.homeOn(from, id), 'workspace', 'work'), Buffer.alloc(3_000_000, from));
    return { id, home: homeWalk(witness.homeOn(from, id)), config: window.getInstance(id).config };
  }
  type Made = Awaited<ReturnType<typeof made>>;

  const thereIs = async () => (await witness.everything()).filter(what => !sweptLater.test(what));

  /** One owner, found as it was, of which another copy is parked at most; it runs when it is told to. */
  async function foundAgain({ id, home, config }: Made, copies: Partial<Record<Place, Copy>>): Promise<void> {
    const [lives] = Object.entries(copies).find(([, copy]) => copy === 'owner') ?? [];
    const names = (of: readonly string[]) =>
      of.filter(what => !what.endsWith('server')).map(what => what.replace(/ (running|exited|created)$/, ''));
    const expected = OutsideWitness.expected(copies);
    const isParked = Object.values(copies).includes('parked');
    await vi.waitFor(
      async () => {
        await window.refresh();
        expect(window.listInstances()).toMatchObject([{ id, providerId: lives, role: 'owner', config }]);
        expect(names(await thereIs())).toEqual(names(expected));
        // Before a window has noted the other copy nobody can have it back, and nothing removes it with the instance.
        expect(window.migrations.listMigrations().some(each => each.instanceId === id && each.parkedUntil)).toBe(
          isParked,
        );
      },
      { timeout: 30_000, interval: 100 },
    );
    await window.startInstance(id);
    expect(await thereIs()).toEqual(expected);
    for (const place of Object.keys(copies)) expectSameHome(witness.homeOn(place, id), home);
    expect(await witness.answer(lives ?? '', id)).toBe('stub');
  }

  async function forgotten({ id }: Made): Promise<void> {
    await window.purgeInstance(id);
    expect(await thereIs()).toEqual([]);
  }

  async function killed(from: Place, at: string): Promise<Made> {
    const instance = await made(from);
    const mortal = startMortal(scene);
    const { id: migrationId } = await window.migrations.createMigrationPlan(instance.id, otherOf(from));
    await window.dispose();
    await mortal.migrate(migrationId, at);
    expect(await mortal.ended).toBe('SIGKILL');
    return instance;
  }

  const movedFrom = (from: Place) => ({ [otherOf(from)]: 'owner', [from]: 'parked' }) as Partial<Record<Place, Copy>>;

  test.each(moments)('$at, from $from: its window is killed, too', async ({ at, from }) => {
    const instance = await killed(from, at);
    await loseState();
    await foundAgain(instance, afterRoles.includes(at) ? movedFrom(from) : { [from]: 'owner' });
    await forgotten(instance);
  });

  test('between the two changes of role there are two owners, and the younger one is it', async () => {
    const instance = await killed('local', 'clean-up-source done');
    const folder = (copy: Copy) => path.join(scene.folder, 'local', `${instance.id}--${copy}`);
    renameSync(folder('parked'), folder('owner'));
    await loseState();
    await foundAgain(instance, movedFrom('local'));
    await forgotten(instance);
  });

  test.each(['local', 'engine'] as const)('while a copy is parked on %s: it can be rolled back to', async from => {
    const instance = await made(from);
    const { id: plan } = await window.migrations.createMigrationPlan(instance.id, otherOf(from));
    expect(await window.migrations.startMigration(plan)).toMatchObject({ status: 'completed' });
    await window.dispose();
    await loseState();
    await foundAgain(instance, movedFrom(from));
    const [known] = window.migrations.listMigrations();
    await window.migrations.rollBack(known?.id ?? '');
    await foundAgain(instance, movedFrom(otherOf(from)));
    await forgotten(instance);
  });

  test.each(['local', 'engine'] as const)(
    'in the trash on %s, with a copy parked elsewhere: it can be restored',
    async from => {
      const instance = await made(otherOf(from));
      const { id: plan } = await window.migrations.createMigrationPlan(instance.id, from);
      await window.migrations.startMigration(plan);
      await window.deleteInstance(instance.id);
      await window.dispose();
      await loseState();
      await vi.waitFor(
        async () => {
          await window.refresh();
          expect(window.listInstances()).toMatchObject([{ id: instance.id, providerId: from, status: 'trashed' }]);
        },
        { timeout: 30_000, interval: 100 },
      );
      await window.restoreInstance(instance.id);
      await foundAgain(instance, movedFrom(otherOf(from)));
      await forgotten(instance);
    },
  );
});
