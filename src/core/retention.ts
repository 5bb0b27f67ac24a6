import { isMoment } from '../model/observedMoment.ts';

/** Milliseconds that what the trash keeps is kept (semantics 22). */
export const trashTime = 7 * 86_400_000;
/** Milliseconds that a parked copy is kept (semantics 20). */
export const parkedTime = 86_400_000;
/** Until when a copy is parked which only a person may remove. */
export const untilDecided = '9999-12-31T00:00:00.000Z';

/** What a killed window may have counted, and not written. */
const slack = 3_600_000;

/**
 * Pure: whether the time of what is kept has begun to be counted. `keptSince` and `now` are of `ObservedTime`; each move
 * to the trash, or to the side, takes the first away in the write that says so. One of the future tells that the time
 * itself was lost, and one that is no moment that it was not written so.
 */
export const isCounted = (keptSince: number | undefined, now: number): keptSince is number =>
  keptSince !== undefined && isMoment(keptSince) && keptSince <= now + slack;

/** Pure: milliseconds that are left of its time. */
export const timeLeft = (keptSince: number | undefined, length: number, now: number): number =>
  isCounted(keptSince, now) ? keptSince + length - now : length;
