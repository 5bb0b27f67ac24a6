import { createHash, randomInt } from 'node:crypto';
import { globSync, utimesSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { MigrationStrategy } from '../../src/model/migration.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { expectSameHome, type HomeWalk, homeWalk } from './support/homeWalk.ts';
import { boundariesOf, type Mortal, startMortal, sweptLater } from './support/mortal.ts';
import { type MovingScene, makeScene, openOn } from './support/movingScene.ts';
import { OutsideWitness } from './support/outsideWitness.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

const soak = process.env.REMOTE_SWARM_SOAK === '1';
const randomKills = Number(process.env.REMOTE_SWARM_KILLS ?? (soak ? 1_000 : 8));
const seed = Number(process.env.REMOTE_SWARM_SEED ?? randomInt(1e9));
/** From 0 to 1, the n-th of this seed. */
const draw = (n: number) => createHash('sha256').update(`${seed} ${n}`).digest().readUInt32BE() / 2 ** 32;

type Place = 'local' | 'engine';
const places = ['local', 'engine'] as const satisfies Place[];
const otherOf = (place: Place) => (place === 'local' ? 'engine' : 'local');
const strategies = ['stop-and-recreate', 'create-then-stop'] as const satisfies MigrationStrategy[];

/** The pivot is the end of `verify-target`. */
const beforePivot = [
  ...boundariesOf('prepare', 'validate-source', 'validate-target-provider', 'export-source-config'),
  ...boundariesOf('stop-source', 'create-target', 'verify-target'),
];
const afterPivot = boundariesOf('clean-up-source', 'start-target', 'complete');

/** Each boundary from one place, and in the long form three times with both strategies from both. */
const boundaryKills = (soak ? [...strategies, ...strategies, ...strategies] : ['stop-and-recreate' as const]).flatMap(
  strategy => [
    ...(soak ? places : ['local' as const]).flatMap(from => beforePivot.map(at => ({ strategy, from, at }))),
    ...afterPivot.flatMap((at, n) =>
      places.filter((_, place) => soak || place === n % 2).map(from => ({ strategy, from, at })),
    ),
  ],
);

describeWithOwnEngine('a window that is killed while an instance moves between this machine and an engine', () => {
  let scene: MovingScene;
  let engine: Engine;
  let witness: OutsideWitness;
  let id: string;
  let home: HomeWalk;
  let window: SwarmController;
  let next: Mortal;
  const fell = new Map<string, { random: number; boundary: number; back: number; moved: number }>();
  const durations = new Map<string, number>();

  beforeAll(async () => {
    engine = await startEngine({ name: 'mortal' });
    const engines = new Map([['engine', engine]]);
    scene = await makeScene(engines);
    witness = new OutsideWitness(scene.folder, engines);
    window = await openOn(scene);
    ({ id } = await window.createInstance({ name: 'web' }, 'local'));
    const workspace = path.join(witness.homeOn('local', id), 'workspace');
    for (let file = 0; file < 300; file++)
      writeFileSync(path.join(workspace, `${file}`), Buffer.alloc(file * 50, file));
    writeFileSync(path.join(workspace, 'large'), Buffer.alloc(soak ? 20_000_000 : 5_000_000, 'remote swarm'));
    home = homeWalk(witness.homeOn('local', id));
    next = startMortal(scene);
  });

  afterAll(async () => {
    next?.process.kill('SIGKILL');
    for (const instance of window?.listInstances() ?? []) await window.purgeInstance(instance.id);
    await window?.dispose();
    await engine?.stop();
    await rm(scene.folder, { recursive: true, force: true });
    const rows = [...fell].map(
      ([step, { random, boundary, back, moved }]) => `| ${step} | ${random} | ${boundary} | ${back} | ${moved} |`,
    );
    const head = [
      '| killed in | at random | at its boundaries | taken back | completed |',
      '| --- | --- | --- | --- | --- |',
    ];
    console.log([...head, ...rows].join('\n'));
    const took = [...durations].map(([what, duration]) => `${what} ${Math.round(duration)} ms`);
    console.log(`seed ${seed}; undisturbed: ${took.join(', ')}`);
  });

  const owner = () => witness.record('instances', id).providerId as Place;
  /** All but what is swept away later. */
  const thereIs = async () => (await witness.everything()).filter(what => !sweptLater.test(what));

  /**
   * One window plans, another one is killed, a third one finds what is left and settles it; then everything is looked at
   * from outside. Answers with how long the second one was at it until it died, or ended by itself.
   */
  async function round(strategy: MigrationStrategy, kill?: { at: string } | { after: number }) {
    const source = owner();
    const mortal = next;
    const { id: migrationId } = await window.migrations.createMigrationPlan(id, otherOf(source), strategy);
    await window.dispose();
    await mortal.migrate(migrationId, kill && 'at' in kill ? kill.at : undefined);
    const began = performance.now();
    const timer = kill && 'after' in kill && setTimeout(() => mortal.process.kill('SIGKILL'), kill.after);
    const killed = (await mortal.ended) === 'SIGKILL';
    const lived = performance.now() - began;
    if (timer) clearTimeout(timer);
    const step = whereItIs(migrationId);
    // As five seconds do.
    for (const lock of globSync(`${scene.folder}/state/**/*.lock`)) utimesSync(lock, 0, 0);
    window = await openOn(scene);
    next = startMortal(scene);
    const moved = await settled(migrationId, source);
    if (killed && kill) {
      const row = fell.get(step) ?? { random: 0, boundary: 0, back: 0, moved: 0 };
      row['at' in kill ? 'boundary' : 'random'] += 1;
      row[moved ? 'moved' : 'back'] += 1;
      fell.set(step, row);
    }
    // It knows so itself once the disk has confirmed what is read from there already.
    const known = () => window.migrations.getMigrationStatus(migrationId).status;
    await vi.waitFor(() => expect(known()).not.toBe('in-progress'), { timeout: 10_000, interval: 20 });
    if (moved) await window.migrations.cleanUp(migrationId);
    return { killed, lived };
  }

  function whereItIs(migrationId: string): string {
    const states = witness.record('migrations', migrationId).steps as { step: string; status: string }[];
    const of = (wanted: string) => states.find(({ status }) => status === wanted)?.step;
    return of('running') ?? of('pending') ?? 'its end';
  }

  /** Answers whether it was moved. */
  async function settled(migrationId: string, source: Place): Promise<boolean> {
    const status = () => witness.record('migrations', migrationId).status;
    await vi.waitFor(() => expect(status()).not.toBe('in-progress'), { timeout: 30_000, interval: 50 });
    // Whichever window ended it: this one plans the next.
    const known = () => window.migrations.getMigrationStatus(migrationId).status;
    await vi.waitFor(() => expect(known()).toBe(status()), { timeout: 20_000, interval: 50 });
    const moved = status() === 'completed';
    const lives = moved ? otherOf(source) : source;
    const copies = moved ? ({ [lives]: 'owner', [source]: 'parked' } as const) : ({ [lives]: 'owner' } as const);
    const expected = OutsideWitness.expected(copies);
    await vi.waitFor(async () => expect(await thereIs()).toEqual(expected), { timeout: 20_000, interval: 50 });
    expect(witness.record('instances', id)).toMatchObject({ providerId: lives, role: 'owner', status: 'running' });
    for (const place of Object.keys(copies)) expectSameHome(witness.homeOn(place, id), home);
    expect(await witness.answer(lives, id)).toBe('stub');
    return moved;
  }

  test.each(boundaryKills)('$at, from $from, $strategy', async ({ strategy, from, at }) => {
    if (owner() !== from) await round(strategy);
    expect(await round(strategy, { at })).toMatchObject({ killed: true });
  });

  test(`${randomKills} times at random`, async () => {
    const strategyOf = (n: number) => strategies[soak ? n % 2 : places.indexOf(owner())] ?? 'stop-and-recreate';
    for (const n of soak ? [0, 0, 1, 1] : [0, 0]) {
      const key = `${owner()} ${strategyOf(n)}`;
      durations.set(key, (await round(strategyOf(n))).lived);
    }
    for (let kills = 0, n = 0; kills < randomKills; n++) {
      const after = draw(n) * (durations.get(`${owner()} ${strategyOf(n)}`) ?? 0);
      if ((await round(strategyOf(n), { after })).killed) kills++;
    }
  }, 10_000_000);
});
