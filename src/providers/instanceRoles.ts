import { wrongState } from '../model/errors.ts';
import { removalBegun } from '../model/homeErrors.ts';
import type { InstanceRole } from '../model/instance.ts';

/** What is there of an instance, in its role. */
interface Resource {
  readonly id: string;
  readonly role: InstanceRole;
}

/** Throws `wrongState` unless what has this role may be started: only one copy of an instance ever writes. */
export function refuseRole(instanceId: string, role: InstanceRole): void {
  if (role === 'trash') throw wrongState(instanceId, 'trashed', 'restore it first');
  if (role === 'incoming') throw wrongState(instanceId, 'not there as a whole yet', 'let its migration end first');
  if (role === 'parked') throw wrongState(instanceId, 'parked by a migration', 'start it where it lives now');
  if (role === 'removing') throw wrongState(instanceId, 'being removed', 'that can only be ended');
}

/** Throws `removalBegun` for what is whole no more: it is not used, changed or given another role. */
export function refuseRemoving({ id, role }: Resource, providerId: string): void {
  if (role === 'removing') throw removalBegun(id, providerId);
}
