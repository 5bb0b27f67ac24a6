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

/** A prime, and less than what a time need be exact to: about ten seconds. */
const divisor = 9973;

/**
 * Pure: the latest moment of observed time that is not after that many milliseconds. Each leaves the rest 1, so that a
 * moment of which one digit was changed on the disk is none: else it might be ahead of all that was observed.
 */
export const momentOf = (milliseconds: number): number =>
  Math.max(0, Math.floor((milliseconds - 1) / divisor)) * divisor + 1;

export const isMoment = (milliseconds: number): boolean => milliseconds % divisor === 1;
