import { existsSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { MigrationStatus, MigrationStep, MigrationStrategy } from '../../src/model/migration.ts';
import type { HomeProcess } from '../../src/model/provider.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { expectSameHome, homeWalk } from './support/homeWalk.ts';
import { makeScene, openOn } from './support/movingScene.ts';
import { OutsideWitness } from './support/outsideWitness.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

/** What befalls a migration from the engine `one` to the engine `two`, and what has to come of it. */
interface Fault {
  readonly name: string;
  /** Only in the long form (REMOTE_SWARM_SOAK=1), where another row shows much the same. */
  readonly long?: boolean;
  readonly strategy?: MigrationStrategy;
  /** When: a step has begun, or the large file has begun to arrive. */
  readonly at: MigrationStep | 'copying';
  befall(migrationId: string): unknown;
  /** Ends the fault. */
  undo?(migrationId: string): unknown;
  readonly ends: MigrationStatus;
  readonly error?: RegExp;
}

const large = 100_000_000;
const cancellable = [
  ...(['prepare', 'validate-source', 'validate-target-provider', 'export-source-config'] as const),
  ...(['stop-source', 'create-target', 'verify-target'] as const),
];

describeWithOwnEngine('a migration between two engines of which one fails', () => {
  const engines = new Map<string, Engine>();
  const config = { timeout: 3_600 };
  let folder: string;
  let controller: SwarmController;
  let witness: OutsideWitness;

  beforeAll(async () => {
    for (const name of ['one', 'two']) engines.set(name, await startEngine({ name, diskMb: 700 }));
    const scene = await makeScene(engines);
    ({ folder } = scene);
    controller = await openOn(scene, config);
    witness = new OutsideWitness(folder, engines);
  });

  afterAll(async () => {
    for (const engine of engines.values()) engine.resume();
    for (const { id } of controller?.listInstances() ?? []) await controller.purgeInstance(id);
    await controller?.dispose();
    for (const engine of engines.values()) await engine.stop();
    await rm(folder, { recursive: true, force: true });
  });

  // What failed must not take the name from the ones after it.
  afterEach(async () => {
    for (const { id } of controller.listInstances()) await controller.purgeInstance(id);
  });

  const engineOf = (name: string) => {
    const engine = engines.get(name);
    if (!engine) throw new Error(`no engine "${name}"`);
    return engine;
  };
  const ballast = () => path.join(engineOf('two').root, 'data', 'ballast');
  const errorOf = (migrationId: string) => controller.migrations.getMigrationStatus(migrationId).error;
  const timedOut = (migrationId: string) =>
    vi.waitFor(() => expect(errorOf(migrationId)?.code).toBe('timed-out'), { timeout: 60_000 });

  /** One byte of what leaves the source is another one when it comes to the target. */
  function corrupt(spoil: (chunk: Buffer) => boolean): void {
    const { abilities } = controller.providers.get('one');
    const { openHome } = abilities;
    const spy = vi.spyOn(abilities, 'openHome').mockImplementation(async (id, task, ctx) => {
      const opened = await openHome?.call(abilities, id, task, ctx);
      if (!opened) throw new Error('no home');
      if (task !== 'export') return opened;
      spy.mockRestore();
      return { ...opened, output: spoiled(opened.output, spoil) };
    });
  }

  const kills = (which: string) => ({ befall: () => engineOf(which).kill(), undo: () => engineOf(which).restart() });
  const hangs = (which: string) => ({
    befall: () => engineOf(which).pause(),
    undo: async () => {
      await sleep(3_000);
      engineOf(which).resume();
    },
  });
  const hangsForLong = (which: string) => ({
    befall: () => engineOf(which).pause(),
    undo: async (migrationId: string) => {
      await timedOut(migrationId);
      engineOf(which).resume();
    },
  });

  const faults: readonly Fault[] = [
    { name: 'source engine killed', at: 'copying', ...kills('one'), ends: 'failed' },
    {
      long: true,
      name: 'source engine killed',
      strategy: 'create-then-stop',
      at: 'copying',
      ...kills('one'),
      ends: 'failed',
    },
    { name: 'target engine killed', at: 'copying', ...kills('two'), ends: 'failed' },
    {
      ...{ name: 'reader at the source killed', at: 'copying', ends: 'failed', error: /did not come to its end/ },
      befall: async () => {
        const { docker } = engineOf('one');
        const [reader] = await docker.listContainers({ filters: { label: ['remote-swarm.check'] } });
        await docker.getContainer(reader?.Id ?? '').kill();
      },
    },
    { name: 'source engine killed', at: 'clean-up-source', ...kills('one'), ends: 'completed' },
    { name: 'target engine killed', at: 'start-target', ...kills('two'), ends: 'completed' },
    { long: true, name: 'source engine hangs for three seconds', at: 'copying', ...hangs('one'), ends: 'completed' },
    { name: 'target engine hangs for three seconds', at: 'copying', ...hangs('two'), ends: 'completed' },
    {
      name: 'source engine hangs for longer than it may take',
      at: 'copying',
      ...hangsForLong('one'),
      ends: 'timed-out',
    },
    {
      long: true,
      name: 'target engine hangs for longer than it may take',
      at: 'copying',
      ...hangsForLong('two'),
      ends: 'timed-out',
    },
    {
      ...{ name: 'disk of the target full', at: 'stop-source', ends: 'failed', error: /ENOSPC|no space/i },
      befall: () => {
        const { bavail, bsize } = statfsSync(path.dirname(ballast()));
        writeFileSync(ballast(), Buffer.alloc(bavail * bsize - 30_000_000));
      },
      undo: async id => {
        await vi.waitFor(() => expect(errorOf(id)).toBeDefined(), { timeout: 60_000 });
        rmSync(ballast());
      },
    },
    {
      ...{ name: 'a byte of a file changed on the way', at: 'stop-source', ends: 'failed', error: /other bytes/ },
      befall: () => corrupt(flip(20_000_000)),
    },
    {
      ...{ name: 'a name changed on the way', at: 'stop-source', ends: 'failed', error: /not the same|differ/ },
      befall: () => corrupt(rename),
    },
    ...cancellable.map(
      step =>
        ({
          ...{ name: 'cancelled', at: step, ends: 'cancelled', long: !['stop-source', 'create-target'].includes(step) },
          befall: id => controller.migrations.cancelMigration(id),
        }) satisfies Fault,
    ),
  ];

  test.each(faults.filter(({ long }) => !long || process.env.REMOTE_SWARM_SOAK === '1'))(
    '$name at $at: $ends',
    async fault => {
      const { id } = await controller.createInstance({ name: 'web' }, 'one');
      const workspace = path.join(witness.homeOn('one', id), 'workspace');
      writeFileSync(path.join(workspace, 'large'), Buffer.alloc(large, 'remote swarm'));
      writeFileSync(path.join(workspace, 'note'), 'kept');
      const home = homeWalk(workspace);
      const { migrations } = controller;
      const { id: migrationId } = await migrations.createMigrationPlan(
        id,
        'two',
        fault.strategy ?? 'stop-and-recreate',
      );
      config.timeout = fault.ends === 'timed-out' ? 12 : 3_600;
      const ended = migrations.startMigration(migrationId);
      await vi.waitFor(() => expect(hasCome(migrationId, id, fault.at)).toBe(true), { timeout: 60_000, interval: 2 });
      await fault.befall(migrationId);
      await fault.undo?.(migrationId);
      await ended;
      const status = () => migrations.getMigrationStatus(migrationId).status;
      const moved = fault.ends === 'completed';
      const copies = moved ? ({ two: 'owner', one: 'parked' } as const) : ({ one: 'owner' } as const);
      const lives = moved ? 'two' : 'one';
      await vi.waitFor(
        async () => {
          await controller.refresh();
          expect(status()).toBe(fault.ends);
          expect(await witness.everything()).toEqual(OutsideWitness.expected(copies));
          expect(witness.record('instances', id)).toMatchObject({
            ...{ providerId: lives, epoch: moved ? 2 : 1, status: 'running' },
          });
          expect(await witness.answer(lives, id)).toBe('stub');
        },
        { timeout: 60_000, interval: 200 },
      );
      if (fault.error) expect(errorOf(migrationId)?.message).toMatch(fault.error);
      for (const place of Object.keys(copies)) {
        expectSameHome(path.join(witness.homeOn(place, id), 'workspace'), home);
      }
      await controller.purgeInstance(id);
      await vi.waitFor(async () => expect(await witness.everything()).toEqual([]), 10_000);
    },
  );

  function hasCome(migrationId: string, id: string, at: Fault['at']): boolean {
    if (at === 'copying') {
      const file = path.join(witness.homeOn('two', id), 'workspace', 'large');
      return existsSync(file) && statSync(file).size > 0;
    }
    const { steps } = controller.migrations.getMigrationStatus(migrationId);
    return steps.some(({ step, status }) => step === at && status === 'running');
  }
});

async function* spoiled(output: HomeProcess['output'], spoil: (chunk: Buffer) => boolean): AsyncGenerator<Uint8Array> {
  let isSpoiled = false;
  for await (const chunk of output) {
    const copy = Buffer.from(chunk);
    if (!isSpoiled) isSpoiled = spoil(copy);
    yield copy;
  }
}

/** The byte that comes after so many others. */
function flip(after: number): (chunk: Buffer) => boolean {
  let passed = 0;
  return chunk => {
    const at = after - passed;
    passed += chunk.length;
    if (at >= chunk.length) return false;
    chunk[at] = (chunk[at] ?? 0) ^ 1;
    return true;
  };
}

function rename(chunk: Buffer): boolean {
  const at = chunk.indexOf('workspace/note');
  if (at < 0) return false;
  chunk.write('NOTE', at + 'workspace/'.length);
  return true;
}
