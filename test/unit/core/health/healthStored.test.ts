import { describe, expect, test } from 'vitest';
import { isWorthWriting, judge } from '../../../../src/core/health/healthRules.ts';
import { withAttempt } from '../../../../src/core/health/recoveryState.ts';
import type { InstanceHealth } from '../../../../src/model/health.ts';
import {
  config,
  down,
  frozen,
  health,
  iso,
  last,
  noon,
  period,
  record,
  round,
  rounds,
  silence,
  stats,
} from './healthFacts.ts';

describe('what is stored', () => {
  test('a sample when the status changed, when something was measured, and once in each resource interval', () => {
    const judged = rounds([{}, {}, { stats: stats(0.5, 0.2) }, down, {}, ...Array(10).fill({})]);
    expect(last(judged).history).toEqual([
      { at: iso(noon), status: 'healthy', latencyMs: 12 },
      {
        at: iso(noon + 2 * period),
        status: 'healthy',
        latencyMs: 12,
        cpuCores: 0.5,
        memoryBytes: 2 ** 31,
        memoryLimitBytes: 2 ** 32,
        diskUsedBytes: 2 * 2 ** 30,
        diskTotalBytes: 10 * 2 ** 30,
      },
      { at: iso(noon + 3 * period), status: 'unknown' },
      { at: iso(noon + 4 * period), status: 'healthy', latencyMs: 12 },
      { at: iso(noon + 14 * period), status: 'healthy', latencyMs: 12 },
    ]);
  });

  test('as many samples as History Size says', () => {
    const judged = rounds(Array(20).fill({ stats: stats(0.1, 0.1) }), { historySize: 5 });
    expect(last(judged).history.map(({ at }) => Date.parse(at))).toEqual(
      [15, 16, 17, 18, 19].map(index => noon + index * period),
    );
  });

  test('a sample that takes the place of the oldest is one', () => {
    const full = rounds(Array(3).fill({ stats: stats(0.1, 0.1) }), { historySize: 2 });
    expect(full.map((of, index) => isWorthWriting(full[index - 1], of))).toEqual([true, true, true]);
  });

  test('no latency of an editor server that did not answer', () => {
    expect(last(rounds([{ probe: silence }])).history).toEqual([{ at: iso(noon), status: 'degraded' }]);
  });

  test('nothing, in a round that saw an idle, healthy instance as it was', () => {
    const judged = rounds(Array(120).fill({}));
    const written = judged.filter((of, index) => isWorthWriting(judged[index - 1], of));
    expect(written.map(({ checks }) => Date.parse(checks[0]?.at ?? '') - noon)).toEqual(
      [...Array(12).keys()].map(index => index * 300_000),
    );
  });

  test.each<[string, Partial<InstanceHealth>]>([
    ['its status', { status: 'degraded' }],
    ['its reason', { reason: 'Another.' }],
    ['what is done next', { next: { act: 'Restart it.' } }],
    ['an outcome', { checks: health({}, { provider: 'failed' }).checks }],
    ['that it is paused', { pausedSince: iso(noon) }],
    ['an attempt', { recovery: withAttempt({ attempts: [] }, { rung: 'restart', cause: 'exited', at: 0 }, config()) }],
    ['a crash loop', { recovery: { attempts: [], crashLoop: { since: iso(noon), reason: 'r' } } }],
    ['a sample', { history: [{ at: iso(noon), status: 'healthy' }] }],
  ])('%s', (_what, over) => {
    const before = health({}, { provider: 'passed' });
    expect(isWorthWriting(before, { ...before })).toBe(false);
    expect(isWorthWriting(before, { ...before, ...over })).toBe(true);
  });

  test('the counters, the pause and the revision as they were; what comes next is left for the ladder to say', () => {
    const recovery = withAttempt({ attempts: [] }, { rung: 'restart', cause: 'exited', at: noon }, config());
    const before = frozen(health({ recovery, next: { act: 'Restart it.' }, observerEpoch: 1 }));
    const of = judge(record(), before, round({ observerEpoch: 2 }), config());
    expect(of).toMatchObject({ recovery, revision: 3, observerEpoch: 2, since: before.since });
    expect(of).not.toHaveProperty('next');
  });
});
