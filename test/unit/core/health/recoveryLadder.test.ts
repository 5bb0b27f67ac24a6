import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Decision,
  type LadderFacts,
  nextAct,
  refusal,
  withNext,
} from '../../../../src/core/health/recoveryLadder.ts';
import { freshRecovery, withAttempt, withCrashLoop } from '../../../../src/core/health/recoveryState.ts';
import type { HealthConfig } from '../../../../src/model/config.ts';
import { HealthStatus, type RecoveryCause, RecoveryRung } from '../../../../src/model/health.ts';
import { config, health, iso, noon, record } from './healthFacts.ts';
import { ladderFacts as facts, having, minutes, seconds, threeRestarts } from './ladderFacts.ts';

describe('the ladder (semantics 12)', () => {
  test('begins with a restart at once', () => {
    expect(nextAct(facts())).toEqual({
      do: 'act',
      rung: 'restart',
      why: 'Restart it (1 of 3 within 10 min), because it does not run.',
    });
  });

  test('then waits 10 s, then 20 s', () => {
    const second = nextAct(facts({ health: having(['restart', 4 * seconds]) }));
    expect(second).toMatchObject({ do: 'wait', rung: 'restart', until: noon + 6 * seconds });
    expect(nextAct(facts({ health: having(['restart', 10 * seconds]) })).do).toBe('act');
    const third = facts({ health: having(['restart', 10 * seconds], ['restart', 0]) });
    expect(nextAct(third)).toMatchObject({ do: 'wait', rung: 'restart', until: noon + 20 * seconds });
  });

  test('never waits longer than 300 s', () => {
    const tried = [...Array(20).keys()].map((_, index): [RecoveryRung, number] => ['restart', index]);
    const many = facts({ health: having(...tried), config: config({ maxRecoveryAttempts: 100 }) });
    expect(nextAct(many)).toMatchObject({ do: 'wait', until: noon + 300 * seconds });
  });

  test('after three restarts in 10 min recreates, once the home was looked at', () => {
    const used = { health: having(...threeRestarts) };
    const why = 'Make it anew around its home, once that is proven to be safe, because it does not run.';
    expect(nextAct(facts(used))).toEqual({ do: 'look', what: 'home', why });
    expect(nextAct(facts({ ...used, hasHome: true }))).toEqual({ do: 'act', rung: 'recreate', why });
    expect(nextAct(facts({ ...used, hasHome: false }))).toMatchObject({ do: 'crash-loop' });
  });

  test('waits before it recreates, too', () => {
    const just = having(['restart', 40 * seconds], ['restart', 30 * seconds], ['restart', 10 * seconds]);
    const wait = nextAct(facts({ health: just, hasHome: true }));
    expect(wait).toMatchObject({ do: 'wait', rung: 'recreate', until: noon + 30 * seconds });
  });

  test('restarts again when the three are more than 10 min ago', () => {
    expect(nextAct(facts({ health: having(['restart', 11 * minutes], ...threeRestarts.slice(1)) }))).toMatchObject({
      do: 'act',
      rung: 'restart',
    });
  });

  test('counts what did not help, however long ago', () => {
    const ago = [90 * minutes, 80 * minutes, 70 * minutes];
    const attempts = ago.map(each => ({
      ...({ rung: 'restart', cause: 'unresponsive', outcome: 'succeeded' } as const),
      at: iso(noon - each),
    }));
    const silent = health({ status: 'unhealthy', recovery: { attempts } });
    expect(nextAct(facts({ health: silent, hasHome: true }))).toMatchObject({ do: 'act', rung: 'recreate' });
  });

  test('after a recreate in 30 min migrates, where that can be done', () => {
    const used = { health: having(['recreate', 29 * minutes], ...threeRestarts), hasHome: true };
    expect(nextAct(facts({ ...used, canMigrate: true }))).toMatchObject({ do: 'act', rung: 'migrate' });
    expect(nextAct(facts({ ...used, health: having(['recreate', 30 * minutes], ...threeRestarts) }))).toMatchObject({
      do: 'act',
      rung: 'recreate',
    });
  });

  test('ends in a crash loop that says what was tried', () => {
    const spent = having(['recreate', 20 * minutes], ...threeRestarts);
    expect(nextAct(facts({ health: spent }))).toEqual({
      do: 'crash-loop',
      why: 'It fails again and again, because it does not run: restarted 3×; made anew 1×; there is nowhere to migrate it to without loss.',
    });
    const moved = having(['migrate', 5 * 60 * minutes], ['recreate', 20 * minutes], ...threeRestarts);
    expect(nextAct(facts({ health: moved, canMigrate: true }))).toMatchObject({
      do: 'crash-loop',
      why: expect.stringContaining('migrated 1×'),
    });
  });

  test('does not call done what failed, nor again and again what was never tried', () => {
    const attempts = having(...threeRestarts, ['migrate', 5 * minutes]).recovery.attempts.map((attempt, index) => ({
      ...attempt,
      outcome: index === 0 ? ('succeeded' as const) : ('failed' as const),
    }));
    const actions = (...recoveryActions: HealthConfig['recoveryActions']) => config({ recoveryActions });
    const failing = health({ status: 'unhealthy', recovery: { attempts } });
    expect(nextAct(facts({ health: failing, canMigrate: true, config: actions('restart', 'migrate') })).why).toBe(
      'It fails again and again, because it does not run: restarted 1×; its restart failed 2×; its migration failed 1×.',
    );
    expect(nextAct(facts({ config: actions('migrate') })).why).toBe(
      'Nothing is left that would help, now that it does not run: there is nowhere to migrate it to without loss.',
    );
  });

  test('says why the last try failed, on one line, and not for ever', () => {
    const said = (...notes: (string | undefined)[]) => {
      const past = having(...threeRestarts).recovery.attempts.slice(0, notes.length);
      const attempts = past.map((attempt, index) => {
        const note = notes[index];
        return { ...attempt, outcome: 'failed' as const, ...(note !== undefined && { note }) };
      });
      const recovery = { attempts };
      const over = config({ recoveryActions: ['restart'], maxRecoveryAttempts: notes.length });
      return nextAct(facts({ health: health({ status: 'unhealthy', recovery }), config: over })).why;
    };
    expect(said('The port is taken.', 'The image "web"\nis gone.')).toBe(
      'It fails again and again, because it does not run: its restart failed 2× (the last time: The image "web" is gone).',
    );
    expect(said('The port is taken.', undefined)).toContain('its restart failed 2×.');
    expect(said('x'.repeat(1_000)).length).toBeLessThan(400);
  });

  test('looks for another provider before it means to go there', () => {
    const spent = having(['recreate', 20 * minutes], ...threeRestarts);
    expect(nextAct(facts({ health: spent, canMigrate: undefined }))).toMatchObject({ do: 'look', what: 'refuge' });
  });

  test('stays in a crash loop until it is reset', () => {
    const recovery = withCrashLoop(freshRecovery, 'It failed.', noon);
    const looping = health({ status: 'unhealthy', recovery });
    expect(nextAct(facts({ health: looping, now: noon + 1e9 }))).toEqual({
      do: 'nothing',
      why: 'Nothing until a person resets it or its configuration changes. It failed.',
    });
    expect(withCrashLoop(recovery, 'Another reason.', noon + 1)).toBe(recovery);
    expect(nextAct(facts({ health: { ...looping, recovery: freshRecovery } })).do).toBe('act');
  });

  test('counts an act that nobody ended', () => {
    const cut = withAttempt(freshRecovery, { rung: 'restart', cause: 'exited', at: noon - 1 * seconds }, config());
    expect(cut.attempts[0]?.outcome).toBe('begun');
    expect(nextAct(facts({ health: health({ status: 'unhealthy', recovery: cut }) }))).toMatchObject({
      do: 'wait',
      why: expect.stringContaining('2 of 3'),
    });
  });

  test('is not held up by acts in the future, as after a clock was set back, but counts them', () => {
    const ahead = having(['restart', -3_600 * seconds]);
    expect(nextAct(facts({ health: ahead }))).toMatchObject({ do: 'act', why: expect.stringContaining('2 of 3') });
  });
});

