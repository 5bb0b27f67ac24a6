import { wrongState } from '../model/errors.ts';
import type { InstanceRole } from '../model/instance.ts';

/** Throws `wrongState` unless what has this role may be started: only one copy of an instance ever writes. */
export function refuseRole(instanceId: string, role: InstanceRole): void {
  if (role === 'trash') throw wrongState(instanceId, 'trashed', 'restore it first');
  if (role === 'incoming') throw wrongState(instanceId, 'not there as a whole yet', 'let its migration end first');
  if (role === 'parked') throw wrongState(instanceId, 'parked by a migration', 'start it where it lives now');
}
