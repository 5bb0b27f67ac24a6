import type { HealthConfig } from '../../model/config.ts';
import type { InstanceHealth, RecoveryAttempt, RecoveryCause, RecoveryRung } from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { onOneLine } from '../../model/textCut.ts';
import { checkOf } from './healthChecks.ts';
import { isWatched } from './healthRules.ts';
import { causeWords } from './recoveryCause.ts';
import { attemptsWithin, budgetOf } from './recoveryState.ts';

/** What follows an act that did not help, in milliseconds: this, then twice as long each time, up to the most. */
const firstWait = 10_000;
const longestWait = 300_000;

/** Characters that are said of why the last try failed. */
const mostSaid = 200;

export interface LadderFacts {
  readonly record: InstanceRecord;
  readonly health: InstanceHealth;
  readonly cause: RecoveryCause | undefined;
  /** Whether its home is proven to be there and its own; undefined while nobody looked. */
  readonly hasHome: boolean | undefined;
  /** Whether there is a provider that it can be migrated to, without loss; undefined while nobody looked. */
  readonly canMigrate: boolean | undefined;
  /** Why nothing is recovered at its provider now (semantics 10). */
  readonly frozen?: string | undefined;
  /** How many other instances are in recovery, and how many are watched. */
  readonly inRecovery: number;
  readonly fleet: number;
  readonly config: HealthConfig;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** `why` is one sentence for people. */
export type Decision =
  | { readonly do: 'nothing'; readonly why: string }
  /** Ask again at `until`, at most 300 s from now. */
  | { readonly do: 'wait'; readonly until: number; readonly rung: RecoveryRung; readonly why: string }
  /** Ask again with `hasHome`, or with `canMigrate`. */
  | { readonly do: 'look'; readonly what: 'home' | 'refuge'; readonly why: string }
  | { readonly do: 'act'; readonly rung: RecoveryRung; readonly why: string }
  | { readonly do: 'crash-loop'; readonly why: string };

/**
 * The next act on an instance, by the ladder (semantics 12 to 14). Acts only on what is known to be unhealthy, within
 * each rung's budget, and recreates only around a home that is proven.
 */
export function nextAct(facts: LadderFacts): Decision {
  const why = reasonToRest(facts);
  if (why !== undefined) return { do: 'nothing', why };
  const { cause, config } = facts;
  if (cause === undefined) return { do: 'nothing', why: 'It is not known what it suffers from.' };
  const permanent = permanentReason(cause, facts.hasHome);
  if (permanent !== undefined) return { do: 'crash-loop', why: permanent };
  const rungs = rungsOf(cause).filter(rung => config.recoveryActions.includes(rung));
  if (rungs.length === 0) {
    return { do: 'nothing', why: `The settings allow nothing that would help, now that ${causeWords[cause]}.` };
  }
  const rung = rungs.find(each => isLeft(each, facts));
  if (rung !== undefined) return step(rung, cause, facts);
  const isHeldUp = rungs.includes('recreate') && isAffordable('recreate', facts);
  return isHeldUp ? afterFullDisk(cause, facts) : { do: 'crash-loop', why: exhaustion(rungs, cause, facts) };
}

/** The health with what the ladder is going to do about it (semantics 11). */
export function withNext(health: InstanceHealth, decision: Decision): InstanceHealth {
  const { next: _next, ...rest } = health;
  if (health.status === 'healthy' && !health.recovery.crashLoop) return rest;
  const at = decision.do === 'wait' ? { at: new Date(decision.until).toISOString() } : {};
  return { ...rest, next: { act: decision.why, ...at } };
}

/** The mildest act that may help, when somebody asks for one. */
export const mildestRung = (record: Pick<InstanceRecord, 'status'>): RecoveryRung =>
  record.status === 'lost' ? 'recreate' : 'restart';

type RefusalFacts = Pick<LadderFacts, 'record' | 'hasHome' | 'canMigrate'> & {
  /** The record's, when it was asked for: whoever had the instance's turn before may have mended it. */
  readonly statusSince?: string;
};

/**
 * Why a rung that a person or an agent named can't be used now; undefined when it can. Budgets, settings and a crash
 * loop do not bind them; the safety of the home does (semantics 14).
 */
export function refusal(
  rung: RecoveryRung,
  { record, hasHome, canMigrate, statusSince = record.statusSince }: RefusalFacts,
): string | undefined {
  if (record.desired !== 'running') return `It is not wanted running, but ${record.desired}.`;
  if (record.status === 'creating') return 'It is still being made.';
  if (record.status === 'running' && record.statusSince > statusSince) return 'Somebody has started it meanwhile.';
  if (rung === 'migrate')
    return canMigrate ? undefined : 'There is no provider that it can be migrated to without loss.';
  if (hasHome === false) return 'Its home is not there, or is not its own by label; nothing is made in its place.';
  return rung === 'recreate' && hasHome !== true ? 'Its home is not proven to be safe.' : undefined;
}

function reasonToRest({ record, health, cause, frozen, config }: LadderFacts): string | undefined {
  if (health.pausedSince !== undefined) return 'A person paused its monitoring.';
  if (!isWatched(record, health)) return 'It is not wanted running, or is still being made.';
  const { crashLoop } = health.recovery;
  if (crashLoop) return `Nothing until a person resets it or its configuration changes. ${crashLoop.reason}`;
  if (cause === 'disk-full') return 'Its disk is full: it needs room, and no act of recovery makes any.';
  if (health.status !== 'unhealthy') return restful[health.status];
  if (!config.enabled || !config.autoRecover) return 'Automatic recovery is switched off.';
  if (config.maxRecoveryAttempts === 0) return 'The settings allow no attempts of recovery.';
  return frozen;
}

const restful: Readonly<Record<Exclude<InstanceHealth['status'], 'unhealthy'>, string>> = {
  healthy: 'It is healthy.',
  degraded: 'It works, so nothing is recovered.',
  recovering: 'It is being recovered.',
  unknown: 'Nothing is done while it is not known how it is.',
};

function permanentReason(cause: RecoveryCause, hasHome: boolean | undefined): string | undefined {
  if (cause === 'bad-config') return 'Its image or its configuration cannot be run: trying again changes nothing.';
  if (cause === 'provider-gone') return undefined;
  return cause === 'home-missing' || hasHome === false
    ? 'Its home is gone, or is not its own by label; nothing is made in its place.'
    : undefined;
}

/** The acts that may help, mildest first (semantics 13). */
function rungsOf(cause: RecoveryCause): readonly RecoveryRung[] {
  switch (cause) {
    case 'exited':
    case 'unresponsive':
      return ['restart', 'recreate', 'migrate'];
    case 'out-of-memory':
      return ['restart'];
    case 'missing':
      return ['recreate', 'migrate'];
    case 'provider-gone':
      return ['migrate'];
    case 'home-missing':
    case 'disk-full':
    case 'bad-config':
      return [];
  }
}

function isLeft(rung: RecoveryRung, facts: LadderFacts): boolean {
  if (rung === 'migrate' && facts.canMigrate === false) return false;
  if (rung === 'recreate' && fullDiskUntil(facts) > facts.now) return false;
  return isAffordable(rung, facts);
}

const isAffordable = (rung: RecoveryRung, { health, config, now }: LadderFacts) =>
  usedOf(rung, health, config, now).length < budgetOf(rung, config).most;

/**
 * Until when a full disk is believed: what has no room is not made anew, and what does not run is not measured again. One
 * in the future tells of a clock that was set back.
 */
function fullDiskUntil({ health, config, now }: LadderFacts): number {
  const check = checkOf(health, 'resources');
  const at = check?.outcome === 'failed' ? Date.parse(check.at) : Number.NEGATIVE_INFINITY;
  return at > now ? now : at + budgetOf('recreate', config).window;
}

function afterFullDisk(cause: RecoveryCause, facts: LadderFacts): Decision {
  const { now, config } = facts;
  const then = `so the next step waits until ${words(budgetOf('recreate', config).window)} after that`;
  const why = `Its disk was full when it was last measured, ${then}: ${intention('recreate', cause, facts)}`;
  return { do: 'wait', rung: 'recreate', until: Math.min(fullDiskUntil(facts), now + longestWait), why };
}

const usedOf = (rung: RecoveryRung, { recovery }: InstanceHealth, config: HealthConfig, now: number) =>
  attemptsWithin(recovery, budgetOf(rung, config).window, now).filter(attempt => attempt.rung === rung);

function step(rung: RecoveryRung, cause: RecoveryCause, facts: LadderFacts): Decision {
  const { now, config } = facts;
  const why = intention(rung, cause, facts);
  if (rung === 'migrate' && facts.canMigrate === undefined) return { do: 'look', what: 'refuge', why };
  const until = readyAt(facts);
  if (until > now) return { do: 'wait', until, rung, why };
  if (facts.inRecovery >= Math.max(1, Math.floor(config.fleetShare * facts.fleet))) {
    const soon = now + Math.min(config.checkInterval * 1000, longestWait);
    return { do: 'wait', until: soon, rung, why: `It waits for its turn; others are in recovery. ${why}` };
  }
  if (rung === 'recreate' && facts.hasHome !== true) return { do: 'look', what: 'home', why };
  return { do: 'act', rung, why };
}

/** When the wait after the last act is over. An act in the future tells of a clock that was set back, and delays nothing. */
function readyAt({ health, config, now }: LadderFacts): number {
  const recent = attemptsWithin(health.recovery, config.restartWindow * 1000, now);
  const last = Math.max(...recent.map(({ at }) => Date.parse(at)).filter(at => at <= now));
  return recent.length === 0 ? now : last + Math.min(firstWait * 2 ** (recent.length - 1), longestWait);
}

function intention(rung: RecoveryRung, cause: RecoveryCause, { health, config, now }: LadderFacts): string {
  const because = `because ${causeWords[cause]}`;
  if (rung === 'migrate') return `Migrate it to another provider, ${because}.`;
  if (rung === 'recreate') return `Make it anew around its home, once that is proven to be safe, ${because}.`;
  const { most, window } = budgetOf(rung, config);
  const which = `${usedOf(rung, health, config, now).length + 1} of ${most} within ${words(window)}`;
  return `Restart it (${which}), ${because}${cause === 'out-of-memory' ? '; more memory would help it' : ''}.`;
}

function exhaustion(rungs: readonly RecoveryRung[], cause: RecoveryCause, facts: LadderFacts): string {
  const tried = rungs.map(rung => ({ rung, attempts: usedOf(rung, facts.health, facts.config, facts.now) }));
  const parts = tried.map(({ rung, attempts }) => {
    return attempts.length > 0 ? triedText(rung, attempts) : 'there is nowhere to migrate it to without loss';
  });
  const isTried = tried.some(({ attempts }) => attempts.length > 0);
  const what = isTried ? 'It fails again and again, because' : 'Nothing is left that would help, now that';
  const advice = cause === 'out-of-memory' ? ' Give it more memory.' : '';
  return `${what} ${causeWords[cause]}: ${parts.join('; ')}.${advice}`;
}

function triedText(rung: RecoveryRung, attempts: readonly RecoveryAttempt[]): string {
  const failed = attempts.filter(({ outcome }) => outcome === 'failed');
  const done = attempts.length - failed.length;
  const [doneWords, failedWords] = outcomeWords[rung];
  const note = failed.at(-1)?.note;
  const why = note === undefined ? '' : ` (the last time: ${onOneLine(note, mostSaid).replace(/\.$/, '')})`;
  const parts = [
    ...(done > 0 ? [`${doneWords} ${done}×`] : []),
    ...(failed.length > 0 ? [`${failedWords} ${failed.length}×${why}`] : []),
  ];
  return parts.join('; ');
}

/** What was done, and what was tried in vain. */
const outcomeWords: Readonly<Record<RecoveryRung, readonly [done: string, failed: string]>> = {
  restart: ['restarted', 'its restart failed'],
  recreate: ['made anew', 'making it anew failed'],
  migrate: ['migrated', 'its migration failed'],
};

function words(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`;
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;
}
