import * as z from 'zod';

export const observedTimeId = 'observed';

/** For how long a window has observed the swarm, in all its life: the record that the store keeps. */
export const ObservedTimeRecord = z.strictObject({
  id: z.literal(observedTimeId),
  schemaVersion: z.literal(1),
  revision: z.int().min(0),
  milliseconds: z.number().min(0),
});
export type ObservedTimeRecord = z.infer<typeof ObservedTimeRecord>;
