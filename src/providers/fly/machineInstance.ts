import type * as z from 'zod';
import { InstanceConfig, InstanceIdentity, Owner, type VSCodeInstance } from '../../model/instance.ts';
import { type InstanceMark, identityOf } from '../instanceMark.ts';
import { type InstanceMachine, label } from './instanceMachine.ts';

/** Pure: the instance on a machine. */
export function instanceOn(providerId: string, machine: InstanceMachine): VSCodeInstance {
  const { identity, config } = markOn(machine);
  const { role, status, detail, pinnedImage } = machine;
  return {
    ...{ ...identity, providerId, role, config, status },
    ...(detail !== undefined && { detail }),
    ...(pinnedImage !== undefined && { pinnedImage }),
  };
}

/** Pure: whose it is and what was asked for. One whose notes cannot be read can still be stopped or deleted. */
export function markOn({ id, swarmId, epoch, generation, createdAt, metadata }: InstanceMachine): InstanceMark {
  const owner = noted(metadata[label.owner], Owner) ?? { user: 'unknown', machine: 'unknown' };
  const config = noted(metadata[label.config], InstanceConfig) ?? InstanceConfig.parse({ name: id });
  const adoptedAt = InstanceIdentity.shape.adoptedAt.safeParse(metadata[label.adopted]).data;
  return { identity: identityOf({ id, swarmId, epoch, generation, createdAt, owner, adoptedAt }), config };
}

function noted<S extends z.ZodType>(text: string | undefined, schema: S): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text ?? '')).data;
  } catch {
    return undefined;
  }
}
