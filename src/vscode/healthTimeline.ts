import type { HealthSample, HealthStatus } from '../model/health.ts';

/** A time in which the status was the same. Milliseconds since 1970; `from` < `to`. */
export interface Span {
  readonly status: HealthStatus;
  readonly from: number;
  readonly to: number;
}

/** A sample holds until the next, but no longer than so many of the intervals at which they come at least. */
const mostIntervals = 2.5;

/** How long a sample tells something, when samples come at least every `intervalSeconds`. */
export const lifeOf = (intervalSeconds: number) => mostIntervals * intervalSeconds * 1000;

/**
 * The times that the samples tell of, in order, each as long as its status stayed. Where nothing was looked at for
 * longer than a sample's `life` there is none. `samples` are oldest first; those after `until` are left out.
 */
export function spansOf(samples: readonly HealthSample[], until: number, life: number): Span[] {
  const spans: Span[] = [];
  for (const [index, { at, status }] of samples.entries()) {
    const from = Date.parse(at);
    const next = samples[index + 1];
    const to = Math.min(next === undefined ? until : Date.parse(next.at), from + life, until);
    if (to <= from) continue;
    const last = spans.at(-1);
    if (last?.status === status && last.to === from) spans[spans.length - 1] = { ...last, to };
    else spans.push({ status, from, to });
  }
  return spans;
}

/** The share of the known time, 0 to 1, in which it worked; undefined when nothing is known. */
export function availability(spans: readonly Span[]): number | undefined {
  let known = 0;
  let worked = 0;
  for (const { status, from, to } of spans) {
    if (status === 'unknown') continue;
    known += to - from;
    if (status === 'healthy' || status === 'degraded') worked += to - from;
  }
  return known === 0 ? undefined : worked / known;
}

/** Worst first: what of several statuses is shown in one place. */
const worstFirst: readonly HealthStatus[] = ['unhealthy', 'recovering', 'degraded', 'unknown', 'healthy'];

/** The worst status in each of `count` equal parts of the time from `from` to `to`; undefined where nothing is known. */
export function worstOfParts(
  spans: readonly Span[],
  from: number,
  to: number,
  count: number,
): (HealthStatus | undefined)[] {
  const length = (to - from) / count;
  return Array.from({ length: count }, (_, index) => {
    const begin = from + index * length;
    const inside = spans.filter(span => span.from < begin + length && span.to > begin).map(({ status }) => status);
    return worstFirst.find(status => inside.includes(status));
  });
}
