import * as z from 'zod';
import { InstanceStatus } from './instance.ts';

/** How a provider answers now. */
export const ProviderState = z.strictObject({
  id: z.string(),
  type: z.string(),
  reachable: z.boolean(),
  /** Why it is not reachable, and what to do about it. */
  problem: z.string().optional(),
  hint: z.string().optional(),
  /** The problem's stable code, by which faces choose the buttons that mend it. */
  code: z.string().optional(),
  instances: z.int(),
});
export type ProviderState = z.infer<typeof ProviderState>;

/** The swarm in one look (seed, getSwarmStatus). */
export const SwarmStatus = z.strictObject({
  swarmId: z.string(),
  instances: z.int(),
  byStatus: z.partialRecord(InstanceStatus, z.int()),
  /** Resources with our labels that belong to another swarm, or to a lost one (semantics 1). */
  found: z.int(),
  providers: z.array(ProviderState),
  /** State files that could not be read, by name, with the reason. */
  quarantined: z.array(z.strictObject({ file: z.string(), reason: z.string() })),
});
export type SwarmStatus = z.infer<typeof SwarmStatus>;
