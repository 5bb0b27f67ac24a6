import type { HealthMonitor } from '../core/health/healthMonitor.ts';
import type { InstanceAccess } from '../core/instanceAccess.ts';
import type { InstanceRegistry } from '../core/instanceRegistry.ts';
import type { MigrationManager } from '../core/migration/migrationManager.ts';
import type { SnapshotManager } from '../core/snapshots/snapshotManager.ts';
import type { StrayHomes } from '../core/strayHomes.ts';
import type { SwarmController } from '../core/swarmController.ts';

/** What the operations ask of the controller. */
export interface Swarm
  extends Pick<
    SwarmController,
    | 'createInstance'
    | 'getInstance'
    | 'listInstances'
    | 'startInstance'
    | 'stopInstance'
    | 'restartInstance'
    | 'updateInstance'
    | 'undoAgentChanges'
    | 'deleteInstance'
    | 'restoreInstance'
    | 'purgeInstance'
    | 'adoptInstance'
    | 'listFound'
    | 'getSwarmStatus'
    | 'checkInstanceHealth'
    | 'recoverInstance'
    | 'resetCrashLoop'
    | 'pauseMonitoring'
    | 'masks'
  > {
  readonly migrations: Pick<
    MigrationManager,
    | 'createMigrationPlan'
    | 'startMigration'
    | 'cancelMigration'
    | 'compareParked'
    | 'getMigrationStatus'
    | 'listMigrations'
    | 'cleanUp'
    | 'rollBack'
  >;
  readonly snapshots: Pick<
    SnapshotManager,
    | 'getSnapshot'
    | 'listSnapshots'
    | 'takeSnapshot'
    | 'restoreSnapshot'
    | 'resetToSnapshot'
    | 'failOver'
    | 'failOverPlan'
    | 'forkInstance'
    | 'deleteSnapshot'
  >;
  readonly access: Pick<InstanceAccess, 'openInstance' | 'getInstanceLogs' | 'executeCommand'>;
  readonly updates: Pick<SwarmController['updates'], 'remakes'>;
  readonly strayHomes: Pick<StrayHomes, 'remove' | 'leave'>;
  readonly ownership: Pick<SwarmController['ownership'], 'owner' | 'takeOver' | 'insist' | 'takeFrom'>;
  readonly claim: Pick<SwarmController['claim'], 'hindrance' | 'takeOver'>;
  readonly registry: Pick<InstanceRegistry, 'getInstance'>;
  readonly health: Pick<HealthMonitor, 'get'>;
}
