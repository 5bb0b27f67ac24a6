import type { HealthConfig, MigrationConfig } from '../model/config.ts';
import type { Owner } from '../model/instance.ts';
import type { ProviderRecord } from '../model/providerRecord.ts';
import type { SnapshotRecord } from '../model/snapshot.ts';
import type { KeyedLock, LockedVault, ObserverLease, StateClaim } from '../model/stateStore.ts';
import type { HealthBook } from './health/healthBook.ts';
import type { Recover } from './health/recoverer.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { HomeCarrier } from './migration/homeCarrier.ts';
import type { MigrationBook } from './migration/migrationBook.ts';
import type { ObservedTime } from './observedTime.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import type { SecretMasks } from './secretMasks.ts';
import type { SharedRecords } from './sharedRecords.ts';
import type { HomeKeeper } from './snapshots/homeKeeper.ts';
import type { SetupSources } from './workspaceSetup.ts';

/** What a swarm is made of. */
export interface SwarmControllerOptions {
  readonly swarmId: string;
  readonly owner: Owner;
  readonly registry: InstanceRegistry;
  /** Whether the state is this machine's to change. */
  readonly claim: StateClaim;
  readonly providers: ProviderDirectory;
  readonly providerBook: SharedRecords<ProviderRecord>;
  readonly locks: KeyedLock;
  /** How to end the creates that are under way in this window, by instance; of all its controllers. */
  readonly creations: Map<string, AbortController>;
  /** Teaches {@link masks}. */
  readonly vault: LockedVault;
  /** Of all secrets that are met, in all that is passed on. */
  readonly masks: SecretMasks;
  readonly sources: SetupSources;
  /** A provider's id or type, or empty to let placement choose; asked at each create. */
  defaultProviderType(): string;
  /** Off: nothing is shown, adopted or deleted that this window did not make (seed, Load State on Startup). */
  readonly loadStateOnStartup: boolean;
  readonly healthBook: HealthBook;
  readonly lease: ObserverLease;
  /** Is disposed of with the controller. */
  readonly time: ObservedTime;
  /** Asked at each use. */
  healthConfig(): HealthConfig;
  readonly migrationBook: MigrationBook;
  readonly homes: HomeCarrier;
  readonly snapshotBook: SharedRecords<SnapshotRecord>;
  readonly homeKeeper: HomeKeeper;
  /** Asked at each use. */
  migrationConfig(): MigrationConfig;
  /** How the health monitor has an instance recovered: through the gate, which ends in `recoverInstance`. */
  readonly recover: Recover;
}
