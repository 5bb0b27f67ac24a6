import { describe, expect, test } from 'vitest';
import { toConfirm } from '../../../../src/core/health/healthChecks.ts';
import { countedAnew, isWatched, judge, underRecovery } from '../../../../src/core/health/healthRules.ts';
import { withAttempt } from '../../../../src/core/health/recoveryState.ts';
import type { RoundFacts } from '../../../../src/core/health/roundFacts.ts';
import type { CheckOutcome, InstanceHealth } from '../../../../src/model/health.ts';
import {
  answer,
  config,
  down,
  health,
  iso,
  last,
  noon,
  period,
  record,
  round,
  rounds,
  seen,
  silence,
  stats,
} from './healthFacts.ts';

const outcomes = ({ checks }: InstanceHealth) => Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
const seenBy = (of: InstanceHealth, name: string) => of.checks.find(check => check.name === name)?.seen;
const once = (facts: Partial<RoundFacts>, of = record()) => last(rounds([facts], {}, of));

const stopped = { place: seen({ status: 'stopped', detail: 'exited with code 137' }), probe: undefined };
const exited = { ...stopped, confirmed: { status: 'stopped', detail: 'exited with code 137' } } as const;

describe('who is watched', () => {
  test.each([
    ['what is wanted running', record(), undefined, true],
    ['not what a person or a policy stopped (semantics 4)', record({ desired: 'stopped' }), undefined, false],
    ['not what lies in the trash', record({ desired: 'trashed' }), undefined, false],
    ['not what is being deleted', record({ desired: 'absent' }), undefined, false],
    ['not what is still being made', record({ status: 'creating' }), undefined, false],
    ['also what was lost', record({ status: 'lost' }), undefined, true],
    ['not what a person paused', record(), health({ pausedSince: iso(noon) }), false],
  ])('%s', (_what, of, before, watched) => {
    expect(isWatched(of, before)).toBe(watched);
  });
});

describe('the four checks (semantics 5, 11)', () => {
  test('all of them, with what was seen, when, how long it took and how many times', () => {
    const place = { ...seen(), latencyMs: 4 };
    const [, second] = rounds([{ place }, { place, stats: stats(0.5, 0.2) }]);
    expect(second).toMatchObject({ status: 'healthy', reason: 'It runs, and its editor server answers.' });
    expect(second?.checks).toEqual([
      {
        name: 'provider',
        outcome: 'passed',
        seen: '"docker" lists it.',
        latencyMs: 4,
        at: iso(noon + period),
        times: 2,
      },
      { name: 'status', outcome: 'passed', seen: 'It runs, as it should.', at: iso(noon + period), times: 2 },
      {
        name: 'connectivity',
        outcome: 'passed',
        seen: 'Its editor server answered.',
        latencyMs: 12,
        at: iso(noon + period),
        times: 2,
      },
      {
        name: 'resources',
        outcome: 'passed',
        seen: 'It has enough: it uses 0.50 cores, 2.00 GiB of 4.00 GiB (50.0 %) of memory, 2.00 GiB of 10.00 GiB (20.0 %) of disk.',
        at: iso(noon + period),
        times: 1,
      },
    ]);
  });

  test('a provider that does not answer makes everything unknown (semantics 7)', () => {
    const of = once({ ...down, probe: silence });
    expect(of).toMatchObject({ status: 'unknown', reason: '"docker" does not answer: connect ECONNREFUSED.' });
    expect(outcomes(of)).toEqual({ provider: 'unknown', status: 'unknown', connectivity: 'unknown' });
  });

  test('absence is believed only when confirmed (semantics 24)', () => {
    expect(once({ place: { kind: 'absent', confirmed: false } })).toMatchObject({ status: 'unknown' });
    const of = once({ place: { kind: 'absent', confirmed: true }, probe: undefined });
    expect(of).toMatchObject({ status: 'unhealthy', reason: 'It is no longer on "docker", which was asked twice.' });
    expect(outcomes(of)).toEqual({ provider: 'failed', status: 'skipped', connectivity: 'skipped' });
  });

  test('an exit is believed when a get confirms it, and then at once (semantics 6)', () => {
    const judged = rounds([{}, stopped, exited]);
    expect(judged.map(({ status }) => status)).toEqual(['healthy', 'unknown', 'unhealthy']);
    expect(last(judged).reason).toBe('It does not run, though it should: exited with code 137.');
    expect(outcomes(last(judged))).toEqual({ provider: 'passed', status: 'failed', connectivity: 'skipped' });
  });

  test('a get that says otherwise than the list is believed', () => {
    expect(once({ place: seen(), confirmed: { status: 'stopped' } })).toMatchObject({ status: 'unhealthy' });
    expect(once({ ...stopped, confirmed: { status: 'running' }, probe: answer })).toMatchObject({ status: 'healthy' });
  });

  test.each(['parked', 'incoming', 'trash'] as const)('what lies there as %s is not judged', role => {
    expect(once({ place: seen({ role, status: 'stopped' }), confirmed: { status: 'stopped' } }).status).toBe('unknown');
  });

  test('what needs a get is told', () => {
    const ask = (facts: Partial<RoundFacts>, of = record()) => toConfirm(of, undefined, round(facts), config());
    expect(ask({})).toBeUndefined();
    expect(ask(down)).toBeUndefined();
    expect(ask(stopped)).toBe('status');
    expect(ask(exited)).toBeUndefined();
    expect(ask({ place: { kind: 'absent', confirmed: false } })).toBe('absence');
    expect(ask({ place: { kind: 'absent', confirmed: true } })).toBeUndefined();
    expect(ask({ place: seen({ status: 'starting' }) })).toBe('status');
    expect(ask({ place: seen({ status: 'starting' }) }, record({ statusSince: iso(noon - 1) }))).toBeUndefined();
    expect(ask({ place: seen({ status: 'stopped', role: 'parked' }) })).toBeUndefined();
  });
});

