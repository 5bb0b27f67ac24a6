import { cpSync, mkdirSync } from 'node:fs';
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
import { guardedDocker } from './engineInstances.ts';
import { testImage } from './images.ts';

/** Where windows that come one after the other find their swarm. */
export interface MovingScene {
  /** Holds `state`, `local` and the stub server. */
  readonly folder: string;
  /** Addresses of engines, by provider id. */
  readonly engines: Readonly<Record<string, string>>;
}

const stub = ({ folder }: MovingScene) => path.join(folder, 'out', 'server-main.js');

/** Local instances have a server there that starts in a tenth of the time. */
export function makeStub(scene: MovingScene): void {
  mkdirSync(path.dirname(stub(scene)), { recursive: true });
  cpSync(path.join(import.meta.dirname, 'stubServer.mjs'), stub(scene));
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
