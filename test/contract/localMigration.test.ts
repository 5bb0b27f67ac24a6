import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HomeCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { diskController } from '../crash/diskController.ts';
import { fillHome, homeDigest } from './tools.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');
const run = promisify(execFile);
let scratch = '';

beforeAll(async () => {
  await installEditorServer(editorServerDirectory);
  scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-migration-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function localProvider(id: string) {
  const installed = await installEditorServer(editorServerDirectory);
  const server = installed.kind === 'node' ? { server: installed.serverMain } : {};
  const directory = path.join(scratch, id);
  return new GuardedProvider(
    new LocalProvider(
      { id, type: 'local', directory, ...server },
      {
        localDirectory: directory,
        launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
        editorServerDirectory,
        readSecret: async () => undefined,
      },
    ),
  );
}

/** The tools of the system, between two folders of one disk. */
const systemTools: HomeCarrier = {
  reaches: () => true,
  look: async ({ id }, instanceId) => {
    const script = [
      `cd ${scratch}/${id}/${instanceId}--*/home`,
      "find . -printf '%p %y %m %T@ %l\\n' | sort",
      'find . -type f -print0 | sort -z | xargs -0 sha256sum',
    ].join(' && ');
    const { stdout } = await run('/bin/sh', ['-c', `{ ${script}; } | sha256sum`]);
    return { digest: stdout.slice(0, 64), bytes: 1, files: 1 };
  },
  copy: async (source, target, instanceId) => {
    const [from, to] = [source, target].map(({ id }) => `${scratch}/${id}/${instanceId}--*/home`);
    await run('/bin/sh', ['-c', `set -- ${to} && find "$1" -mindepth 1 -delete && cp -a ${from}/. "$1"`]);
    return { bytes: 1, files: 1 };
  },
};

test.each(['stop-and-recreate', 'create-then-stop'] as const)('there and back on a real disk: %s', async strategy => {
  const [here, there] = [await localProvider(`here-${strategy}`), await localProvider(`there-${strategy}`)];
  const stateDirectory = path.join(scratch, `state-${strategy}`);
  const providers = new ProviderDirectory([here, there]);
  const controller = await diskController(stateDirectory, providers, undefined, {}, systemTools);
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
