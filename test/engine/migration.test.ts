import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { Engine } from './support/engine.ts';
import { expectSameHome, homeWalk } from './support/homeWalk.ts';
import { MovingWorld } from './support/movingWorld.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

const strategies = ['stop-and-recreate', 'create-then-stop'] as const;

describeWithOwnEngine('an instance that moves between this machine and two engines', () => {
  let world: MovingWorld;
  let controller: SwarmController;
  const homeOn = (providerId: string, id: string) => world.homeOn(providerId, id);
  const move: MovingWorld['move'] = (...how) => world.move(...how);

  beforeAll(async () => {
    world = await MovingWorld.open();
    ({ controller } = world);
  });
  afterAll(() => world?.close());

  /** Everything that a Linux home can hold. */
  function fill(home: string): void {
    const at = (...names: string[]) => path.join(home, 'workspace', ...names);
    mkdirSync(at('folder', 'empty'), { recursive: true });
    writeFileSync(at('ten megabytes'), Buffer.alloc(10_000_000, 'remote swarm'));
    writeFileSync(at('folder', 'program'), '#!/bin/sh\n', { mode: 0o755 });
    chmodSync(at('folder', 'program'), 0o4755);
    writeFileSync(Buffer.concat([Buffer.from(at('bytes ')), Buffer.from([0xff, 0x0a, 0x22])]), 'a name in bytes');
    linkSync(at('folder', 'program'), at('same file'));
    symlinkSync('/etc/passwd', at('absolute'));
    symlinkSync('nowhere', at('dangling'));
    symlinkSync('folder', at('link to a folder'));
    writeFileSync(at('holes'), 'begin');
    truncateSync(at('holes'), 50_000_000);
    writeFileSync(at('empty file'), '');
    writeFileSync(at('secret'), 'for nobody', { mode: 0o000 });
    mkdirSync(at('read-only'));
    writeFileSync(at('read-only', 'inside'), 'x');
    chmodSync(at('read-only'), 0o555);
    execFileSync('mkfifo', [at('pipe')]);
    const deep = Array.from({ length: 30 }, (_, depth) => `${depth}`.padEnd(100, 'd'));
    mkdirSync(at(...deep), { recursive: true });
    writeFileSync(at(...deep, 'bottom'), 'deep');
    execFileSync('chown', ['-Rh', '--reference', home, home]);
    chmodSync(at('folder', 'program'), 0o4755);
  }

  // Each way from one to another: once, and in the long form (REMOTE_SWARM_SOAK=1) with each strategy.
  const ways = { 'stop-and-recreate': ['one', 'two', 'local'], 'create-then-stop': ['two', 'one', 'local'] } as const;

  test.each(strategies)('keeps every byte of its home: %s', async strategy => {
    const { id } = await controller.createInstance({ name: strategy }, 'local');
    fill(homeOn('local', id));
    for (const target of process.env.REMOTE_SWARM_SOAK === '1' ? Object.values(ways).flat() : ways[strategy]) {
      const { providerId: source, epoch } = controller.getInstance(id);
      const { migration, losses } = await move(id, target, strategy);
      // By the first move it is lost.
      expect(losses.some(loss => loss.includes('workspace/pipe'))).toBe(epoch === 1);
      expect(controller.getInstance(id)).toMatchObject({ providerId: target, role: 'owner', status: 'running' });
      await controller.stopInstance(id);
      // What the server itself writes at its start is not the home's.
      const stable = (place: string) => path.join(homeOn(place, id), 'workspace');
      expectSameHome(stable(target), homeWalk(stable(source)));
      await controller.startInstance(id);
      await controller.migrations.cleanUp(migration.id);
    }
    await controller.purgeInstance(id);
  });

  test.each(strategies)('loses nothing that is written while it moves: %s', async strategy => {
    const { id } = await controller.createInstance({ name: `busy ${strategy}` }, 'one');
    const said = path.join('workspace', 'log');
    const writes = 'i=0; while :; do i=$((i+1)); echo $i >> log; echo $i > last; done';
    void controller.providers
      .get('one')
      .executeCommand(id, writes)
      .catch(() => {});
    const lines = (home: string) =>
      Number(
        execFileSync('wc', ['-l', path.join(home, said)])
          .toString()
          .split(' ')[0],
      );
    await vi.waitFor(() => expect(lines(homeOn('one', id))).toBeGreaterThan(100), { timeout: 10_000 });
    await move(id, 'two', strategy);
    expect(lines(homeOn('two', id))).toBe(lines(homeOn('one', id)));
    await controller.purgeInstance(id);
  });

  test('a home that cannot be written as a whole is refused, and all is as it was', async () => {
    const { id } = await controller.createInstance({ name: 'unlucky' }, 'one');
    const home = homeOn('one', id);
    writeFileSync(path.join(home, 'workspace', 'file'), 'kept');
    const corrupting = new StreamCarrier();
    const copy = vi.spyOn(StreamCarrier.prototype, 'copy').mockImplementationOnce(async (source, target, ...rest) => {
      const size = await corrupting.copy(source, target, ...rest);
      writeFileSync(path.join(homeOn(target.id, id), 'workspace', 'file'), 'KEPT');
      return size;
    });
    const { id: plan } = await controller.migrations.createMigrationPlan(id, 'two', 'stop-and-recreate');
    const migration = await controller.migrations.startMigration(plan);
    copy.mockRestore();
    expect(migration).toMatchObject({ status: 'failed', error: { code: 'homes-differ' } });
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'one', status: 'running', epoch: 1 });
    expect(await controller.providers.get('two').getInstance(id)).toBeNull();
    await controller.purgeInstance(id);
    const left = await world.engines.get('two')?.docker.listVolumes();
    expect(left?.Volumes.map(({ Name }) => Name).filter(name => name.includes(id))).toEqual([]);
  });
});