describe('an editor server that does not answer (semantics 6)', () => {
  // p: it answers, f: it does not, u: the provider does not answer. H, D, U, ?: healthy, degraded, unhealthy, unknown.
  test.each([
    ['pfp p', 'HDD H', 'one failure is no ill health, and two answers end it'],
    ['fff', 'DDU', 'three failures in a row are'],
    ['ffpfff', 'DDDDDU', 'in a row: an answer between them begins the count anew'],
    ['ffufff', 'DD?DDU', 'and so does a round in which it could not be asked'],
    ['ffffff', 'DDUUUU', 'it stays so'],
    ['fffpp', 'DDUDH', 'one answer leaves unhealthy, two leave degraded'],
    ['fffpf', 'DDUDD', 'after one answer, three failures are counted anew'],
    ['fffup', 'DDU?H', 'what is not known is not ill'],
  ])('%s → %s: %s', (told, expected) => {
    const facts = [...told.replace(' ', '')].map(each =>
      each === 'u' ? down : { probe: each === 'p' ? answer : silence },
    );
    const letter = { healthy: 'H', degraded: 'D', unhealthy: 'U', unknown: '?', recovering: 'R' };
    const judged = rounds(facts);
    expect(judged.map(({ status }) => letter[status]).join('')).toBe(expected.replace(' ', ''));
  });

  test('says what came instead, and how many times', () => {
    const of = last(rounds([{ probe: silence }, { probe: silence }, { probe: silence }]));
    expect(of.reason).toBe('Its editor server fails: it did not answer within 5 s.');
    expect(of.checks[2]).toMatchObject({ name: 'connectivity', outcome: 'failed', times: 3, latencyMs: 5000 });
  });

  test('is not known when it was not asked', () => {
    expect(once({ probe: undefined })).toMatchObject({ status: 'unknown', reason: 'Its editor server was not asked.' });
  });

  test('counts anew after a round that was thrown away (semantics 9)', () => {
    const why = 'This machine slept.';
    const two = last(rounds([{ probe: silence }, { probe: silence }]));
    const anew = countedAnew(two, noon, why);
    const forgotten = { name: 'connectivity', outcome: 'unknown', seen: why, at: iso(noon), times: 1 };
    expect(anew.checks).toEqual([two.checks[0], two.checks[1], forgotten]);
    const third = judge(record(), anew, round({ probe: silence }), config());
    expect([third.status, third.checks[2]?.times]).toEqual(['degraded', 1]);
    for (const facts of [{}, down, exited]) {
      const counted = once(facts);
      expect(countedAnew(counted, noon, why)).toBe(counted);
    }
  });
});

