import * as z from 'zod';
import { InstanceId, InstanceIdentity, InstanceRole, InstanceStatus, Port } from './instance.ts';
import { HostName } from './machineIdentity.ts';
import { type InstanceObservation, ProviderCapabilities, ProviderId } from './provider.ts';

/** What is known of one provider, as every window sees it and `providers/<id>.json` holds it. */
export const ProviderRecord = z.strictObject({
  id: ProviderId,
  schemaVersion: z.literal(1),
  /** Grows by one with each write. */
  revision: z.int().min(0),
  /** The epoch of the observer that wrote it: one that lost its lease since is refused (semantics 30). */
  observerEpoch: z.int().min(0),
  reachable: z.boolean(),
  /** Why it is not reachable, with its stable code, and what to do about it. */
  problem: z.string().optional(),
  code: z.string().optional(),
  hint: z.string().optional(),
  /** Once it was reached. */
  capabilities: ProviderCapabilities.optional(),
  /** What bears our labels there and no record of the swarm stands for, when it last answered (semantics 1). */
  found: z.array(
    z.strictObject({
      id: InstanceId,
      /** Whatever the label says. */
      swarmId: z.string(),
      epoch: z.int().min(0),
      role: InstanceRole,
      status: InstanceStatus,
      detail: z.string().optional(),
      port: Port.optional(),
      elsewhere: HostName.optional(),
      createdAt: InstanceIdentity.shape.createdAt,
    }) satisfies z.ZodType<InstanceObservation>,
  ),
  /** Why nothing is recovered there, when so many of its instances fail at once (semantics 10). */
  suspect: z.string().optional(),
});
export type ProviderRecord = z.infer<typeof ProviderRecord>;
