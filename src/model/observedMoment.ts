/** A prime, and less than what a time need be exact to: about ten seconds. */
const divisor = 9973;

/**
 * Pure: the latest moment of observed time that is not after that many milliseconds. Each leaves the rest 1, so that a
 * moment of which one digit was changed on the disk is none: else it might be ahead of all that was observed.
 */
export const momentOf = (milliseconds: number): number =>
  Math.max(0, Math.floor((milliseconds - 1) / divisor)) * divisor + 1;

export const isMoment = (milliseconds: number): boolean => milliseconds % divisor === 1;
