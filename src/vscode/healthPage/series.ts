import type { HealthSample } from '../../model/health.ts';

/** A line of a plot. `y` is null where the line breaks. */
export interface Series {
  /** Milliseconds since 1970, rising. */
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
}

/** A part of the time, in milliseconds since 1970; `from` < `to`. */
export interface View {
  readonly from: number;
  readonly to: number;
}

/**
 * What was measured, over time. The line breaks where nothing was measured for longer than `life`, and where it did not
 * work, since then there was nothing to measure.
 */
export function seriesOf(
  samples: readonly HealthSample[],
  pick: (sample: HealthSample) => number | undefined,
  life: number,
): Series {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const add = (at: number, value: number | null) => {
    x.push(at);
    y.push(value);
  };
  let last: number | undefined;
  for (const sample of samples) {
    const at = Date.parse(sample.at);
    const value = pick(sample);
    if (value === undefined) {
      if (sample.status === 'unhealthy' && y.at(-1) !== null && last !== undefined && at > last) add(at, null);
      continue;
    }
    const previous = x.at(-1);
    if (previous !== undefined && at <= previous) continue;
    if (last !== undefined && at - last > life && y.at(-1) !== null) add(last + (at - last) / 2, null);
    add(at, value);
    last = at;
  }
  return { x, y };
}

/** The lowest, the highest and the last value of a time; undefined when there is none. */
export function spreadOf(
  { x, y }: Series,
  { from, to }: View,
): { low: number; high: number; last: number } | undefined {
  const values = y.flatMap((value, index) => {
    const at = x[index] ?? 0;
    return value !== null && from <= at && at <= to ? [value] : [];
  });
  const last = values.at(-1);
  if (last === undefined) return undefined;
  let [low, high] = [last, last];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high, last };
}

/** The value that held at a time: the latest measured before it; undefined where the line breaks. */
export function valueAt({ x, y }: Series, at: number): number | undefined {
  let found: number | undefined;
  for (const [index, time] of x.entries()) {
    if (time > at) break;
    found = y[index] ?? undefined;
  }
  return found;
}

/** The shortest time that is worth a look. */
const shortest = 1_000;

/** The view, moved and shortened so that it lies inside `all`, at whole milliseconds; undefined when it shows all. */
export function within(view: View, all: View): View | undefined {
  const length = Math.max(shortest, view.to - view.from);
  if (length >= all.to - all.from) return undefined;
  const from = Math.round(Math.min(Math.max(view.from, all.from), all.to - length));
  return { from, to: Math.round(from + length) };
}

/** The view made `factor` times as long, about its middle. */
export function zoomed({ from, to }: View, factor: number, all: View): View | undefined {
  const middle = (from + to) / 2;
  const half = Math.max(shortest, (to - from) * factor) / 2;
  return within({ from: middle - half, to: middle + half }, all);
}

/** The view moved by a share of its length; to the left when that is negative. */
export function moved({ from, to }: View, share: number, all: View): View | undefined {
  const step = (to - from) * share;
  return within({ from: from + step, to: to + step }, all);
}
