/** Clocks around one round, in milliseconds: the wall's since 1970, the others as of `performance.now()`. */
export interface RoundClocks {
  /** When the round before was judged. */
  readonly wallBefore: number;
  readonly monoBefore: number;
  readonly wallNow: number;
  readonly monoNow: number;
  /** When what runs now was due to run. */
  readonly planned: number;
}

export type RoundVerdict = { readonly do: 'keep' } | { readonly do: 'throw-away'; readonly reason: string };

/**
 * Whether what a round saw can be believed (semantics 9). Not after the machine slept or its clock was set, which shows
 * in the wall clock's going another way than the monotonic one by more than two periods; nor after the event loop
 * lagged by more than one.
 */
export function guardRound(clocks: RoundClocks, periodMs: number): RoundVerdict {
  const jumped = clocks.wallNow - clocks.wallBefore - (clocks.monoNow - clocks.monoBefore);
  if (Math.abs(jumped) > 2 * periodMs) {
    const what = jumped > 0 ? 'slept, or its clock was set forward' : 'had its clock set back';
    return { do: 'throw-away', reason: `This machine ${what}, by ${seconds(jumped)}.` };
  }
  const lagged = clocks.monoNow - clocks.planned;
  if (lagged > periodMs) {
    return { do: 'throw-away', reason: `This window was too busy to look: it lagged by ${seconds(lagged)}.` };
  }
  return { do: 'keep' };
}

/** Milliseconds until the next round: the period ± 10 %, so that windows and providers don't march in step. `random` in [0, 1). */
export const nextRoundIn = (periodMs: number, random: number): number => periodMs * (0.9 + 0.2 * random);

const seconds = (milliseconds: number) => `${Math.round(Math.abs(milliseconds) / 1000)} s`;
