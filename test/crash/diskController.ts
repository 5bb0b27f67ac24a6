import * as path from 'node:path';
import { HealthBook } from '../../src/core/health/healthBook.ts';
import { InstanceRegistry } from '../../src/core/instanceRegistry.ts';
import type { HomeCarrier } from '../../src/core/migration/homeCarrier.ts';
import { MigrationBook } from '../../src/core/migration/migrationBook.ts';
import { ObservedTime } from '../../src/core/observedTime.ts';
import type { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { SecretMasks } from '../../src/core/secretMasks.ts';
import { SharedRecords } from '../../src/core/sharedRecords.ts';
import { StreamKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import { SwarmController } from '../../src/core/swarmController.ts';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  type HealthConfig,
  type MigrationConfig,
} from '../../src/model/config.ts';
import { InstanceHealth } from '../../src/model/health.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import { Migration } from '../../src/model/migration.ts';
import { ObservedTimeRecord } from '../../src/model/observedTimeRecord.ts';
import { ProviderRecord } from '../../src/model/providerRecord.ts';
import { SnapshotRecord } from '../../src/model/snapshot.ts';
import type { RecordStore } from '../../src/model/stateStore.ts';
import { FileHomeArchive } from '../../src/storage/fileHomeArchive.ts';
import { FileLock } from '../../src/storage/fileLock.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { LeaderLease } from '../../src/storage/leaderLease.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { freeClaim } from '../fakes/freeClaim.ts';
import { MemoryCarrier } from '../fakes/memoryCarrier.ts';
import { MemoryVault } from '../fakes/memorySwarm.ts';

/** A controller on a state directory of the disk, as each window has one; its registry is not loaded yet. */
export async function diskController(
  stateDirectory: string,
  providers: ProviderDirectory,
  around: (store: RecordStore<InstanceRecord>) => RecordStore<InstanceRecord> = store => store,
  health: Partial<HealthConfig> = {},
  homes: HomeCarrier = new MemoryCarrier(),
  aroundJournal: (store: RecordStore<Migration>) => RecordStore<Migration> = store => store,
  migration: Partial<MigrationConfig> = {},
  user = 'ada',
): Promise<SwarmController> {
  const { swarmId } = await loadSwarmId(stateDirectory);
  const store = new JsonFileStore(path.join(stateDirectory, 'instances'), InstanceRecord, 1);
  const lease = new LeaderLease(stateDirectory);
  const controller: SwarmController = new SwarmController({
    swarmId,
    owner: { user, machine: 'engine' },
    registry: new InstanceRegistry(around(store), () => 1),
    claim: freeClaim,
    providers,
    providerBook: new SharedRecords(new JsonFileStore(path.join(stateDirectory, 'providers'), ProviderRecord, 1)),
    locks: new FileLock(path.join(stateDirectory, 'locks')),
    creations: new Map(),
    vault: new MemoryVault(),
    masks: new SecretMasks(),
    sources: {
      surveyFolder: async path => ({ path, bytes: 0, files: 0, outside: [] }),
      packFolder: async function* () {},
      gitCredential: () => undefined,
    },
    defaultProviderType: () => '',
    loadStateOnStartup: true,
    healthBook: new HealthBook(new JsonFileStore(path.join(stateDirectory, 'health'), InstanceHealth, 1), () => 1),
    lease,
    time: new ObservedTime(new JsonFileStore(path.join(stateDirectory, 'observed-time'), ObservedTimeRecord, 1), lease),
    healthConfig: () => ({ ...defaultHealthConfig, ...health }),
    migrationBook: new MigrationBook(
      aroundJournal(new JsonFileStore(path.join(stateDirectory, 'migrations'), Migration, 1)),
    ),
    homes,
    snapshotBook: new SharedRecords(new JsonFileStore(path.join(stateDirectory, 'snapshots'), SnapshotRecord, 1)),
    homeKeeper: new StreamKeeper(new FileHomeArchive(path.join(stateDirectory, 'homes'))),
    migrationConfig: () => ({ ...defaultMigrationConfig, ...migration }),
    recover: async (instanceId, rung, _reason, ctx) => void (await controller.recoverInstance(instanceId, rung, ctx)),
  });
  return controller;
}
