import type { HealthConfig } from '../../model/config.ts';
import type {
  CheckOutcome,
  HealthCheck,
  HealthCheckName,
  InstanceHealth,
  RecoveryAttempt,
} from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { InstanceStats } from '../../model/provider.ts';
import { onOneLine } from '../../model/textCut.ts';
import type { Confirmation, Place, RoundFacts } from './roundFacts.ts';

/** Shares of a limit from which on a resource is short, or used up. */
const shortMemory = 0.9;
const shortDisk = 0.95;
const fullDisk = 0.995;

/** Characters of a foreign text that evidence holds. */
const mostForeign = 500;

type Finding = Pick<HealthCheck, 'name' | 'outcome' | 'seen' | 'latencyMs'>;

/**
 * The checks of one round, each with its evidence (semantics 5, 11). Failures of `connectivity` are outcomes `failed`
 * only after start-up; of `resources`, `warned` is a shortage and `failed` a full disk. What was measured of the
 * resources is kept until the next measurement.
 */
export function checksOf(
  record: InstanceRecord,
  before: InstanceHealth | undefined,
  facts: RoundFacts,
  config: HealthConfig,
): HealthCheck[] {
  const starting = isStarting(record, before, facts.at, config);
  const provider = providerFinding(record, facts);
  const status = statusFinding(facts, starting);
  const connectivity = connectivityFinding(facts, status.outcome, starting);
  const measured = facts.stats ? resourcesFinding(facts.stats) : undefined;
  const checks = [provider, status, connectivity, ...(measured ? [measured] : [])].map(finding =>
    counted(finding, before, facts.at),
  );
  const kept = measured ? undefined : checkOf(before, 'resources');
  return kept ? [...checks, kept] : checks;
}

/** The check of that name, where it was made. */
export const checkOf = (health: InstanceHealth | undefined, name: HealthCheckName): HealthCheck | undefined =>
  health?.checks.find(check => check.name === name);

/**
 * The last resources check, unless two measurements should have been made since. One that lies in the future tells of a
 * clock that was set back, and is not recent.
 */
export function recentResources(
  checks: readonly HealthCheck[],
  now: number,
  config: HealthConfig,
): HealthCheck | undefined {
  const check = checks.find(({ name }) => name === 'resources');
  const age = check ? now - Date.parse(check.at) : 0;
  return age >= 0 && age < 2 * config.resourceInterval * 1000 ? check : undefined;
}

/**
 * Whether it was started so lately that silence is no failure: start-up ends with the first answer, and takes at most so
 * long. A start is where its status changed, or the last act of recovery that did not fail.
 */
export function isStarting(
  record: InstanceRecord,
  before: InstanceHealth | undefined,
  now: number,
  config: HealthConfig,
): boolean {
  const began = Date.parse(record.statusSince);
  const last = lastActOf(before);
  const starts = [began, ...(last ? [Date.parse(last.at)] : [])].filter(start => isWithin(start, now, config));
  return starts.some(start => !hasAnswered(before, start));
}

/** Whether its editor server answered after `start`; silence counts as a failure only where that was so. */
function hasAnswered(before: InstanceHealth | undefined, start: number): boolean {
  const check = checkOf(before, 'connectivity');
  const heard = check !== undefined && ['passed', 'failed'].includes(check.outcome) && Date.parse(check.at) > start;
  return (
    heard || (before?.history ?? []).some(({ at, latencyMs }) => latencyMs !== undefined && Date.parse(at) > start)
  );
}

/** Whether an act of recovery, one that is not known to have failed, began less than the start-up time ago. */
export function isRecovering(before: InstanceHealth | undefined, now: number, config: HealthConfig): boolean {
  const last = lastActOf(before);
  return last !== undefined && isWithin(Date.parse(last.at), now, config);
}

/** The last act of recovery, unless it is known to have failed. */
function lastActOf(before: InstanceHealth | undefined): RecoveryAttempt | undefined {
  const last = before?.recovery.attempts.at(-1);
  return last?.outcome === 'failed' ? undefined : last;
}

/** A start that lies in the future tells of a clock that was set back, and excuses nothing. */
const isWithin = (start: number, now: number, config: HealthConfig) =>
  now >= start && now - start < config.startupGrace * 1000;

/**
 * What has to be asked of the place before these facts can make an instance unhealthy: one get for its status
 * (semantics 6), or two for its absence (semantics 24).
 */
export function toConfirm(
  record: InstanceRecord,
  before: InstanceHealth | undefined,
  facts: RoundFacts,
  config: HealthConfig,
): 'status' | 'absence' | undefined {
  const { place, confirmed } = facts;
  if (place.kind === 'absent') return place.confirmed ? undefined : 'absence';
  if (place.kind === 'failed' || confirmed || place.observation.role !== 'owner') return undefined;
  const { status } = place.observation;
  if (status === 'starting') return isStarting(record, before, facts.at, config) ? undefined : 'status';
  return status === 'stopped' || status === 'failed' ? 'status' : undefined;
}

/** Whether an instance is looked at between rounds: not one whose silence is counted by rounds (semantics 6). */
export function wantsLook(before: InstanceHealth | undefined, place: Place): boolean {
  if (!before || place.kind !== 'seen' || place.observation.status !== 'running') return true;
  return before.status !== 'healthy' && checkOf(before, 'connectivity')?.outcome !== 'failed';
}