describe('a start', () => {
  const fresh = record({ statusSince: iso(noon - 60_000) });

  test('is waited for: silence is no failure and counts for nothing', () => {
    const judged = rounds(Array(10).fill({ probe: silence }), { startupGrace: 60 + 7 * 30 }, fresh);
    expect(judged.map(({ status }) => status)).toEqual([
      ...Array(7).fill('unknown'),
      ...['degraded', 'degraded', 'unhealthy'],
    ]);
    expect(judged[0]?.reason).toBe('Its editor server is starting: it did not answer within 5 s.');
  });

  test('is over with its first answer: silence after it counts at once', () => {
    const judged = rounds([{}, ...Array(3).fill({ probe: silence })], {}, fresh);
    expect(judged.map(({ status }) => status)).toEqual(['healthy', 'degraded', 'degraded', 'unhealthy']);
  });

  test('stays over while its provider does not answer', () => {
    const judged = rounds([{}, down, ...Array(3).fill({ probe: silence })], {}, fresh);
    expect(judged.map(({ status }) => status)).toEqual(['healthy', 'unknown', 'degraded', 'degraded', 'unhealthy']);
  });

  test('is not over by what was heard before it', () => {
    const ill = last(rounds(Array(3).fill({ probe: silence })));
    const silentAfterStart = (at: number) => {
      const before = { ...ill, checks: ill.checks.map(check => ({ ...check, at: iso(noon) })) };
      const restarted = record({ statusSince: iso(at) });
      return judge(restarted, before, round({ at: noon + period, probe: silence }), config()).status;
    };
    expect([noon - 1, noon, noon + 1].map(silentAfterStart)).toEqual(['unhealthy', 'unknown', 'unknown']);
  });

  test('takes as long as it may, and then has failed when a get confirms it', () => {
    const starting = { place: seen({ status: 'starting' }), probe: undefined };
    const confirmed = { ...starting, confirmed: { status: 'starting' } } as const;
    expect(once(starting, fresh)).toMatchObject({ status: 'unknown', reason: 'It is starting.' });
    expect(once(confirmed, fresh)).toMatchObject({ status: 'unknown', reason: 'It is starting.' });
    expect(once(starting)).toMatchObject({ status: 'unknown' });
    expect(once(confirmed)).toMatchObject({ status: 'unhealthy' });
  });

  test('is healthy with its first answer', () => {
    expect(once({}, fresh).status).toBe('healthy');
  });

  test('that ends in an exit has failed at once', () => {
    expect(once(exited, fresh).status).toBe('unhealthy');
  });

  test('in the future, as after a clock was set back, excuses nothing', () => {
    const judged = rounds(Array(3).fill({ probe: silence }), {}, record({ statusSince: iso(noon + 3_600_000) }));
    expect(last(judged).status).toBe('unhealthy');
  });

  test('by the ladder is a recovery until its editor server has answered twice', () => {
    const sick = last(rounds([exited]));
    const recovery = withAttempt(sick.recovery, { rung: 'restart', cause: 'exited', at: noon }, config());
    const [attempt] = recovery.attempts;
    if (!attempt) expect.fail('no attempt');
    const begun = underRecovery({ ...sick, recovery, next: { act: 'Restart it.' } }, attempt, config());
    expect(begun).not.toHaveProperty('next');
    expect(begun).toMatchObject({ status: 'recovering', reason: 'It is being restarted, because it does not run.' });
    expect(begun.history.map(({ status }) => status)).toEqual(['unhealthy', 'recovering']);
    const next = (before: InstanceHealth, minutes: number, facts: Partial<RoundFacts>) =>
      judge(record(), before, round({ at: noon + minutes * 60_000, ...facts }), config());
    const silent = next(begun, 1, { probe: silence });
    const heard = next(silent, 2, {});
    expect([silent, heard, next(heard, 3, {})].map(({ status }) => status)).toEqual([
      'recovering',
      'degraded',
      'healthy',
    ]);
    expect(next(begun, 1, exited).status).toBe('unhealthy');
    expect(next(begun, 1, down).status).toBe('unknown');
    expect(next(silent, 6, { probe: silence }).status).toBe('degraded');
    const gaveUp = { ...begun, recovery: { attempts: [{ ...attempt, outcome: 'failed' as const }] } };
    expect(next(gaveUp, 1, { probe: silence }).status).toBe('degraded');
  });
});

describe('resources (semantics 5)', () => {
  test.each<[string, number, number, CheckOutcome, string]>([
    ['enough of both', 0.89, 0.94, 'passed', 'healthy'],
    ['memory at 90 % of its limit', 0.9, 0.2, 'warned', 'degraded'],
    ['disk at 95 %', 0.2, 0.95, 'warned', 'degraded'],
    ['a full disk', 0.2, 0.996, 'failed', 'degraded'],
  ])('%s', (_what, memory, disk, outcome, status) => {
    const of = once({ stats: stats(memory, disk) });
    expect(outcomes(of)).toMatchObject({ resources: outcome });
    expect(of).toMatchObject({ status, ...(status === 'degraded' ? { reason: seenBy(of, 'resources') } : {}) });
  });

  test('say in words what is short', () => {
    expect(seenBy(once({ stats: stats(0.95, 0.96) }), 'resources')).toMatch(
      /^It is short of memory and disk: it uses /,
    );
    expect(seenBy(once({ stats: stats(0.1, 1) }), 'resources')).toMatch(
      /^Its disk is full: .*10\.00 GiB of 10\.00 GiB/,
    );
  });

  test('without a limit are never short', () => {
    const { memoryLimitBytes: _limit, diskTotalBytes: _total, ...unlimited } = stats(5, 5);
    const of = once({ stats: unlimited });
    expect(seenBy(of, 'resources')).toBe('It has enough: it uses 0.50 cores, 20.00 GiB of memory, 50.00 GiB of disk.');
  });

  test('are kept until they are measured again, yet not believed for ever', () => {
    const of = rounds([{ stats: stats(0.95, 0.2) }, {}, { stats: stats(0.1, 0.2) }]);
    expect(of.map(({ status }) => status)).toEqual(['degraded', 'degraded', 'healthy']);
    expect(of[1]?.checks[3]).toBe(of[0]?.checks[3]);
    const late = judge(record(), of[1], round({ at: noon + 600_000 }), config());
    expect([late.status, outcomes(late).resources]).toEqual(['healthy', 'warned']);
  });
});
