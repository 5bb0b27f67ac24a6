import type { InstanceIdentity } from './instance.ts';

/** What tells an instance from all others, and whose it is, of whatever has more than that. */
export const identityOf = ({
  id,
  swarmId,
  epoch,
  generation,
  owner,
  createdAt,
  adoptedAt,
}: InstanceIdentity): InstanceIdentity => ({
  ...{ id, swarmId, epoch, owner, createdAt },
  ...(generation !== undefined && { generation }),
  ...(adoptedAt !== undefined && { adoptedAt }),
});
