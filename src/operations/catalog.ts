import {
  checkInstanceHealth,
  pauseMonitoring,
  recoverInstance,
  recreateUnkept,
  resetCrashLoop,
} from './healthOperations.ts';
import { getLogs, runInInstance } from './insideOperations.ts';
import { createInstance, getInstance, listInstances, undoAgentChanges, updateInstance } from './instanceOperations.ts';
import {
  deleteInstances,
  emptyTrash,
  purgeInstances,
  restartInstances,
  restoreInstances,
  startInstances,
  stopInstances,
} from './lifecycleOperations.ts';
import {
  cancelMigration,
  cleanUpMigration,
  compareParkedCopy,
  createMigrationPlan,
  getMigrationStatus,
  listMigrations,
  rollBackMigration,
  startMigration,
} from './migrationOperations.ts';
import type { Operation } from './operation.ts';
import { followProvider, followState, takeOverInstances } from './ownershipOperations.ts';
import { adoptInstances, forgetInstances, openInstance, removeStrayHomes, removeSwarm } from './personOperations.ts';
import {
  deleteSnapshot,
  failOverInstance,
  forkInstance,
  resetToSnapshot,
  restoreSnapshot,
  takeScheduledSnapshot,
  takeSnapshot,
} from './snapshotOperations.ts';
import { takeOverState } from './stateOperations.ts';
import { getSwarmStatus } from './statusOperations.ts';

/** Everything the swarm can be asked. Commands and chat tools are projections of it. */
export const catalog: readonly Operation[] = [
  listInstances,
  getInstance,
  createInstance,
  startInstances,
  stopInstances,
  deleteInstances,
  updateInstance,
  getSwarmStatus,
  getLogs,
  runInInstance,
  checkInstanceHealth,
  recoverInstance,
  createMigrationPlan,
  startMigration,
  cancelMigration,
  getMigrationStatus,
  listMigrations,
  restartInstances,
  restoreInstances,
  purgeInstances,
  emptyTrash,
  undoAgentChanges,
  adoptInstances,
  openInstance,
  removeSwarm,
  removeStrayHomes,
  forgetInstances,
  resetCrashLoop,
  pauseMonitoring,
  recreateUnkept,
  cleanUpMigration,
  rollBackMigration,
  compareParkedCopy,
  takeSnapshot,
  takeScheduledSnapshot,
  restoreSnapshot,
  resetToSnapshot,
  forkInstance,
  failOverInstance,
  deleteSnapshot,
  takeOverState,
  followProvider,
  followState,
  takeOverInstances,
];

/** Those that a chat gets as tools. */
export const agentOperations: readonly Operation[] = catalog.filter(({ audience }) => audience === 'agent');
