import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guardRound, nextRoundIn, type RoundClocks } from '../../../../src/core/health/roundGuard.ts';

const period = 30_000;

/** Clocks of a round that ran on time, one period after the one before. */
const onTime: RoundClocks = {
  wallBefore: 1_000_000_000,
  monoBefore: 5_000,
  wallNow: 1_000_000_000 + period,
  monoNow: 5_000 + period,
  planned: 5_000 + period,
};
const clocks = (over: Partial<RoundClocks>): RoundClocks => ({ ...onTime, ...over });

describe('a round is thrown away (semantics 9)', () => {
  test('not when it ran on time', () => {
    expect(guardRound(onTime, period)).toEqual({ do: 'keep' });
  });

  test('when the machine slept: the wall clock went on, the monotonic one did not', () => {
    expect(guardRound(clocks({ wallNow: onTime.wallNow + 8 * 3_600_000 }), period)).toEqual({
      do: 'throw-away',
      reason: 'This machine slept, or its clock was set forward, by 28800 s.',
    });
  });

  test('when the clock was set back', () => {
    expect(guardRound(clocks({ wallNow: onTime.wallNow - 3_600_000 }), period)).toEqual({
      do: 'throw-away',
      reason: 'This machine had its clock set back, by 3600 s.',
    });
  });

  test('when the event loop lagged by more than a period', () => {
    expect(guardRound(clocks({ planned: onTime.monoNow - 31_000 }), period)).toEqual({
      do: 'throw-away',
      reason: 'This window was too busy to look: it lagged by 31 s.',
    });
  });

  test.each([
    ['a jump of just two periods', clocks({ wallNow: onTime.wallNow + 2 * period })],
    ['a step back of just two periods', clocks({ wallNow: onTime.wallNow - 2 * period })],
    ['a lag of just one period', clocks({ planned: onTime.monoNow - period })],
    ['a round that an event woke early', clocks({ planned: onTime.monoNow + 10_000 })],
  ])('%s is borne', (_what, borne) => {
    expect(guardRound(borne, period)).toEqual({ do: 'keep' });
  });

  test('exactly when the clocks parted by more than two periods, or it is late by more than one', () => {
    const milliseconds = fc.integer({ min: -200_000, max: 200_000 });
    fc.assert(
      fc.property(
        milliseconds,
        milliseconds,
        fc.nat(200_000),
        fc.integer({ min: 5_000, max: 60_000 }),
        (jump, lag, passed, ms) => {
          const { wallBefore, monoBefore } = onTime;
          const monoNow = monoBefore + passed;
          const wallNow = wallBefore + passed + jump;
          const verdict = guardRound({ wallBefore, monoBefore, monoNow, wallNow, planned: monoNow - lag }, ms);
          expect(verdict.do === 'throw-away').toBe(Math.abs(jump) > 2 * ms || lag > ms);
        },
      ),
    );
  });
});

test('the next round comes after the period ± 10 %, evenly spread', () => {
  expect(nextRoundIn(period, 0)).toBeCloseTo(27_000);
  expect(nextRoundIn(period, 0.5)).toBeCloseTo(30_000);
  expect(nextRoundIn(period, 1)).toBeCloseTo(33_000);
});
