import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { nextAct } from '../../src/core/migration/migrationSteps.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
let scratch: string;
let controller: SwarmController | undefined;

beforeAll(() => installEditorServer(path.join(root, '.runtime', 'editor-server')));
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-killed-'));
});
afterEach(async () => {
  for (const { id } of controller?.listInstances() ?? []) await controller?.purgeInstance(id);
  await controller?.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

async function open(): Promise<SwarmController> {
  const providers = new ProviderDirectory([
    await localProvider(scratch, 'here'),
    await localProvider(scratch, 'there'),
  ]);
  const opened = await diskController(path.join(scratch, 'state'), providers, undefined, {}, new StreamCarrier());
  await opened.initialize();
  await opened.refresh();
  return opened;
}

/** Resolves with how the process ended. */
function migrate(migrationId: string, killAt: number): Promise<NodeJS.Signals | null> {
  const file = path.join(import.meta.dirname, 'migratingWindow.ts');
  const child = spawn(process.execPath, [file, scratch, migrationId, String(killAt)], { stdio: 'inherit' });
  return new Promise(resolve => child.on('close', (_code, signal) => resolve(signal)));
}

const names = (place: string) => {
  const folder = path.join(scratch, place);
  return existsSync(folder) ? readdirSync(folder).map(name => name.replace(/^[a-z0-9]{12}/, 'id')) : [];
};

/** The source is being stopped, read, the target made, compared; from the 15th on the pivot is written. */
const moments = [4, 8, 10, 14, 15, 18, 24];

test.each(moments)('killed at moment %i, it is ended or taken back by the window that observes', async killAt => {
  const first = await open();
  const { id } = await first.createInstance({ name: 'web' }, 'here');
  await first.access.executeCommand(id, 'head -c 100000 /dev/urandom > work');
  const home = await first.access.executeCommand(id, 'sha256sum work');
  const { id: migrationId } = await first.migrations.createMigrationPlan(id, 'there');
  await first.dispose();
  expect(await migrate(migrationId, killAt)).toBe('SIGKILL');

  controller = await open();
  const { migrations, registry } = controller;
  await vi.waitFor(
    async () => {
      await migrations.settleAll();
      expect(nextAct(migrations.getMigrationStatus(migrationId))).toBe('nothing');
    },
    { timeout: 30_000, interval: 200 },
  );
  await controller.refresh();
  const moved = killAt >= 15;
  expect(migrations.getMigrationStatus(migrationId).status).toBe(moved ? 'completed' : 'failed');
  expect(await registry.readInstance(id)).toMatchObject({ providerId: moved ? 'there' : 'here', status: 'running' });
  expect([names('here'), names('there')]).toEqual(moved ? [['id--parked'], ['id--owner']] : [['id--owner'], []]);
  expect((await controller.access.executeCommand(id, 'sha256sum work')).stdout).toBe(home.stdout);
});
