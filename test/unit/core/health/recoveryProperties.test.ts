import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, type LadderFacts, nextAct } from '../../../../src/core/health/recoveryLadder.ts';
import {
  afterGoodHealth,
  budgetOf,
  freshRecovery,
  withAttempt,
  withCrashLoop,
  withOutcome,
} from '../../../../src/core/health/recoveryState.ts';
import type { HealthConfig } from '../../../../src/model/config.ts';
import { HealthStatus, RecoveryCause, RecoveryRung, RecoveryState } from '../../../../src/model/health.ts';
import { config, frozen, health, noon } from './healthFacts.ts';
import { having, ladderFacts, seconds } from './ladderFacts.ts';

/** What the ladder is told of the instance, and how an act on it ends; without an end, whoever began it was killed. */
type World = Pick<LadderFacts, 'cause' | 'hasHome' | 'canMigrate'> & {
  readonly status: HealthStatus;
  readonly ends: 'succeeded' | 'failed' | undefined;
};
type Event =
  | { readonly do: 'pass' | 'thrive'; readonly milliseconds: number }
  | { readonly do: 'wait' | 'reset' }
  | ({ readonly do: 'change' } & World);

/** Any sequence of events with the ladder asked after each, beside what the promises allow. */
class Run {
  readonly #config: HealthConfig;
  readonly #met: Set<string>;
  #now = noon;
  #state: RecoveryState = freshRecovery;
  #world: World = { status: 'unhealthy', cause: 'exited', hasHome: true, canMigrate: false, ends: 'failed' };
  #until = noon;
  /** What the budgets bind: restarts since the last good health, the others since the last reset. */
  #acts: { rung: RecoveryRung; at: number }[] = [];
  #looping = false;

  constructor(over: Partial<HealthConfig>, met: Set<string>) {
    this.#config = config(over);
    this.#met = met;
  }

  play(event: Event): void {
    if (event.do === 'change') this.#world = event;
    if (event.do === 'pass') this.#now += event.milliseconds;
    if (event.do === 'wait') this.#now = Math.max(this.#now, this.#until);
    if (event.do === 'thrive') this.#thrive(event.milliseconds);
    else if (event.do === 'reset') this.#reset();
    else this.#ask();
  }

