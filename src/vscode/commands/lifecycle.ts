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
): Promise<void> {
  const records = await pickInstances(face, call, action, title);
  if (records.length === 0) return;
  await operateOnAll(face, operation, { instanceIds: records.map(({ id }) => id) }, doing);
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

export const restore = (face: Face, call: CommandCall) =>
  onAll(face, call, 'restore', 'restore_swarm_instance', t('Restore Instances'), t('Restoring…'));

/** For good. The gate asks first. */
export const removePermanently = (face: Face, call: CommandCall) =>
  onAll(face, call, 'purge', 'purge_swarm_instance', t('Delete Instances Permanently'), t('Deleting permanently…'));

/** For a state that is older than what its provider says. The gate asks first. */
export const followProvider = (face: Face, call: CommandCall) =>
  onAll(
    face,
    call,
    'followProvider',
    'follow_provider',
    t('Take Over What the Provider Says'),
    t('Taking over what the provider says…'),
  );

/** The same, the other way. The gate asks first. */
export const followState = (face: Face, call: CommandCall) =>
  onAll(face, call, 'followState', 'follow_state', t('Do What This State Says'), t('Doing what this state says…'));

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