describe('the settings choose', () => {
  test.each<[string, Partial<HealthConfig>, Partial<LadderFacts>, Partial<Decision>]>([
    ['no recovery', { autoRecover: false }, {}, { do: 'nothing', why: 'Automatic recovery is switched off.' }],
    ['no monitor', { enabled: false }, {}, { do: 'nothing', why: 'Automatic recovery is switched off.' }],
    ['no attempts', { maxRecoveryAttempts: 0 }, { hasHome: true }, { do: 'nothing' }],
    ['no rungs', { recoveryActions: [] }, {}, { do: 'nothing' }],
    ['only recreate', { recoveryActions: ['recreate'] }, { hasHome: true }, { do: 'act', rung: 'recreate' }],
    ['only migrate', { recoveryActions: ['migrate'] }, { canMigrate: true }, { do: 'act', rung: 'migrate' }],
    ['only migrate, which can not be done', { recoveryActions: ['migrate'] }, {}, { do: 'crash-loop' }],
    ['only restart, where that is no help', { recoveryActions: ['restart'] }, { cause: 'missing' }, { do: 'nothing' }],
    ['one restart', { maxRecoveryAttempts: 1 }, { health: having(['restart', 5 * minutes]) }, { do: 'look' }],
  ])('%s', (_what, over, more, decision) => {
    expect(nextAct(facts({ ...more, config: config(over) }))).toMatchObject(decision);
  });
});

