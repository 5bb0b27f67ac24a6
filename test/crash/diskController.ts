import * as path from 'node:path';
import { InstanceRegistry } from '../../src/core/instanceRegistry.ts';
import type { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { SwarmController } from '../../src/core/swarmController.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import type { RecordStore } from '../../src/model/stateStore.ts';
import { FileLock } from '../../src/storage/fileLock.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { MemoryVault } from '../fakes/memorySwarm.ts';

/** A controller on a state directory of the disk, as each window has one; its registry is not loaded yet. */
export async function diskController(
  stateDirectory: string,
  providers: ProviderDirectory,
  around: (store: RecordStore<InstanceRecord>) => RecordStore<InstanceRecord> = store => store,
): Promise<SwarmController> {
  const { swarmId } = await loadSwarmId(stateDirectory);
  const store = new JsonFileStore(path.join(stateDirectory, 'instances'), InstanceRecord, 1);
  return new SwarmController({
    swarmId,
    owner: { user: 'ada', machine: 'engine' },
    registry: new InstanceRegistry(around(store), () => 1),
    providers,
    locks: new FileLock(path.join(stateDirectory, 'locks')),
    vault: new MemoryVault(),
    sources: { packFolder: async function* () {}, gitCredential: async () => undefined },
    defaultProviderType: () => '',
    loadStateOnStartup: true,
  });
}
