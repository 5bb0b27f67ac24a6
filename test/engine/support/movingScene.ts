import { cpSync, mkdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { StreamCarrier } from '../../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { MigrationConfig } from '../../../src/model/config.ts';
import type { Migration } from '../../../src/model/migration.ts';
import type { RecordStore } from '../../../src/model/stateStore.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { diskController } from '../../crash/diskController.ts';
import { environment } from './dockerProviders.ts';
import type { Engine } from './engine.ts';
import { guardedDocker } from './engineInstances.ts';
import { ensureTestImage, testImage } from './images.ts';

/** Where windows that come one after the other find their swarm. */
export interface MovingScene {
  /** Holds `state`, `local` and the stub server. */
  readonly folder: string;
  /** Addresses of engines, by provider id. */
  readonly engines: Readonly<Record<string, string>>;
}

const stub = ({ folder }: MovingScene) => path.join(folder, 'out', 'server-main.js');

/** A scene without instances. Those that are made have a server that starts in a tenth of the time. */
export async function makeScene(engines: ReadonlyMap<string, Engine>): Promise<MovingScene> {
  for (const { docker } of engines.values()) await ensureTestImage(docker, 'stub');
  const folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-moving-'));
  const scene = { folder, engines: Object.fromEntries([...engines].map(([id, { host }]) => [id, host])) };
  for (const directory of [path.join(folder, 'local'), path.dirname(stub(scene))]) mkdirSync(directory);
  cpSync(path.join(import.meta.dirname, 'stubServer.mjs'), stub(scene));
  return scene;
}

/** A window that has read its state, and looked at every provider. */
export async function openOn(scene: MovingScene, migration?: Partial<MigrationConfig>): Promise<SwarmController> {
  const opened = await windowOn(scene, undefined, migration);
  await opened.initialize();
  await opened.refresh();
  return opened;
}

/** A window on the scene; nothing is read yet. */
export async function windowOn(
  scene: MovingScene,
  aroundJournal?: (store: RecordStore<Migration>) => RecordStore<Migration>,
  migration?: Partial<MigrationConfig>,
): Promise<SwarmController> {
  const local = { id: 'local', type: 'local', directory: path.join(scene.folder, 'local'), server: stub(scene) };
  const providers = new ProviderDirectory([
    await ProviderFactory.createProvider('local', local, environment),
    ...(await Promise.all(
      Object.entries(scene.engines).map(([id, endpoint]) => guardedDocker(id, { endpoint, image: testImage.stub })),
    )),
  ]);
  const state = path.join(scene.folder, 'state');
  return diskController(state, providers, undefined, {}, new StreamCarrier(), aroundJournal, migration);
}
