import type { Face } from '../face.ts';
import { adopt, adoptAll } from './adopt.ts';
import { chooseFilter, chooseGrouping, chooseSorting, clearFilter } from './chooseView.ts';
import {
  followProvider,
  followState,
  forget,
  remove,
  removePermanently,
  restart,
  restore,
  start,
  stop,
  takeOverInstance,
} from './lifecycle.ts';
import { attach, copyUrl, open, openInstanceTerminal, revealStateFile, showLogs } from './reach.ts';
import { removeStrayHomes } from './removeStrayHomes.ts';
import { removeSwarm } from './removeSwarm.ts';
import { showAuditLog, verifyAuditLog } from './showAudit.ts';
import { showPorts } from './showPorts.ts';
import { takeOver } from './takeOver.ts';

/** A command: what it is called in package.json, and what it does with the rows it was called on. */
export interface Command {
  readonly id: `remoteSwarm.${string}`;
  run(face: Face, call: CommandCall): Promise<unknown>;
}

/** How a command was called: on rows, by a key (`selection`), or from the palette with neither. */
export interface CommandCall {
  /** Row ids, without duplicates; empty when the command has to ask. */
  readonly rows: readonly string[];
}

const command = (name: string, run: Command['run']): Command => ({ id: `remoteSwarm.${name}`, run });

/** Every command of the extension, in the order of package.json. */
export const commandTable: readonly Command[] = [
  // What needs the schemas is loaded when it is needed: activation stays short.
  command('create', async face => (await import('./create.ts')).create(face)),
  command('createFromJson', async face => (await import('./createFromJson.ts')).createFromJson(face)),
  command('createFromDocument', async face => (await import('./createFromJson.ts')).createFromThisDocument(face)),
  command('open', open),
  command('attach', attach),
  command('start', start),
  command('stop', stop),
  command('restart', restart),
  command('openTerminal', openInstanceTerminal),
  command('showPorts', showPorts),
  command('showLogs', showLogs),
  command('copyUrl', copyUrl),
  command('rename', async (face, call) => (await import('./edit.ts')).rename(face, call)),
  command('edit', async (face, call) => (await import('./edit.ts')).edit(face, call)),
  command('revealStateFile', revealStateFile),
  command('delete', remove),
  command('restore', restore),
  command('deletePermanently', removePermanently),
  command('forget', forget),
  command('followProvider', followProvider),
  command('followState', followState),
  command('takeOverInstance', takeOverInstance),
  command('adopt', adopt),
  command('adoptAll', adoptAll),
  command('refresh', face => face.host.use(core => core.controller.refresh())),
  command('groupBy', chooseGrouping),
  command('sortBy', chooseSorting),
  command('filter', chooseFilter),
  command('clearFilter', clearFilter),
  command('addProvider', async (face, call) => (await import('./providers.ts')).addProvider(face, call)),
  command('editProvider', async (face, call) => (await import('./providers.ts')).editProvider(face, call)),
  command('testProvider', async (face, call) => (await import('./providers.ts')).testProvider(face, call)),
  command('retryProvider', async (face, call) => (await import('./providers.ts')).retryProvider(face, call)),
  command('installEditorServer', async face => (await import('./providers.ts')).installEditorServer(face)),
  command('showLog', async face => face.log.show()),
  command('showAuditLog', showAuditLog),
  command('verifyAuditLog', verifyAuditLog),
  command('collectDiagnostics', async face => (await import('./collectDiagnostics.ts')).collectDiagnostics(face)),
  command('removeStrayHomes', removeStrayHomes),
  command('removeSwarm', removeSwarm),
  command('takeOver', takeOver),
  command('checkHealth', async (face, call) => (await import('./health.ts')).checkHealth(face, call)),
  command('recover', async (face, call) => (await import('./health.ts')).recover(face, call)),
  command('resetCrashLoop', async (face, call) => (await import('./health.ts')).resetCrashLoop(face, call)),
  command('pauseMonitoring', async (face, call) => (await import('./health.ts')).pauseMonitoring(face, call)),
  command('resumeMonitoring', async (face, call) => (await import('./health.ts')).resumeMonitoring(face, call)),
  command('explainHealth', async (face, call) => (await import('./health.ts')).explainHealth(face, call)),
  command('showHealthHistory', async (face, call) => (await import('./health.ts')).showHealthHistory(face, call)),
  command('migrate', async (face, call) => (await import('./migrate.ts')).migrate(face, call)),
  command('cancelMigration', async (face, call) => (await import('./migrate.ts')).cancelMigration(face, call)),
  command('rollBackMigration', async (face, call) => (await import('./migrate.ts')).rollBackMigration(face, call)),
  command('compareParkedCopy', async (face, call) => (await import('./migrate.ts')).compareParkedCopy(face, call)),
  command('cleanUpMigration', async (face, call) => (await import('./migrate.ts')).cleanUpMigration(face, call)),
  command('showMigrations', async () => (await import('./migrate.ts')).showMigrations()),
  command('takeSnapshot', async (face, call) => (await import('./snapshots.ts')).takeSnapshot(face, call)),
  command('restoreSnapshot', async (face, call) => (await import('./snapshots.ts')).restoreSnapshot(face, call)),
  command('forkInstance', async (face, call) => (await import('./snapshots.ts')).forkInstance(face, call)),
  command('failOver', async (face, call) => (await import('./snapshots.ts')).failOver(face, call)),
  command('deleteSnapshot', async (face, call) => (await import('./snapshots.ts')).deleteSnapshot(face, call)),
];
