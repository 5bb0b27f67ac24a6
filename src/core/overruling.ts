import type { InstanceRecord, Overruling, Owner, VSCodeInstance } from '../model/instance.ts';
import { generationOf, standingOf } from '../model/ownership.ts';
import { olderState, ownedByAnother } from '../model/ownershipErrors.ts';
import type { InstanceObservation } from '../model/provider.ts';
import { withStatus } from './records.ts';

/** Pure: what its provider says against a record; undefined when nothing. */
export function overrulingOf(record: InstanceRecord, there: VSCodeInstance): Overruling | undefined {
  const { swarmId, owner, adoptedAt, epoch, role, status } = there;
  const standing = standingOf(record, there);
  if (standing === 'another') return { by: 'another', swarmId, owner, ...(adoptedAt !== undefined && { adoptedAt }) };
  if (standing === 'older') return { by: 'provider', epoch, generation: generationOf(there), role, status };
  return undefined;
}

/** Pure: whether the record says already what {@link overrulingOf} would say. */
export function isTold({ overruled, ...record }: InstanceRecord, seen: InstanceObservation): boolean {
  // A folder that can't be read tells nothing of whose it is.
  const standing = seen.swarmId === '' ? 'owner' : standingOf(record, seen);
  if (standing === 'owner') return overruled === undefined || seen.swarmId === '';
  if (standing === 'another') return overruled?.by === 'another' && overruled.swarmId === seen.swarmId;
  return (
    overruled?.by === 'provider' &&
    overruled.epoch === seen.epoch &&
    overruled.generation === generationOf(seen) &&
    overruled.status === seen.status
  );
}

/** The record with what its provider says against it now, or without. */
export function told({ overruled: _overruled, ...record }: InstanceRecord, there: VSCodeInstance): InstanceRecord {
  const overruled = overrulingOf(record, there);
  if (!overruled) return record;
  const detail =
    overruled.by === 'another' ? `adopted by ${ownerName(overruled.owner)}` : 'its provider knows of later changes';
  return { ...withStatus(record, { status: 'unknown', detail }), overruled };
}

export const ownerName = ({ user, machine }: Owner) => `${user}@${machine}`;

/** Throws `ownedByAnother` or `olderState`, also when that was last seen a while ago. */
export function refuseOverruled(record: InstanceRecord): InstanceRecord {
  const { id, providerId, overruled } = record;
  if (overruled?.by === 'another') throw ownedByAnother(id, overruled.owner, overruled.adoptedAt);
  if (overruled?.by === 'provider') throw olderState(id, providerId);
  return record;
}
