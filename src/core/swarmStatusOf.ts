import type { InstanceRecord } from '../model/instance.ts';
import type { Quarantined } from '../model/stateStore.ts';
import type { SwarmStatus } from '../model/swarmStatus.ts';
import type { ProviderCondition } from './providerDirectory.ts';

/** Pure: the swarm in one look. `found` counts what belongs to others. */
export function swarmStatusOf(
  swarmId: string,
  records: readonly InstanceRecord[],
  conditions: readonly ProviderCondition[],
  found: number,
  unreadable: readonly Quarantined[],
): SwarmStatus {
  const byStatus: SwarmStatus['byStatus'] = {};
  for (const { status } of records) byStatus[status] = (byStatus[status] ?? 0) + 1;
  return {
    swarmId,
    instances: records.length,
    byStatus,
    found,
    providers: conditions.map(({ reachable, ...condition }) => ({
      ...condition,
      reachable: reachable !== false,
      instances: records.filter(({ providerId }) => providerId === condition.id).length,
    })),
    quarantined: unreadable.map(({ file, reason }) => ({ file, reason })),
  };
}
