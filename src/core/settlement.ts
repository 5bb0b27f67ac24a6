import type { InstanceRecord, InstanceStatus } from '../model/instance.ts';
import type { InstanceObservation } from '../model/provider.ts';
import { isTold } from './overruling.ts';

/** What is left to do so that the place agrees with what was asked for. */
export type Settlement =
  /** Nothing was asked for that is not so; show what was seen. */
  | { readonly do: 'show'; readonly status: InstanceStatus; readonly detail?: string }
  /** A create, or its first start's work, was cut off: ask the provider again, it adopts what exists (semantics 28). */
  | { readonly do: 'finish-create' }
  | { readonly do: 'trash' }
  | { readonly do: 'restore' }
  /** A stop was cut off, or failed. What somebody else has started again is only shown. */
  | { readonly do: 'stop' }
  /** A start was cut off: who waited for its answer would have written what came of it. */
  | { readonly do: 'start' }
  | { readonly do: 'delete' }
  /** An update was cut off or failed: the place may have part of it. */
  | { readonly do: 'update' }
  /** Its home was being brought back, and nobody is at it any more. */
  | { readonly do: 'bring-back' }
  /**
   * The place says that it is another's, or knows of later changes; or does so no longer. Or what failed has come to its
   * end all the same, as a start that took longer than it may: note it.
   */
  | { readonly do: 'note' }
  /** The place says nothing of it: ask twice before believing that it is gone (semantics 24). */
  | { readonly do: 'confirm-absence' };

const removalNote = 'Its removal was begun, so that its home is not whole any more: delete it permanently.';

/**
 * Compares what is wanted with what one list call saw. A pure rule: the same two facts always lead to the same step,
 * so it may be applied at any time, by any window, again and again.
 */
export function settle(record: InstanceRecord, seen: InstanceObservation | undefined): Settlement {
  // What its place can't tell now, or runs on another machine, is only shown: what is left to be done waits (semantics 7).
  if (seen?.status === 'unknown' || seen?.elsewhere !== undefined) return shown({ ...seen, status: unjudged(record) });
  if (seen && !isTold(record, seen)) return { do: 'note' };
  if (record.overruled) return shown({ status: 'unknown', detail: record.detail });
  if (record.desired === 'absent') return { do: 'delete' };
  // What was begun to be removed is whole no more: neither brought back nor used, and only a person lets the rest go.
  if (seen?.role === 'removing') return { do: 'show', status: 'lost', detail: removalNote };
  if (record.status === 'creating') return { do: 'finish-create' };
  if (!seen)
    return record.desired === 'trashed' && record.status !== 'trashed' ? { do: 'trash' } : { do: 'confirm-absence' };
  if (record.setup?.status === 'pending' && seen.status === 'running') return { do: 'finish-create' };
  const inTrash = seen.role === 'trash';
  // Also what has moved there already, but not in the record: when it came there is not written yet.
  if (record.desired === 'trashed' && !(inTrash && record.role === 'trash')) return { do: 'trash' };
  if (record.desired !== 'trashed' && (inTrash || record.role === 'trash')) return { do: 'restore' };
  if (record.wanted && !inTrash) return { do: 'update' };
  const isStopLeft = record.desired === 'stopped' && (record.status === 'stopping' || record.error !== undefined);
  if (isStopLeft && (seen.status === 'running' || seen.status === 'starting')) return { do: 'stop' };
  if (record.restoring !== undefined && !inTrash) return { do: 'bring-back' };
  // One that failed has an error, and is for whoever watches over it.
  const isStartLeft = record.desired === 'running' && record.status === 'starting' && record.error === undefined;
  if (isStartLeft && (seen.status === 'stopped' || seen.status === 'starting')) return { do: 'start' };
  if (hasEnded(record, seen)) return { do: 'note' };
  return shown(inTrash ? { ...seen, status: 'trashed' } : seen);
}

/** Whether a step that failed has come to what was asked for. */
export const hasEnded = (record: InstanceRecord, { status }: Pick<InstanceObservation, 'status'>): boolean =>
  record.error !== undefined && tellsWhatIsLeft(record) && status === record.desired;

const shown = ({ status, detail }: Pick<InstanceObservation, 'status' | 'detail'>): Settlement => ({
  ...({ do: 'show', status } as const),
  ...(detail !== undefined && { detail }),
});

/** Whether by its status it is known what is left to be done, so that it stays. */
export const tellsWhatIsLeft = ({ status }: InstanceRecord): boolean =>
  ['creating', 'starting', 'stopping', 'deleting'].includes(status);

/** Providers at which something is left to be done. */
export const unsettledAt = (records: readonly InstanceRecord[]): string[] => [
  ...new Set(records.filter(tellsWhatIsLeft).map(({ providerId }) => providerId)),
];

const unjudged = (record: InstanceRecord): InstanceStatus => (tellsWhatIsLeft(record) ? record.status : 'unknown');
