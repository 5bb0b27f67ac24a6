import { cpSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { fillHome, homeDigest } from '../contract/tools.ts';
import { diskController } from '../crash/diskController.ts';
import { machineProblem } from './support/flyCloud.ts';
import { type FlyScene, openFlyScene } from './support/flyScene.ts';

describe.skipIf(machineProblem() !== undefined)('from this computer to Fly.io and back', () => {
  let scene: FlyScene;
  let scratch = '';

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-fly-moves-'));
    scene = await openFlyScene();
  });
  afterAll(async () => {
    await scene?.close();
    await rm(scratch, { recursive: true, force: true });
  });

  test.each(['stop-and-recreate', 'create-then-stop'] as const)('an instance arrives whole: %s', async strategy => {
    const server = path.join(scratch, 'out', 'server-main.js');
    mkdirSync(path.dirname(server), { recursive: true });
    cpSync(path.resolve(import.meta.dirname, '../engine/support/stubServer.mjs'), server);
    const directory = path.join(scratch, strategy);
    const here = new GuardedProvider(
      new LocalProvider(
        { id: 'local', type: 'local', directory, server },
        { ...scene.environment, localDirectory: directory },
      ),
    );
    const there = scene.makeProvider();
    const state = path.join(scratch, `state-${strategy}`);
    const directoryOf = new ProviderDirectory([here, there]);
    const controller = await diskController(state, directoryOf, undefined, {}, new StreamCarrier());
    await controller.initialize();
    await controller.refresh();
    const { id } = await controller.createInstance({ name: 'web', env: { KEPT: 'yes' } }, 'local');
    const inside = async (command: string) => (await controller.access.executeCommand(id, command)).stdout;
    await inside(fillHome);
    await inside('for n in $(seq 500); do echo $n > file$n; done; head -c 10000000 /dev/urandom > ten-megabytes');
    const before = await inside(homeDigest);
    const sums = await inside('cat * 2>/dev/null | cksum');

    for (const target of [there, here]) {
      const plan = await controller.migrations.createMigrationPlan(id, target.id, strategy);
      const ended = await controller.migrations.startMigration(plan.id);
      expect(ended.error).toBeUndefined();
      expect(ended).toMatchObject({ status: 'completed', leftovers: [], downtimeMs: expect.any(Number) });
      expect(controller.getInstance(id)).toMatchObject({ providerId: target.id, status: 'running' });
      expect(await inside(homeDigest)).toBe(before);
      expect(await inside('cat * 2>/dev/null | cksum')).toBe(sums);
      expect(await inside('echo $KEPT')).toBe('yes\n');
      const source = target === there ? here : there;
      expect(await source.getInstance(id)).toMatchObject({ role: 'parked', status: 'stopped' });
      await controller.migrations.cleanUp(plan.id);
      expect(await source.getInstance(id)).toBeNull();
    }
    expect(scene.cloud.apps.size).toBe(0);
    expect(scene.guard.violations()).toEqual([]);
    await controller.purgeInstance(id);
    await controller.dispose();
  });
});
