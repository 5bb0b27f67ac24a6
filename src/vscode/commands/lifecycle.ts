import * as vscode from 'vscode';
import type { InstanceRecord } from '../../model/instance.ts';
import { visible } from '../../model/textCut.ts';
import type { Face } from '../face.ts';
import type { InstanceAction } from '../instanceActions.ts';
import { migrationActions } from '../migrationRows.ts';
import { operateOnAll } from '../operate.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstances } from './pickInstances.ts';

/** Runs one operation on the instances that the call is about. */
async function onAll(
  face: Face,
  call: CommandCall,
  action: InstanceAction,
  operation: string,
  title: string,
  doing: string,
): Promise<readonly InstanceRecord[]> {
  const records = await pickInstances(face, call, action, title);
  if (records.length > 0) await operateOnAll(face, operation, { instanceIds: idsOf(records) }, doing);
  return records;
}

/** Shows the rows that have come to another group. */
async function follow({ view }: Face, records: readonly InstanceRecord[]): Promise<void> {
  for (const { id } of records) await view.follow(id);
}

export const start = (face: Face, call: CommandCall) =>
  onAll(face, call, 'start', 'start_swarm_instance', t('Start Instances'), t('Starting…'));

export const stop = (face: Face, call: CommandCall) =>
  onAll(face, call, 'stop', 'stop_swarm_instance', t('Stop Instances'), t('Stopping…'));

export const restart = (face: Face, call: CommandCall) =>
  onAll(face, call, 'restart', 'restart_swarm_instance', t('Restart Instances'), t('Restarting…'));

/** To the trash, from which it can be taken back. The gate asks first. */
export const remove = (face: Face, call: CommandCall) =>
  onAll(face, call, 'delete', 'delete_swarm_instance', t('Delete Instances'), t('Deleting…'));

/** What comes back is stopped, whatever it was: that is said, with the next step. */
export async function restore(face: Face, call: CommandCall): Promise<void> {
  const title = t('Restore Instances');
  const records = await onAll(face, call, 'restore', 'restore_swarm_instance', title, t('Restoring…'));
  const [first, second] = records;
  if (!first) return;
  const start = t('Start');
  const text = second
    ? t('{0} instances are back, stopped.', records.length)
    : t('{0} is back, stopped.', visible(first.config.name));
  void follow(face, records);
  void vscode.window
    .showInformationMessage(text, start)
    .then(chosen => chosen === start && vscode.commands.executeCommand('remoteSwarm.start', first.id, idsOf(records)));
}

const idsOf = (records: readonly InstanceRecord[]) => records.map(({ id }) => id);

/** For good. The gate asks first. */
export const removePermanently = (face: Face, call: CommandCall) =>
  onAll(face, call, 'purge', 'purge_swarm_instance', t('Delete Instances Permanently'), t('Deleting permanently…'));

/** For a state that is older than what its provider says. The gate asks first. */
export async function followProvider(face: Face, call: CommandCall): Promise<void> {
  const title = t('Accept What the Provider Says');
  const doing = t('Accepting what the provider says…');
  void follow(face, await onAll(face, call, 'followProvider', 'follow_provider', title, doing));
}

/** The same, the other way. The gate asks first. */
export async function followState(face: Face, call: CommandCall): Promise<void> {
  const [title, doing] = [t('Do What This State Says'), t('Doing what this state says…')];
  void follow(face, await onAll(face, call, 'followState', 'follow_state', title, doing));
}

/** For what runs on a machine that is gone for good. The gate asks first. */
export const takeOverInstance = (face: Face, call: CommandCall) =>
  onAll(face, call, 'takeOverInstance', 'take_over_instance', t('Take Over Instances'), t('Taking over…'));

/** What cannot be deleted for good: of an instance, or what a migration has left of one. The gate asks first. */
export async function forget(face: Face, call: CommandCall): Promise<void> {
  const left = call.rows
    .flatMap(row => face.migrations.migration(row) ?? [])
    .filter(migration => migrationActions(migration).includes('forget'))
    .map(({ instanceId }) => instanceId);
  if (left.length > 0)
    await operateOnAll(face, 'forget_swarm_instance', { instanceIds: [...new Set(left)] }, t('Forgetting…'));
  else await onAll(face, call, 'forget', 'forget_swarm_instance', t('Forget Instances'), t('Forgetting…'));
}
