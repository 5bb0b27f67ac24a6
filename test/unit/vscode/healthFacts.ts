import type { HealthCheck, HealthSample, InstanceHealth, RecoveryAttempt } from '../../../src/model/health.ts';
import { idOf } from './rowFacts.ts';

/** Milliseconds since 1970 of the moment in which these tests play. */
export const noon = Date.UTC(2026, 0, 1, 12);

/** So many minutes before that moment. */
export const minutesAgo = (minutes: number) => new Date(noon - minutes * 60_000).toISOString();

export const check = (change: Partial<HealthCheck> = {}): HealthCheck => ({
  name: 'connectivity',
  outcome: 'passed',
  seen: 'Its editor server answered.',
  at: minutesAgo(0),
  latencyMs: 12.4,
  times: 3,
  ...change,
});

export const sample = (minutes: number, change: Partial<HealthSample> = {}): HealthSample => ({
  at: minutesAgo(minutes),
  status: 'healthy',
  ...change,
});

export const attempt = (minutes: number, change: Partial<RecoveryAttempt> = {}): RecoveryAttempt => ({
  rung: 'restart',
  cause: 'exited',
  at: minutesAgo(minutes),
  outcome: 'succeeded',
  ...change,
});

/** The health of the instance `web-<number>`: good, unless the test wants it otherwise. */
export const healthOf = (number: number, change: Partial<InstanceHealth> = {}): InstanceHealth => ({
  id: idOf(number),
  schemaVersion: 1,
  revision: 1,
  observerEpoch: 1,
  status: 'healthy',
  since: minutesAgo(60),
  reason: 'It runs, and its editor server answers.',
  checks: [
    check({ name: 'provider', seen: '"local" lists it.' }),
    check({ name: 'status', seen: 'It runs, as it should.' }),
    check(),
  ],
  recovery: { attempts: [] },
  history: [sample(60)],
  ...change,
});

export const crashLoop = { since: minutesAgo(5), reason: 'It fails again and again: restarted 3×.' };
