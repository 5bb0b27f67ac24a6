import type { HealthConfig } from '../../model/config.ts';
import type { RecoveryAttempt, RecoveryCause, RecoveryRung, RecoveryState } from '../../model/health.ts';

/** The counters before the first act, and after a person or a changed config has reset them. */
export const freshRecovery: RecoveryState = { attempts: [] };

/** How many acts of a rung may fall within how many milliseconds. */
export function budgetOf(rung: RecoveryRung, config: HealthConfig): { most: number; window: number } {
  switch (rung) {
    case 'restart':
      return { most: config.maxRecoveryAttempts, window: config.restartWindow * 1000 };
    case 'recreate':
      return { most: 1, window: config.recreateWindow * 1000 };
    case 'migrate':
      return { most: 1, window: config.migrateWindow * 1000 };
  }
}

/**
 * The attempts that count: those not older than `window`, or in the future, as after a clock was set back; and those
 * that did not help, however old: what takes its time to fail again must not be tried for ever.
 */
export const attemptsWithin = ({ attempts }: RecoveryState, window: number, now: number): RecoveryAttempt[] =>
  attempts.filter(({ at, helped }) => !helped || Date.parse(at) > now - window);

/** The state when an act begins. Attempts that no budget counts any more are dropped. */
export function withAttempt(
  state: RecoveryState,
  attempt: { readonly rung: RecoveryRung; readonly cause: RecoveryCause; readonly at: number },
  config: HealthConfig,
): RecoveryState {
  const windows = (['restart', 'recreate', 'migrate'] as const).map(rung => budgetOf(rung, config).window);
  const begun: RecoveryAttempt = { ...attempt, at: new Date(attempt.at).toISOString(), outcome: 'begun' };
  return { ...state, attempts: [...attemptsWithin(state, Math.max(...windows), attempt.at), begun] };
}

/** The state when the act begun last has ended; unchanged when none is under way. */
export function withOutcome(state: RecoveryState, outcome: 'succeeded' | 'failed', note?: string): RecoveryState {
  const last = state.attempts.at(-1);
  if (last?.outcome !== 'begun') return state;
  const ended: RecoveryAttempt = { ...last, outcome, ...(note === undefined ? {} : { note }) };
  return { ...state, attempts: [...state.attempts.slice(0, -1), ended] };
}

/** The state when no rung is left; the first reason stays. */
export const withCrashLoop = (state: RecoveryState, reason: string, at: number): RecoveryState =>
  state.crashLoop ? state : { ...state, crashLoop: { since: new Date(at).toISOString(), reason } };

/**
 * The state after good health since `healthySince` (undefined when it is not healthy): what was done has helped, and
 * once that was long enough, the restarts are forgotten. Recreates and migrations count for the whole of their windows,
 * and a crash loop stays.
 */
export function afterGoodHealth(
  state: RecoveryState,
  healthySince: number | undefined,
  now: number,
  config: HealthConfig,
): RecoveryState {
  if (healthySince === undefined) return state;
  const isLong = now - healthySince >= config.resetAfter * 1000;
  const left = isLong ? state.attempts.filter(({ rung }) => rung !== 'restart') : state.attempts;
  if (left.length === state.attempts.length && left.every(({ helped }) => helped)) return state;
  return { ...state, attempts: left.map(attempt => ({ ...attempt, helped: true })) };
}
