import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { diskController } from '../crash/diskController.ts';
import { localProvider } from '../crash/twoFolders.ts';
import { fillHome, homeDigest } from './tools.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');
let scratch = '';

beforeAll(async () => {
  await installEditorServer(editorServerDirectory);
  scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-migration-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test.each(['stop-and-recreate', 'create-then-stop'] as const)('there and back on a real disk: %s', async strategy => {
  const [here, there] = [
    await localProvider(scratch, `here-${strategy}`),
    await localProvider(scratch, `there-${strategy}`),
  ];
  const stateDirectory = path.join(scratch, `state-${strategy}`);
  const providers = new ProviderDirectory([here, there]);
  const controller = await diskController(stateDirectory, providers, undefined, {}, new StreamCarrier());
  await controller.initialize();
  await controller.refresh();
  const { id } = await controller.createInstance({ name: 'web', env: { KEPT: 'yes' } }, here.id);
  const inside = async (command: string) => (await controller.access.executeCommand(id, command)).stdout;
  await inside(fillHome);
  const before = await inside(homeDigest);
  const tokens = new Set([await here.abilities.readToken(id)]);

  for (const target of [there, here]) {
    const plan = await controller.migrations.createMigrationPlan(id, target.id, strategy);
    const ended = await controller.migrations.startMigration(plan.id);
    expect(ended).toMatchObject({ status: 'completed', leftovers: [], downtimeMs: expect.any(Number) });
    expect(ended.error).toBeUndefined();
    expect(controller.getInstance(id)).toMatchObject({ providerId: target.id, status: 'running' });
    expect(await inside(homeDigest)).toBe(before);
    expect(await inside('echo $KEPT')).toBe('yes\n');
    tokens.add(await target.abilities.readToken(id));
    const { url, endpoint } = await controller.access.openInstance(id);
    expect((await fetch(url, { redirect: 'manual' })).status).toBe(302);
    endpoint.dispose();
    const source = target === there ? here : there;
    expect(await source.getInstance(id)).toMatchObject({ role: 'parked', status: 'stopped' });
    await controller.refresh();
    expect(controller.listInstances()).toHaveLength(1);
    await controller.migrations.cleanUp(plan.id);
    expect(await source.getInstance(id)).toBeNull();
  }
  expect(tokens.size).toBe(3);
  expect(controller.getInstance(id).epoch).toBe(3);
  await controller.purgeInstance(id);
  await controller.dispose();
});