  #thrive(milliseconds: number): void {
    const since = this.#now;
    this.#now += milliseconds;
    this.#state = frozen(afterGoodHealth(this.#state, since, this.#now, this.#config));
    if (milliseconds >= this.#config.resetAfter * seconds) {
      this.#acts = this.#acts.filter(({ rung }) => rung !== 'restart');
    }
  }

  #reset(): void {
    this.#state = freshRecovery;
    this.#acts = [];
    this.#looping = false;
  }

  #ask(): void {
    const { status, ends, ...told } = this.#world;
    const of = health({ status, recovery: this.#state });
    const decision = nextAct(ladderFacts({ ...told, health: of, config: this.#config, now: this.#now }));
    this.#met.add(decision.do === 'act' ? decision.rung : decision.do);
    if (decision.do === 'nothing') return;
    expect([this.#looping, status, this.#config.autoRecover]).toEqual([false, 'unhealthy', true]);
    if (decision.do === 'wait') this.#wait(decision.until);
    if (decision.do === 'look') expect(decision.what === 'home' ? told.hasHome : told.canMigrate).toBeUndefined();
    if (decision.do === 'crash-loop') this.#stop(decision);
    if (decision.do === 'act') this.#act(decision.rung);
  }

  #wait(until: number): void {
    expect(until).toBeGreaterThan(this.#now);
    expect(until).toBeLessThanOrEqual(this.#now + 300 * seconds);
    this.#until = until;
  }

  #stop({ why }: Extract<Decision, { do: 'crash-loop' }>): void {
    this.#looping = true;
    this.#state = frozen(withCrashLoop(this.#state, why, this.#now));
  }

  #act(rung: RecoveryRung): void {
    const { cause, hasHome, canMigrate, ends } = this.#world;
    expect(this.#config.recoveryActions).toContain(rung);
    expect(['disk-full', 'bad-config', 'home-missing', undefined]).not.toContain(cause);
    if (rung === 'recreate') expect(hasHome).toBe(true);
    if (rung === 'migrate') expect(canMigrate).toBe(true);
    if (cause !== 'provider-gone') expect(hasHome).not.toBe(false);
    this.#expectRoomFor(rung);
    this.#acts.push({ rung, at: this.#now });
    const begun = withAttempt(this.#state, { rung, cause: cause ?? 'exited', at: this.#now }, this.#config);
    this.#state = frozen(ends ? withOutcome(begun, ends) : begun);
    expect(RecoveryState.safeParse(this.#state).error).toBeUndefined();
  }

  /** In the budget's window that ends now, and so in every window; and after the wait for the acts before. */
  #expectRoomFor(rung: RecoveryRung): void {
    const { most, window } = budgetOf(rung, this.#config);
    const same = this.#acts.filter(act => act.rung === rung && act.at > this.#now - window);
    expect(same.length).toBeLessThan(most);
    const recent = this.#acts.filter(({ at }) => at > this.#now - this.#config.restartWindow * seconds);
    const last = recent.at(-1);
    const pause = Math.min(10 * 2 ** (recent.length - 1), 300) * seconds;
    if (last) expect(this.#now - last.at).toBeGreaterThanOrEqual(pause);
  }
}

const settings = fc.record(
  {
    maxRecoveryAttempts: fc.integer({ min: 0, max: 12 }),
    restartWindow: fc.integer({ min: 60, max: 3_600 }),
    recreateWindow: fc.integer({ min: 60, max: 7_200 }),
    migrateWindow: fc.integer({ min: 60, max: 40_000 }),
    resetAfter: fc.integer({ min: 60, max: 1_200 }),
    recoveryActions: fc.oneof(fc.constant(RecoveryRung.options), fc.subarray(RecoveryRung.options)),
    autoRecover: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.boolean() }),
  },
  { requiredKeys: [] },
);
const change = fc.record({
  do: fc.constant('change' as const),
  status: fc.oneof(
    { weight: 6, arbitrary: fc.constant('unhealthy' as const) },
    { weight: 1, arbitrary: fc.constantFrom(...HealthStatus.options) },
  ),
  cause: fc.oneof(fc.constant('exited' as const), fc.constantFrom(undefined, ...RecoveryCause.options)),
  hasHome: fc.constantFrom(true, true, undefined, false),
  canMigrate: fc.option(fc.boolean(), { nil: undefined }),
  ends: fc.constantFrom('succeeded' as const, 'failed' as const, undefined),
});
const time = (what: 'pass' | 'thrive', max: number) => fc.record({ do: fc.constant(what), milliseconds: fc.nat(max) });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: time('pass', 60_000) },
  { weight: 4, arbitrary: fc.constant({ do: 'wait' }) },
  { weight: 3, arbitrary: change },
  { weight: 1, arbitrary: time('pass', 30_000_000) },
  { weight: 1, arbitrary: time('thrive', 1_500_000) },
  { weight: 1, arbitrary: fc.constant({ do: 'reset' }) },
);

describe('whatever happens, and in whatever order', () => {
  test('budgets hold, waits are kept and bounded, homes are proven, a crash loop ends only by a reset', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(settings, fc.array(event, { minLength: 30, maxLength: 60 }), (over, events) => {
        const run = new Run(over, met);
        for (const each of events) run.play(each);
      }),
      { numRuns: 500 },
    );
    expect([...met].sort()).toEqual(['crash-loop', 'look', 'migrate', 'nothing', 'recreate', 'restart', 'wait']);
  });

  test('what is not known to be unhealthy is left alone, and every decision says why in a sentence', () => {
    const past = fc.array(fc.tuple(fc.constantFrom(...RecoveryRung.options), fc.integer({ min: -1e7, max: 1e7 })));
    fc.assert(
      fc.property(
        past,
        fc.constantFrom(...HealthStatus.options),
        fc.constantFrom(undefined, ...RecoveryCause.options),
        fc.constantFrom(true, false, undefined),
        fc.boolean(),
        (tried, status, cause, hasHome, canMigrate) => {
          const of = { ...having(...tried), status };
          const decision = nextAct(ladderFacts({ health: of, cause, hasHome, canMigrate }));
          if (status !== 'unhealthy' || cause === undefined) expect(decision.do).toBe('nothing');
          if (decision.do === 'wait') expect(decision.until - noon).toBeLessThanOrEqual(300 * seconds);
          expect(decision.why).toMatch(/^[A-Z].*\.$/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