describeWithOwnEngine('a home and a target that has little room', () => {
  let world: MovingWorld;

  beforeAll(async () => {
    world = await MovingWorld.open(false, tmpdir(), 600);
  });
  afterAll(() => world?.close());

  test('is refused before anything is done, unless holes are what makes it large', async () => {
    const { controller, engines } = world;
    const inventory = () => new EngineWorld((engines.get('one') as Engine).docker).inventory();
    const { id } = await controller.createInstance({ name: 'large' }, 'local');
    const file = path.join(world.homeOn('local', id), 'workspace', 'large');
    const before = await inventory();
    execFileSync('fallocate', ['-l', '600M', file]);
    const plan = () => controller.migrations.createMigrationPlan(id, 'one');
    await expect(plan()).rejects.toMatchObject({
      code: 'migration-refused',
      message: expect.stringMatching(/"one" has \d+ MB free, and the home takes 6\d\d MB/),
    });
    expect(await inventory()).toEqual(before);
    rmSync(file);
    writeFileSync(file, 'x');
    truncateSync(file, 600 * 1024 ** 2);
    const { id: migrationId, plan: planned } = await plan();
    expect(planned.freeBytes).toBeLessThan(600 * 1024 ** 2);
    expect(await controller.migrations.startMigration(migrationId)).toMatchObject({ status: 'completed' });
  });
});

const large = {
  what: '1 GB',
  onDisk: true,
  /** Files of 50 MB. */
  fill: (folder: string) => {
    for (let file = 0; file < 20; file++) writeFileSync(path.join(folder, `${file}`), randomBytes(50_000_000));
  },
};
const many = {
  what: '100,000 small files',
  // A disk is long busy with many files that are gone.
  onDisk: false,
  fill: (folder: string) => {
    for (let file = 0; file < 100_000; file++) {
      const inside = path.join(folder, `${Math.floor(file / 100)}`);
      if (file % 100 === 0) mkdirSync(inside);
      writeFileSync(path.join(inside, `${file}`), randomBytes(file % 4_096));
    }
  },
};

// Each takes minutes.
describe.each(process.env.REMOTE_SWARM_SOAK === '1' ? [large, many] : [])('a home of $what', ({ onDisk, fill }) => {
  describeWithOwnEngine('that moves while it is written to', () => {
    let world: MovingWorld;

    beforeAll(async () => {
      world = await MovingWorld.open(onDisk, onDisk ? tmpdir() : '/dev/shm');
    });
    afterAll(() => world?.close());

    test.each(strategies)(
      'loses nothing: %s',
      async strategy => {
        const { controller } = world;
        const { id } = await controller.createInstance({ name: strategy }, 'local');
        const workspace = (place: string) => path.join(world.homeOn(place, id), 'workspace');
        fill(workspace('local'));
        // Each ordered pair once.
        for (const target of ['one', 'two', 'local', 'two', 'one', 'local']) {
          const { providerId: source } = controller.getInstance(id);
          const written = () =>
            readFileSync(path.join(workspace(source), 'log'), 'latin1')
              .trim()
              .split('\n');
          const stop = keepWriting(world, id, source);
          await vi.waitFor(() => expect(written().length).toBeGreaterThan(20), 30_000);
          const before = written().length;
          const { migration } = await world.move(id, target, strategy, message => {
            if (message === 'Stopping the instance') stop();
          });
          await controller.stopInstance(id);
          const all = written();
          expect(all.length).toBeGreaterThan(before);
          expect(all).toEqual(all.map((_, line) => `${line + 1}`));
          expectSameHome(workspace(target), homeWalk(workspace(source)));
          await controller.migrations.cleanUp(migration.id);
          await controller.startInstance(id);
        }
        await controller.purgeInstance(id);
      },
      1_200_000,
    );
  });
});

/** Has a process of the instance write line after line into a new log; answers with how it is stopped on this machine. */
function keepWriting(world: MovingWorld, id: string, place: string): () => void {
  const workspace = path.join(world.homeOn(place, id), 'workspace');
  rmSync(path.join(workspace, 'log'), { force: true });
  const command = 'i=0; while :; do i=$((i+1)); echo $i >> log; sleep 0.01; done';
  if (place === 'local') {
    // A command belongs to who runs it here, and not to the instance's server.
    const shell = spawn('sh', ['-c', command], { cwd: workspace });
    return () => shell.kill('SIGKILL');
  }
  // It ends with its container.
  void world.controller.providers
    .get(place)
    .executeCommand(id, command)
    .catch(() => {});
  return () => {};
}