function providerFinding({ providerId }: InstanceRecord, { place }: RoundFacts): Finding {
  const name = 'provider';
  switch (place.kind) {
    case 'failed':
      return { name, outcome: 'unknown', seen: `"${providerId}" does not answer: ${withoutDot(place.reason)}.` };
    case 'absent':
      return place.confirmed
        ? { name, outcome: 'failed', seen: `It is no longer on "${providerId}", which was asked twice.` }
        : { name, outcome: 'unknown', seen: `"${providerId}" does not list it; that is not confirmed yet.` };
    case 'seen':
      return { name, outcome: 'passed', seen: `"${providerId}" lists it.`, ...latency(place.latencyMs) };
  }
}

function statusFinding({ place, confirmed }: RoundFacts, starting: boolean): Finding {
  const finding = (outcome: CheckOutcome, seen: string): Finding => ({ name: 'status', outcome, seen });
  if (place.kind === 'failed') return finding('unknown', 'Its status could not be asked for.');
  if (place.kind === 'absent') {
    return place.confirmed
      ? finding('skipped', 'There is nothing that could run.')
      : finding('unknown', 'Its status is not known while it is not listed.');
  }
  const { role } = place.observation;
  if (role !== 'owner') return finding('unknown', `It lies there as "${role}", so it is not judged.`);
  const now: Confirmation = confirmed ?? place.observation;
  switch (now.status) {
    case 'running':
      return finding('passed', 'It runs, as it should.');
    case 'starting':
      if (starting) return finding('unknown', 'It is starting.');
      return confirmed
        ? finding('failed', 'It is starting for longer than a start may take.')
        : finding('unknown', 'It is listed as still starting; that is not confirmed yet.');
    case 'stopped':
    case 'failed':
      return confirmed
        ? finding('failed', `It does not run, though it should${now.detail ? `: ${withoutDot(now.detail)}` : ''}.`)
        : finding('unknown', `It is listed as ${now.status}; that is not confirmed yet.`);
    default:
      return finding('unknown', `It is ${now.status}${now.detail ? `: ${withoutDot(now.detail)}` : ''}.`);
  }
}

function connectivityFinding({ probe }: RoundFacts, status: CheckOutcome, starting: boolean): Finding {
  const finding = (outcome: CheckOutcome, seen: string): Finding => ({
    name: 'connectivity',
    outcome,
    seen,
    ...(outcome === 'skipped' || outcome === 'unknown' ? {} : latency(probe?.latencyMs)),
  });
  if (status === 'failed' || status === 'skipped') return finding('skipped', 'It does not run.');
  if (!probe) return finding('unknown', 'Its editor server was not asked.');
  if (status === 'unknown') return finding('unknown', 'It is not judged by its editor server now.');
  if (probe.answered) return finding('passed', 'Its editor server answered.');
  return starting
    ? finding('warned', `Its editor server is starting: it ${withoutDot(probe.seen)}.`)
    : finding('failed', `Its editor server fails: it ${withoutDot(probe.seen)}.`);
}

function resourcesFinding(stats: InstanceStats): Finding {
  const memory = share(stats.memoryBytes, stats.memoryLimitBytes);
  const disk = share(stats.diskUsedBytes, stats.diskTotalBytes);
  const used = [
    `${stats.cpuCores.toFixed(2)} cores`,
    `${amount(stats.memoryBytes, stats.memoryLimitBytes)} of memory`,
    ...(stats.diskUsedBytes === undefined ? [] : [`${amount(stats.diskUsedBytes, stats.diskTotalBytes)} of disk`]),
  ];
  const numbers = `it uses ${used.join(', ')}`;
  const finding = (outcome: CheckOutcome, seen: string): Finding => ({ name: 'resources', outcome, seen });
  if (disk >= fullDisk) return finding('failed', `Its disk is full: ${numbers}.`);
  const short = [...(memory >= shortMemory ? ['memory'] : []), ...(disk >= shortDisk ? ['disk'] : [])];
  return short.length > 0
    ? finding('warned', `It is short of ${short.join(' and ')}: ${numbers}.`)
    : finding('passed', `It has enough: ${numbers}.`);
}

function counted(finding: Finding, before: InstanceHealth | undefined, at: number): HealthCheck {
  const last = checkOf(before, finding.name);
  const times = last?.outcome === finding.outcome ? last.times + 1 : 1;
  return { ...finding, at: new Date(at).toISOString(), times };
}

const share = (used: number | undefined, limit: number | undefined) =>
  used === undefined || limit === undefined || limit <= 0 ? 0 : used / limit;

const amount = (used: number, limit: number | undefined) =>
  limit === undefined ? gib(used) : `${gib(used)} of ${gib(limit)} (${(share(used, limit) * 100).toFixed(1)} %)`;

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

const latency = (latencyMs: number | undefined) => (latencyMs === undefined ? {} : { latencyMs });

/** What others say goes into our sentences, which bring their own full stop; it hides nothing, and does not go on for ever. */
const withoutDot = (text: string) => onOneLine(text, mostForeign).trimEnd().replace(/\.$/, '');
