import * as path from 'node:path';
import { projectRoot } from '../../scripts/editorHost.ts';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  defaultPolicy,
  defaultSnapshotConfig,
  type HealthConfig,
} from '../../src/model/config.ts';
import { inEnglish } from '../../src/operations/translate.ts';
import { buildSwarm } from '../../src/swarm.ts';
import type { SwarmCore } from '../../src/vscode/swarmHost.ts';
import { MemoryVault } from '../fakes/memorySwarm.ts';

/** A swarm as an editor builds it, with this engine as its only provider. */
export function swarmOn(
  endpoint: string,
  image: string,
  directory: string,
  health: Partial<HealthConfig> = {},
): Promise<SwarmCore> {
  return buildSwarm({
    storageDirectory: directory,
    launcher: path.join(projectRoot, 'media', 'instance', 'launcher.mjs'),
    config: () => ({
      stateDirectory: '',
      defaultProviderType: '',
      loadStateOnStartup: true,
      autoSaveInterval: 5,
      enabledProviders: ['engine'],
      providers: [{ id: 'engine', type: 'docker', endpoint, image }],
      policy: defaultPolicy,
      agentDestroyLimit: 3,
      health: { ...defaultHealthConfig, ...health },
      snapshots: defaultSnapshotConfig,
      migration: defaultMigrationConfig,
    }),
    rejectedProviders: () => [],
    vault: new MemoryVault(),
    readSecret: async () => undefined,
    writeSecret: async () => {},
    gitCredential: () => undefined,
    texts: { translate: inEnglish, warn: () => {} },
    creations: new Map(),
    unreadable: () => {},
  });
}
