import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { fillHome, homeDigest } from '../contract/tools.ts';
import { diskController } from '../crash/diskController.ts';
import { environment } from './support/dockerProviders.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

const editorServerDirectory = path.resolve(import.meta.dirname, '../../.runtime/editor-server');

const contents =
  'cd ~/workspace && find . ! -type d -exec sha256sum {} + | sort && find . -printf "%p %m %y %l\\n" | sort';

describeWithOwnEngine('homes that are kept, of this machine and of an engine', () => {
  let engine: Engine;
  let folder: string;
  let controller: SwarmController;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-kept-'));
    await installEditorServer(editorServerDirectory);
    engine = await startEngine({ name: 'kept' });
    const image = await ensureTestImage(engine.docker, 'stub');
    const here = { id: 'local', type: 'local', directory: path.join(folder, 'local') };
    const local = await ProviderFactory.createProvider('local', here, { ...environment, editorServerDirectory });
    const providers = new ProviderDirectory([local, await guardedDocker('engine', { endpoint: engine.host, image })]);
    controller = await diskController(path.join(folder, 'state'), providers, undefined, {}, new StreamCarrier());
    await controller.initialize();
    await controller.refresh();
  });

  afterAll(async () => {
    for (const { id } of controller?.listInstances() ?? []) await controller.purgeInstance(id);
    await controller?.dispose();
    await engine?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const inside = async (id: string, command: string) => (await controller.access.executeCommand(id, command)).stdout;

  test.each([
    ['local', 'engine'],
    ['engine', 'local'],
  ])('of an instance on %s, brought back there, and as a new instance on %s', async (source, target) => {
    const { snapshots } = controller;
    const { id } = await controller.createInstance({ name: `web on ${source}` }, source);
    await inside(id, fillHome);
    const before = await inside(id, homeDigest);
    const first = await snapshots.takeSnapshot(id, quietContext);
    await controller.stopInstance(id);
    const second = await snapshots.takeSnapshot(id, quietContext);
    console.log(`${first.files} files, ${first.bytes} bytes: ${first.added} bytes of disk, then ${second.added}`);
    expect([first.live, second.live]).toEqual([true, false]);
    expect(second.added).toBeLessThan(first.added);
    await controller.startInstance(id);
    await inside(id, 'cd && rm -rf workspace && mkdir workspace && echo lost >workspace/other');

    await snapshots.resetToSnapshot(second.id, quietContext);
    expect(await inside(id, homeDigest)).toBe(before);
    const twin = await snapshots.restoreSnapshot(second.id, `twin on ${target}`, target, quietContext);
    expect(twin).toMatchObject({ providerId: target, status: 'running' });
    // Its files belong to whoever the place runs it as.
    expect(await inside(twin.id, contents)).toBe(await inside(id, contents));
    expect(snapshots.listSnapshots(id)).toHaveLength(3);

    await controller.purgeInstance(id);
    expect(snapshots.listSnapshots(id)).toEqual([]);
    const manifests = await readdir(path.join(folder, 'state', 'homes', 'manifests'));
    expect(manifests).toHaveLength(snapshots.listSnapshots().length);
  });

  test('one that cannot be kept is not made anew, until a person wants it all the same', async () => {
    const { id } = await controller.createInstance({ name: 'worn out' }, 'engine');
    await inside(id, fillHome);
    const before = await inside(id, homeDigest);
    const container = async () => (await new EngineInstances(engine).container(id).inspect()).Id;
    const first = await container();
    const archive = path.join(folder, 'state', 'homes');
    const aside = `${archive}-aside`;
    await rename(archive, aside);
    await writeFile(archive, 'in the way');

    await expect(controller.recoverInstance(id, 'recreate')).rejects.toMatchObject({ code: 'home-not-kept' });
    expect(await container()).toBe(first);
    await controller.recoverInstance(id, 'recreate', quietContext, true);
    expect(await container()).not.toBe(first);
    expect(await inside(id, homeDigest)).toBe(before);

    await rm(archive);
    await rename(aside, archive);
    await controller.recoverInstance(id, 'recreate');
    expect(controller.snapshots.listSnapshots(id)).toMatchObject([{ live: true }]);
    expect(await inside(id, homeDigest)).toBe(before);
  });
});
