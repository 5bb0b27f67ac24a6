import type * as z from 'zod';
import { identityOf } from '../../model/identityOf.ts';
import { InstanceConfig, InstanceIdentity, Owner, type VSCodeInstance } from '../../model/instance.ts';
import type { InstanceMark } from '../instanceMark.ts';
import { notesUnreadable } from './flyErrors.ts';
import { type InstanceMachine, label } from './instanceMachine.ts';

/** Pure: the instance on a machine. One whose config cannot be read says so, and can still be stopped or deleted. */
export function instanceOn(providerId: string, machine: InstanceMachine): VSCodeInstance {
  const { id, role, status, pinnedImage } = machine;
  const config = configOn(machine);
  const detail = machine.detail ?? (config ? undefined : notesUnreadable(id, 'its config').message);
  return {
    ...{ ...identityOn(machine), providerId, role, config: config ?? InstanceConfig.parse({ name: id }), status },
    ...(detail !== undefined && { detail }),
    ...(pinnedImage !== undefined && { pinnedImage }),
  };
}

/** Pure: whose it is. */
export function identityOn({ id, swarmId, epoch, generation, createdAt, metadata }: InstanceMachine): InstanceIdentity {
  const owner = noted(metadata[label.owner], Owner) ?? { user: 'unknown', machine: 'unknown' };
  const adoptedAt = InstanceIdentity.shape.adoptedAt.safeParse(metadata[label.adopted]).data;
  return identityOf({ id, swarmId, epoch, generation, createdAt, owner, adoptedAt });
}

/** Pure: the same with what was asked for, for whoever writes it anew. Throws `reserved-file-unreadable`. */
export function markOn(machine: InstanceMachine): InstanceMark {
  const config = configOn(machine);
  if (!config) throw notesUnreadable(machine.id, 'its config');
  return { identity: identityOn(machine), config };
}

/** Undefined when it cannot be read; what none was noted of has none but its name. */
const configOn = ({ id, metadata: { [label.config]: text } }: InstanceMachine): InstanceConfig | undefined =>
  text === undefined ? InstanceConfig.parse({ name: id }) : noted(text, InstanceConfig);

function noted<S extends z.ZodType>(text: string | undefined, schema: S): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text ?? '')).data;
  } catch {
    return undefined;
  }
}
