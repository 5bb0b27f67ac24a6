import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FromPage, PageState } from '../../../src/vscode/healthPage/messages.ts';
import { moved, seriesOf, spreadOf, valueAt, within, zoomed } from '../../../src/vscode/healthPage/series.ts';
import { fill, unitsOf } from '../../../src/vscode/healthPage/units.ts';
import { lifeOf } from '../../../src/vscode/healthTimeline.ts';
import { minutesAgo, sample } from './healthFacts.ts';

const at = (minutes: number) => Date.parse(minutesAgo(minutes));
const life = lifeOf(300);
const latency = ({ latencyMs }: { latencyMs?: number | undefined }) => latencyMs;

describe('a line', () => {
  test('joins what was measured, and leaves out samples without a value', () => {
    const samples = [sample(10, { latencyMs: 3 }), sample(8), sample(5, { latencyMs: 4 })];
    expect(seriesOf(samples, latency, life)).toEqual({ x: [at(10), at(5)], y: [3, 4] });
  });

  test('breaks where nobody looked, and where it did not work', () => {
    const asleep = [sample(100, { latencyMs: 3 }), sample(5, { latencyMs: 4 })];
    expect(seriesOf(asleep, latency, life).y).toEqual([3, null, 4]);
    const down = [sample(9, { latencyMs: 3 }), sample(7, { status: 'unhealthy' }), sample(5, { latencyMs: 4 })];
    expect(seriesOf(down, latency, life)).toEqual({ x: [at(9), at(7), at(5)], y: [3, null, 4] });
  });

  test('has its spread within a view, and its value at a time', () => {
    const series = seriesOf(
      [
        sample(30, { latencyMs: 90 }),
        sample(20, { latencyMs: 3 }),
        sample(15, { latencyMs: 9 }),
        sample(10, { latencyMs: 5 }),
      ],
      latency,
      life,
    );
    expect(spreadOf(series, { from: at(25), to: at(0) })).toEqual({ low: 3, high: 9, last: 5 });
    expect(spreadOf(series, { from: at(5), to: at(0) })).toBeUndefined();
    expect([valueAt(series, at(31)), valueAt(series, at(17)), valueAt(series, at(0))]).toEqual([undefined, 3, 5]);
  });

  test('rises in time, whatever the samples are', () => {
    const samples = fc.array(
      fc.record({ minutes: fc.integer({ min: 0, max: 500 }), latencyMs: fc.option(fc.nat(), { nil: undefined }) }),
    );
    fc.assert(
      fc.property(samples, list => {
        const ordered = list.toSorted((a, b) => b.minutes - a.minutes);
        const { x, y } = seriesOf(
          ordered.map(({ minutes, latencyMs }) =>
            sample(minutes, latencyMs === undefined ? { status: 'unhealthy' } : { latencyMs }),
          ),
          latency,
          life,
        );
        expect(y).toHaveLength(x.length);
        for (const [index, time] of x.entries()) if (index > 0) expect(time).toBeGreaterThan(x[index - 1] ?? time);
      }),
    );
  });
});

describe('the view', () => {
  const all = { from: 0, to: 1_000_000 };
  const views = fc
    .tuple(fc.integer({ min: -2_000_000, max: 2_000_000 }), fc.integer({ min: 1, max: 3_000_000 }))
    .map(([from, length]) => ({ from, to: from + length }));

  test('stays inside what there is, however it is zoomed and moved', () => {
    const acts = fc.array(
      fc.oneof(
        fc.constantFrom(0.5, 2).map(factor => (view: typeof all) => zoomed(view, factor, all)),
        fc.constantFrom(-0.25, 0.25).map(share => (view: typeof all) => moved(view, share, all)),
      ),
    );
    fc.assert(
      fc.property(views, acts, (first, list) => {
        let view = within(first, all) ?? all;
        for (const act of list) {
          view = act(view) ?? all;
          expect(view.from).toBeGreaterThanOrEqual(all.from);
          expect(view.to).toBeLessThanOrEqual(all.to);
          expect(view.to - view.from).toBeGreaterThanOrEqual(1_000);
        }
      }),
    );
  });

  test('zooms about its middle, and shows all once that is shorter', () => {
    expect(zoomed({ from: 400_000, to: 600_000 }, 0.5, all)).toEqual({ from: 450_000, to: 550_000 });
    expect(zoomed({ from: 400_000, to: 600_000 }, 100, all)).toBeUndefined();
    expect(moved({ from: 0, to: 400_000 }, -0.25, all)).toEqual({ from: 0, to: 400_000 });
  });
});

test('numbers have their units', () => {
  const units = unitsOf('en', { milliseconds: '{0} ms' });
  expect(units.milliseconds(12.6)).toBe('13 ms');
  expect(units.cores(0.256)).toBe('0.26');
  expect([0, 1023, 1536, 3 * 2 ** 30].map(units.bytes)).toEqual(['0 B', '1,020 B', '1.5 KiB', '3 GiB']);
  expect(unitsOf('de', { milliseconds: '{0} ms' }).cores(0.5)).toBe('0,5');
  expect(fill('{0} of {1}', 'a', 'b')).toBe('a of b');
});

describe('messages from the page', () => {
  test('are taken only as they are meant', () => {
    expect(FromPage.safeParse({ type: 'ready' }).success).toBe(true);
    for (const bad of [{ type: 'ready', more: 1 }, { type: 'run' }, 'ready', null, { type: 'failed', message: 5 }]) {
      expect(FromPage.safeParse(bad).success).toBe(false);
    }
  });

  test('a state that was kept names an instance, or is none', () => {
    expect(PageState.safeParse({ instanceId: 'abcdefghijkl', view: { from: 1, to: 2 } }).success).toBe(true);
    for (const bad of [
      undefined,
      {},
      { instanceId: '../../etc' },
      { instanceId: 'abcdefghijkl', view: { from: 'x' } },
    ]) {
      expect(PageState.safeParse(bad).success).toBe(false);
    }
  });
});
