import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HealthSample, HealthStatus } from '../../../src/model/health.ts';
import { availability, lifeOf, spansOf, worstOfParts } from '../../../src/vscode/healthTimeline.ts';
import { minutesAgo, noon, sample } from './healthFacts.ts';

const life = lifeOf(300);
const minute = 60_000;

describe('the spans of a history', () => {
  test('each status holds until the next, and equal ones are one', () => {
    const spans = spansOf(
      [sample(20), sample(15), sample(10, { status: 'unhealthy' }), sample(8, { status: 'recovering' }), sample(7)],
      noon,
      life,
    );
    expect(spans.map(({ status, from, to }) => [status, (noon - from) / minute, (noon - to) / minute])).toEqual([
      ['healthy', 20, 10],
      ['unhealthy', 10, 8],
      ['recovering', 8, 7],
      ['healthy', 7, 0],
    ]);
  });

  test('nothing is said of a time in which nobody looked', () => {
    const spans = spansOf([sample(600), sample(5)], noon, life);
    expect(spans.map(({ from, to }) => (to - from) / minute)).toEqual([12.5, 5]);
  });

  test('nothing is known of nothing', () => {
    expect(spansOf([], noon, life)).toEqual([]);
    expect(availability([])).toBeUndefined();
    expect(availability(spansOf([sample(5, { status: 'unknown' })], noon, life))).toBeUndefined();
  });
});

const history = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(...HealthStatus.options)), { maxLength: 60 })
  .map(entries =>
    entries
      .map(([minutes, status]): HealthSample => ({ at: minutesAgo(minutes), status }))
      .sort((a, b) => Date.parse(a.at) - Date.parse(b.at)),
  );

test('spans are in order, never overlap, and lie within what was seen', () => {
  fc.assert(
    fc.property(history, samples => {
      const spans = spansOf(samples, noon, life);
      for (const [index, { from, to, status }] of spans.entries()) {
        const next = spans[index + 1];
        expect(from).toBeLessThan(to);
        expect(to).toBeLessThanOrEqual(noon);
        if (next) expect(to).toBeLessThanOrEqual(next.from);
        if (next?.from === to) expect(next.status).not.toBe(status);
      }
      const share = availability(spans);
      if (share !== undefined) expect(share >= 0 && share <= 1).toBe(true);
    }),
  );
});

describe('the parts of a time', () => {
  test('show the worst of each, so that a short trouble is seen', () => {
    const spans = spansOf([sample(12), sample(6, { status: 'unhealthy' }), sample(5.9)], noon, life);
    expect(worstOfParts(spans, noon - 12 * minute, noon, 4)).toEqual(['healthy', 'healthy', 'unhealthy', 'healthy']);
  });

  test('are empty where nothing is known', () => {
    const spans = spansOf([sample(100), sample(1)], noon, life);
    expect(worstOfParts(spans, noon - 100 * minute, noon, 10).filter(part => part === undefined)).toHaveLength(7);
  });
});