describe('the cause picks the rung (semantics 13)', () => {
  test.each<[RecoveryCause, Partial<LadderFacts>, Partial<Decision>]>([
    ['exited', {}, { do: 'act', rung: 'restart' }],
    ['unresponsive', {}, { do: 'act', rung: 'restart' }],
    ['out-of-memory', {}, { do: 'act', rung: 'restart', why: expect.stringContaining('more memory would help') }],
    [
      'out-of-memory',
      { health: having(...threeRestarts), hasHome: true, canMigrate: true },
      { do: 'crash-loop', why: expect.stringContaining('Give it more memory.') },
    ],
    ['missing', {}, { do: 'look', what: 'home' }],
    ['missing', { hasHome: true }, { do: 'act', rung: 'recreate' }],
    ['missing', { hasHome: false }, { do: 'crash-loop', why: expect.stringContaining('Its home is gone') }],
    [
      'home-missing',
      { canMigrate: true },
      { do: 'crash-loop', why: expect.stringContaining('nothing is made in its') },
    ],
    ['disk-full', { hasHome: true, canMigrate: true }, { do: 'nothing', why: expect.stringContaining('disk is full') }],
    ['bad-config', { hasHome: true, canMigrate: true }, { do: 'crash-loop' }],
    ['provider-gone', { canMigrate: true, hasHome: false }, { do: 'act', rung: 'migrate' }],
    ['provider-gone', {}, { do: 'crash-loop' }],
  ])('%s', (cause, over, decision) => {
    expect(nextAct(facts({ cause, ...over }))).toMatchObject(decision);
  });

  test('a full disk leads to nothing where the instance is only degraded, too', () => {
    const degraded = health({ status: 'degraded' });
    expect(nextAct(facts({ cause: 'disk-full', health: degraded }))).toMatchObject({
      do: 'nothing',
      why: expect.stringContaining('disk is full'),
    });
  });

  test('what had a full disk when it was last measured is made anew only when that is long ago', () => {
    const measured = (ago: number) => {
      const checks = health({}, { resources: 'failed' }).checks.map(check => ({ ...check, at: iso(noon - ago) }));
      return { ...having(...threeRestarts), checks };
    };
    const first = nextAct(facts({ health: measured(29 * minutes), hasHome: true }));
    expect(first).toEqual({
      do: 'wait',
      rung: 'recreate',
      until: noon + 1 * minutes,
      why: 'Its disk was full when it was last measured, so the next step waits until 30 min after that: Make it anew around its home, once that is proven to be safe, because it does not run.',
    });
    expect(nextAct(facts({ health: measured(0), hasHome: true }))).toMatchObject({ until: noon + 300 * seconds });
    expect(nextAct(facts({ health: measured(0), hasHome: true, canMigrate: true }))).toMatchObject({ rung: 'migrate' });
    const later = facts({ health: measured(30 * minutes), hasHome: true });
    expect(nextAct(later)).toMatchObject({ do: 'act', rung: 'recreate' });
    const spent = { ...measured(0), recovery: having(['recreate', 20 * minutes], ...threeRestarts).recovery };
    expect(nextAct(facts({ health: spent, hasHome: true }))).toMatchObject({ do: 'crash-loop' });
  });

  test('nothing is done while nobody knows it', () => {
    expect(nextAct(facts({ cause: undefined })).do).toBe('nothing');
  });
});

describe('who is left alone', () => {
  test.each<[string, Partial<LadderFacts>, string]>([
    ['what is not wanted running', { record: record({ desired: 'stopped' }) }, 'It is not wanted running'],
    ['what is still being made', { record: record({ status: 'creating' }) }, 'still being made'],
    ['what a person paused', { health: health({ status: 'unhealthy', pausedSince: iso(noon) }) }, 'paused'],
    ['who lives at a suspect provider', { frozen: '3 of 4 instances fail at once.' }, '3 of 4 instances fail at once.'],
  ])('%s', (_what, over, why) => {
    expect(nextAct(facts(over))).toEqual({ do: 'nothing', why: expect.stringContaining(why) });
  });

  test.each(HealthStatus.options.filter(status => status !== 'unhealthy'))('what is %s', status => {
    expect(nextAct(facts({ health: health({ status }) })).do).toBe('nothing');
  });
});

