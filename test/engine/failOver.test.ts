import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { untilDecided } from '../../src/core/retention.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { diskController } from '../crash/diskController.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

describeWithOwnEngine('an instance whose engine hangs', () => {
  const engines: Engine[] = [];
  let folder: string;
  let controller: SwarmController;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-failing-over-'));
    const docker = async (name: string) => {
      const engine = await startEngine({ name });
      engines.push(engine);
      return guardedDocker(name, { endpoint: engine.host, image: await ensureTestImage(engine.docker, 'stub') });
    };
    const providers = new ProviderDirectory([await docker('one'), await docker('two')]);
    controller = await diskController(
      path.join(folder, 'state'),
      providers,
      undefined,
      { autoRecover: false },
      new StreamCarrier(),
    );
    await controller.initialize();
    await controller.refresh();
  });

  afterAll(async () => {
    engines[0]?.resume();
    for (const { id } of controller?.listInstances() ?? []) await controller.purgeInstance(id);
    await controller?.dispose();
    for (const engine of engines) await engine.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test('lives on another one as its snapshot kept it; when the engine is back, the old copy is parked', async () => {
    const { snapshots, migrations } = controller;
    const inside = async (command: string) => (await controller.access.executeCommand(id, command)).stdout.trim();
    const { id } = await controller.createInstance({ name: 'web' }, 'one');
    await inside('echo kept >~/workspace/file');
    await snapshots.takeSnapshot(id, quietContext);
    await inside('echo later >~/workspace/file');

    engines[0]?.pause();
    await vi.waitFor(
      async () => {
        await controller.refresh(quietContext, 'one');
        expect(controller.providers.condition('one')?.reachable).toBe(false);
      },
      { timeout: 90_000 },
    );
    const began = performance.now();
    await snapshots.failOver(id, 'two', quietContext);
    console.log(`it lives elsewhere after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'two', epoch: 2, status: 'running' });
    expect(await inside('cat ~/workspace/file')).toBe('kept');

    engines[0]?.resume();
    const old = async () => (await controller.providers.get('one').getInstance(id)) ?? undefined;
    await vi.waitFor(
      async () => {
        await controller.refresh(quietContext, 'one');
        expect(await old()).toMatchObject({ role: 'parked', status: 'stopped', epoch: 1 });
      },
      { timeout: 90_000 },
    );
    expect(controller.listInstances()).toMatchObject([{ id, providerId: 'two', status: 'running' }]);
    const [offered] = migrations.listMigrations();
    expect(offered).toMatchObject({ instanceId: id, sourceProviderId: 'one', parkedUntil: untilDecided });

    const { changes } = await migrations.compareParked(offered?.id ?? '');
    expect(changes).toContainEqual({ path: 'workspace/file', what: 'changed', bytes: 'later\n'.length });

    await migrations.rollBack(offered?.id ?? '');
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'one', status: 'running' });
    expect(await inside('cat ~/workspace/file')).toBe('later');
  });
});
