import type { HealthConfig } from '../../model/config.ts';
import type {
  HealthCheck,
  HealthCheckName,
  HealthSample,
  HealthStatus,
  InstanceHealth,
  RecoveryAttempt,
} from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { InstanceStats } from '../../model/provider.ts';
import { checkOf, checksOf, isRecovering, recentResources } from './healthChecks.ts';
import { causeWords } from './recoveryCause.ts';
import type { RoundFacts } from './roundFacts.ts';

/** Answers in a row that make an instance healthy again after it was not. */
const answersToTrust = 2;

/**
 * Whether an instance is looked at: it is wanted running (semantics 4), its create, or the bringing back of its
 * home, is not the business of somebody else now, and no person paused it.
 */
export function isWatched(record: InstanceRecord, health: InstanceHealth | undefined): boolean {
  const isSettled = record.status !== 'creating' && record.restoring === undefined && record.overruled === undefined;
  return record.desired === 'running' && isSettled && health?.pausedSince === undefined;
}

/**
 * How a watched instance is, by what one round found out (semantics 5 to 7). Never `unhealthy` where something could
 * not be found out. Leaves the ladder's counters as they were, and `next` for the ladder to say.
 */
export function judge(
  record: InstanceRecord,
  before: InstanceHealth | undefined,
  facts: RoundFacts,
  config: HealthConfig,
): InstanceHealth {
  const at = new Date(facts.at).toISOString();
  const checks = checksOf(record, before, facts, config);
  const { status, reason } = verdictOf(checks, before, facts.at, config);
  const { next: _next, ...kept } = before ?? firstHealth(record.id, at);
  const { stats } = facts;
  const sample = { at, status, ...latencyOf(checks), ...(stats ? measuresOf(stats) : {}) };
  const wanted = before?.status !== status || stats !== undefined || isDue(kept.history, facts.at, config);
  return {
    ...kept,
    // Who judges holds the lease, whatever a file that was edited or brought from elsewhere says.
    observerEpoch: Math.max(kept.observerEpoch, facts.observerEpoch),
    status,
    since: before?.status === status ? before.since : at,
    reason,
    checks,
    history: wanted ? appended(kept.history, sample, config) : kept.history,
  };
}

/** The health of an instance on which an act of recovery begins. */
export function underRecovery(health: InstanceHealth, attempt: RecoveryAttempt, config: HealthConfig): InstanceHealth {
  const { next: _next, ...kept } = health;
  const doing = { restart: 'restarted', recreate: 'made anew around its home', migrate: 'migrated' }[attempt.rung];
  return {
    ...kept,
    status: 'recovering',
    since: health.status === 'recovering' ? health.since : attempt.at,
    reason: `It is being ${doing}, because ${causeWords[attempt.cause]}.`,
    history: appended(health.history, { at: attempt.at, status: 'recovering' }, config),
  };
}

/**
 * The health after a round that was thrown away: what the editor server failed to answer before it counts no more
 * (semantics 9). The same object when there is nothing to forget.
 */
export function countedAnew(health: InstanceHealth, at: number, why: string): InstanceHealth {
  if (checkOf(health, 'connectivity')?.outcome !== 'failed') return health;
  const forgotten = { outcome: 'unknown', seen: why, at: new Date(at).toISOString(), times: 1 } as const;
  return {
    ...health,
    checks: health.checks.map(check => (check.name === 'connectivity' ? { name: check.name, ...forgotten } : check)),
  };
}

/**
 * Whether `after` says more than that the same was seen again. False for each round of an idle, healthy instance, but
 * for one in each resource interval, which brings a sample.
 */
export function isWorthWriting(before: InstanceHealth | undefined, after: InstanceHealth): boolean {
  return before === undefined || essence(before) !== essence(after);
}

/** What is stored of a health, without what each round changes. Of the history, the last sample tells. */
function essence({ status, since, reason, next, checks, pausedSince, recovery, history }: InstanceHealth): string {
  const outcomes = checks.map(({ name, outcome }) => [name, outcome]);
  return JSON.stringify([status, since, reason, next, outcomes, pausedSince, recovery, history.length, history.at(-1)]);
}

interface Verdict {
  readonly status: HealthStatus;
  readonly reason: string;
}

function verdictOf(
  checks: readonly HealthCheck[],
  before: InstanceHealth | undefined,
  now: number,
  config: HealthConfig,
): Verdict {
  const check = (name: HealthCheckName) => checks.find(each => each.name === name);
  for (const found of [check('provider'), check('status')]) {
    if (found?.outcome === 'failed') return { status: 'unhealthy', reason: found.seen };
    if (found?.outcome === 'unknown') return notKnown(found, before, now, config);
  }
  const connectivity = check('connectivity');
  if (connectivity?.outcome !== 'passed') return silence(connectivity, before, now, config);
  const isBack = before && ['unhealthy', 'degraded', 'recovering'].includes(before.status);
  if (isBack && connectivity.times < answersToTrust) {
    return { status: 'degraded', reason: 'Its editor server answers again; one more answer makes it healthy.' };
  }
  const resources = recentResources(checks, now, config);
  return resources && resources.outcome !== 'passed'
    ? { status: 'degraded', reason: resources.seen }
    : { status: 'healthy', reason: 'It runs, and its editor server answers.' };
}

/** It runs, and its editor server was not heard. */
function silence(
  connectivity: HealthCheck | undefined,
  before: InstanceHealth | undefined,
  now: number,
  config: HealthConfig,
): Verdict {
  if (connectivity?.outcome !== 'failed') return notKnown(connectivity, before, now, config);
  const status = connectivity.times >= config.failureThreshold ? 'unhealthy' : 'degraded';
  return { status, reason: connectivity.seen };
}

function notKnown(
  check: HealthCheck | undefined,
  before: InstanceHealth | undefined,
  now: number,
  config: HealthConfig,
): Verdict {
  const asked = check?.name !== 'provider';
  const status = asked && isRecovering(before, now, config) ? 'recovering' : 'unknown';
  return { status, reason: check?.seen ?? 'Nothing was found out.' };
}

/** The health of an instance before the first look at it. */
export const firstHealth = (id: string, at: string): InstanceHealth => ({
  id,
  schemaVersion: 1,
  revision: 0,
  observerEpoch: 0,
  status: 'unknown',
  since: at,
  reason: 'It was not looked at yet.',
  checks: [],
  recovery: { attempts: [] },
  history: [],
});

function isDue(history: readonly HealthSample[], now: number, config: HealthConfig): boolean {
  const last = history.at(-1);
  return last === undefined || now - Date.parse(last.at) >= config.resourceInterval * 1000;
}

const appended = (history: readonly HealthSample[], sample: HealthSample, config: HealthConfig) =>
  [...history, sample].slice(-config.historySize);

/** How long the editor server took, where it answered. */
function latencyOf(checks: readonly HealthCheck[]): Pick<HealthSample, 'latencyMs'> {
  const check = checks.find(({ name }) => name === 'connectivity');
  return check?.outcome === 'passed' && check.latencyMs !== undefined ? { latencyMs: check.latencyMs } : {};
}

const measuresOf = ({ id: _id, ...measures }: InstanceStats) => measures;