describe('the fleet (semantics 14)', () => {
  test.each([
    [1, 0, 'act'],
    [1, 1, 'wait'],
    [19, 1, 'wait'],
    [20, 1, 'act'],
    [20, 2, 'wait'],
    [30, 2, 'act'],
  ] as const)('of %i, with %i in recovery: %s', (fleet, inRecovery, expected) => {
    expect(nextAct(facts({ fleet, inRecovery })).do).toBe(expected);
  });

  test('a turn is waited for by the check interval, and said', () => {
    expect(nextAct(facts({ inRecovery: 1 }))).toEqual({
      do: 'wait',
      rung: 'restart',
      until: noon + 30 * seconds,
      why: 'It waits for its turn; others are in recovery. Restart it (1 of 3 within 10 min), because it does not run.',
    });
  });

  test('is asked again within 300 s, however seldom it is checked', () => {
    const seldom = facts({ inRecovery: 1, config: config({ checkInterval: 3_600 }) });
    expect(nextAct(seldom)).toMatchObject({ do: 'wait', until: noon + 300 * seconds });
  });

  test('that fails as a whole is mended by a tenth at a time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (fleet, fleetShare) => {
        let inRecovery = 0;
        for (let each = 0; each < fleet; each++) {
          const decision = nextAct(facts({ fleet, inRecovery, config: config({ fleetShare }) }));
          if (decision.do === 'act') inRecovery++;
        }
        expect(inRecovery).toBe(Math.max(1, Math.floor(fleet * fleetShare)));
      }),
    );
  });
});

describe('what happens next is told (semantics 11)', () => {
  test.each<[string, Decision, object | undefined]>([
    ['an act', { do: 'act', rung: 'restart', why: 'Restart it.' }, { act: 'Restart it.' }],
    ['a wait, with its end', { do: 'wait', rung: 'restart', until: noon, why: 'w.' }, { act: 'w.', at: iso(noon) }],
    ['a look', { do: 'look', what: 'home', why: 'Look.' }, { act: 'Look.' }],
    ['the end', { do: 'crash-loop', why: 'It fails.' }, { act: 'It fails.' }],
    ['why nothing is done', { do: 'nothing', why: 'It is off.' }, { act: 'It is off.' }],
  ])('%s', (_what, decision, next) => {
    expect(withNext(health({ status: 'unhealthy', next: { act: 'Old.' } }), decision).next).toEqual(next);
  });

  test('and nothing where all is well', () => {
    const nothing = { do: 'nothing', why: 'It is healthy.' } as const;
    expect(withNext(health({ next: { act: 'Old.' } }), nothing)).not.toHaveProperty('next');
    const looping = health({ recovery: withCrashLoop(freshRecovery, 'r', noon) });
    expect(withNext(looping, nothing)).toHaveProperty('next');
  });
});

describe('a rung that a person or an agent names', () => {
  test.each<[RecoveryRung, Partial<LadderFacts>, string | undefined]>([
    ['restart', {}, undefined],
    ['restart', { hasHome: true }, undefined],
    ['restart', { hasHome: false }, 'Its home is not there'],
    ['recreate', { hasHome: true }, undefined],
    ['recreate', { hasHome: undefined }, 'Its home is not proven to be safe.'],
    ['recreate', { hasHome: false }, 'Its home is not there'],
    ['migrate', { canMigrate: true }, undefined],
    ['migrate', { canMigrate: false }, 'no provider'],
    ['restart', { record: record({ desired: 'stopped' }) }, 'It is not wanted running, but stopped.'],
    ['restart', { record: record({ status: 'creating' }) }, 'It is still being made.'],
  ])('%s', (rung, over, why) => {
    const refused = refusal(rung, facts(over));
    if (why === undefined) expect(refused).toBeUndefined();
    else expect(refused).toContain(why);
  });

  test('is bound by no budget and no crash loop', () => {
    const recovery = withCrashLoop(having(['recreate', 0], ...threeRestarts).recovery, 'r', noon);
    const spent = facts({ health: health({ recovery }), config: config({ autoRecover: false }), hasHome: true });
    expect(RecoveryRung.options.filter(rung => refusal(rung, spent) === undefined)).toEqual(['restart', 'recreate']);
  });
});
