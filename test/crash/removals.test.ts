import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
/** Enough that nobody removes them before they can be ended. */
const files = 6_000;
let scratch: string;
let controller: SwarmController | undefined;

beforeAll(() => installEditorServer(path.join(root, '.runtime', 'editor-server')));
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-removed-'));
});
afterEach(async () => {
  for (const { id } of controller?.listInstances() ?? []) await controller?.purgeInstance(id);
  await controller?.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

async function open(state = 'state'): Promise<SwarmController> {
  const providers = new ProviderDirectory([
    await localProvider(scratch, 'here'),
    await localProvider(scratch, 'there'),
  ]);
  const opened = await diskController(path.join(scratch, state), providers, undefined, {}, new StreamCarrier());
  await opened.initialize();
  await opened.refresh();
  return opened;
}

/** How many of the files there are still, in whatever folder. */
function left(place: string): number {
  const folders = namesIn(scratch, place).flatMap(folder =>
    namesIn(scratch, place, folder, ...many).map(name => [place, folder, ...many, name]),
  );
  return folders.reduce((sum, folder) => sum + namesIn(scratch, ...folder).length, 0);
}

const many = ['home', 'workspace', 'many'];

/** None of what is gone meanwhile. */
function namesIn(...at: string[]): string[] {
  try {
    return readdirSync(path.join(...at));
  } catch {
    return [];
  }
}

const withFiles = async (instanceId: string, opened: SwarmController) => {
  const make = `mkdir -p many && cd many && seq 1 100 | xargs mkdir && for d in *; do for n in $(seq 1 ${files / 100}); do : > $d/$n; done; done`;
  expect(await opened.access.executeCommand(instanceId, make)).toMatchObject({ exitCode: 0 });
};

/** A window that is killed when it has removed some of the files at a place, and not all. */
async function killedWhile(act: 'clean up' | 'purge', id: string, place: string): Promise<void> {
  const file = path.join(import.meta.dirname, 'removingWindow.ts');
  const child = spawn(process.execPath, [file, scratch, act, id], { stdio: 'inherit' });
  const ended = new Promise(resolve => child.on('close', (_code, signal) => resolve(signal)));
  // Twice: what is being renamed is not found.
  while (child.exitCode === null && (left(place) === files || left(place) === files)) await sleep(5);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect(left(place)).toBeGreaterThan(0);
  expect(left(place)).toBeLessThan(files);
}

test('a clean-up that was killed is never rolled back to, and is ended', { timeout: 120_000 }, async () => {
  const first = await open();
  const { id } = await first.createInstance({ name: 'web' }, 'here');
  await withFiles(id, first);
  const { id: migrationId } = await first.migrations.createMigrationPlan(id, 'there');
  expect(await first.migrations.startMigration(migrationId)).toMatchObject({ status: 'completed' });
  await first.dispose();
  await killedWhile('clean up', migrationId, 'here');

  controller = await diskController(
    path.join(scratch, 'state'),
    new ProviderDirectory([await localProvider(scratch, 'here'), await localProvider(scratch, 'there')]),
    undefined,
    {},
    new StreamCarrier(),
  );
  await controller.registry.load();
  await controller.migrations.load();
  const { migrations, registry } = controller;
  await expect(migrations.rollBack(migrationId)).rejects.toMatchObject({ code: 'migration-refused' });
  await expect(migrations.compareParked(migrationId)).rejects.toMatchObject({ code: 'migration-refused' });
  expect(await registry.readInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
  expect(await migrations.cleanUp(migrationId)).not.toHaveProperty('parkedUntil');
  expect([left('here'), left('there')]).toEqual([0, files]);
  expect(readdirSync(path.join(scratch, 'here'))).toEqual([]);
});
