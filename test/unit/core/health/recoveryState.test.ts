import { describe, expect, test } from 'vitest';
import {
  afterGoodHealth,
  freshRecovery,
  withAttempt,
  withCrashLoop,
  withOutcome,
} from '../../../../src/core/health/recoveryState.ts';
import type { RecoveryAttempt } from '../../../../src/model/health.ts';
import { config, frozen, iso, noon } from './healthFacts.ts';
import { having, minutes } from './ladderFacts.ts';

describe('the counters', () => {
  const restart = { rung: 'restart', cause: 'exited', at: noon } as const;

  test('take the end of an act, with a note', () => {
    const state = withOutcome(withAttempt(freshRecovery, restart, config()), 'failed', 'The engine said no.');
    expect(state.attempts).toEqual([{ ...restart, at: iso(noon), outcome: 'failed', note: 'The engine said no.' }]);
  });

  test('know of no end without a beginning, as after a reset in between', () => {
    expect(withOutcome(freshRecovery, 'failed')).toBe(freshRecovery);
    const ended = withOutcome(withAttempt(freshRecovery, restart, config()), 'succeeded');
    expect(withOutcome(ended, 'failed')).toBe(ended);
  });

  test('drop what no budget counts any more', () => {
    const { attempts } = having(['migrate', 6 * 60 * minutes], ['restart', 6 * 60 * minutes - 1]).recovery;
    expect(withAttempt({ attempts }, restart, config()).attempts.map(({ at }) => at)).toEqual([
      iso(noon - 6 * 60 * minutes + 1),
      iso(noon),
    ]);
  });

  test('keep what did not help, however old, until good health comes', () => {
    const old: RecoveryAttempt = { ...restart, at: iso(noon - 7 * 60 * minutes), outcome: 'succeeded' };
    const silent = withAttempt({ attempts: [old] }, restart, config());
    expect(silent.attempts).toHaveLength(2);
    const well = afterGoodHealth(silent, noon, noon, config());
    expect(well.attempts.map(({ helped }) => helped)).toEqual([true, true]);
    expect(withAttempt(well, restart, config()).attempts).toHaveLength(2);
  });

  test('forget restarts after 10 min in good health, but no recreate and no crash loop', () => {
    const { attempts } = having(['recreate', 20 * minutes], ['restart', 15 * minutes]).recovery;
    const state = frozen(withCrashLoop({ attempts }, 'r', noon));
    expect(afterGoodHealth(state, undefined, noon, config())).toBe(state);
    expect(afterGoodHealth(state, noon - 9 * minutes, noon, config())).toBe(state);
    const later = afterGoodHealth(state, noon - 10 * minutes, noon, config());
    expect(later).toEqual({ attempts: [attempts[0]], crashLoop: state.crashLoop });
    expect(afterGoodHealth(later, noon - 10 * minutes, noon, config())).toBe(later);
  });
});
