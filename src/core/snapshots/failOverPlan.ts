import { failOverRefused } from '../../model/homeErrors.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { refuseForgetting } from '../onlyThere.ts';

/** What a failover brings back, and the secret variables whose values it loses, as only the silent provider knows them. */
export interface FailOverPlan {
  readonly snapshot: Snapshot | undefined;
  readonly lost: readonly string[];
}

/**
 * What is brought back, as `agreed` by a person. Throws `failOverRefused` when there is nothing, or another one by now, and
 * `denied` when values are lost to which no person agreed.
 */
export function agreedSnapshot(
  instanceId: string,
  { snapshot, lost }: FailOverPlan,
  agreed: FailOverPlan | undefined,
): Snapshot {
  if (!snapshot) throw failOverRefused(instanceId, 'It has no snapshot.', 'Wait for its provider.');
  if (agreed && agreed.snapshot?.id !== snapshot.id)
    throw failOverRefused(instanceId, 'Its youngest snapshot is another one by now.', 'Fail it over again.');
  const unexpected = lost.filter(name => !agreed?.lost.includes(name));
  const hint = 'Let it wait for its provider, or fail it over in the Instances view and agree to that.';
  refuseForgetting(`The failover of "${instanceId}"`, unexpected, hint);
  return snapshot;
}
