import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { superfluous } from '../../../src/core/snapshots/snapshotRetention.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';

const day = 86_400_000;
const day0 = Date.parse('2026-03-01T12:00:00.000Z');

/** Kept before acts, the youngest first; `clocks` are off by so many milliseconds, `hours` went by in between. */
function keptBefore(steps: readonly { hours: number; clock: number }[]): Snapshot[] {
  let observed = 0;
  const snapshots = steps.map(({ hours, clock }, index) => {
    observed += hours * 3_600_000;
    const takenAt = new Date(day0 + observed + clock).toISOString();
    return { id: `s${index}`, kind: 'before', digest: `${index}`, takenAt, keptSince: observed } as Snapshot;
  });
  return snapshots.reverse();
}

const steps = fc.array(
  fc.record({ hours: fc.integer({ min: 0, max: 30 }), clock: fc.integer({ min: -40 * day, max: 40 * day }) }),
  { minLength: 1, maxLength: 60 },
);

test('whatever a clock says, the youngest ten stay, and of the last seven observed days the first one', () => {
  fc.assert(
    fc.property(steps, given => {
      const snapshots = keptBefore(given);
      const gone = new Set(superfluous(snapshots));
      const days = Map.groupBy(snapshots, ({ keptSince = 0 }) => Math.floor(keptSince / day));
      const firsts = [...days.values()].slice(0, 7).map(ofDay => ofDay.at(-1)?.id ?? '');
      const kept = [...snapshots.slice(0, 10).map(({ id }) => id), ...firsts];
      expect(kept.filter(id => gone.has(id))).toEqual([]);
      expect(snapshots.length - gone.size).toBeLessThanOrEqual(17);
    }),
  );
});

test('what was kept before a person’s own act is not pushed out by what was kept before automatic ones', () => {
  const steps = Array.from({ length: 42 }, () => ({ hours: 1, clock: 0 }));
  const kept = keptBefore(steps).map((each, index) => ({ ...each, automatic: index !== 40 }));
  expect(superfluous(kept)).not.toContain(kept[40]?.id);
  const older = keptBefore(steps).map((each, index) => (index === 40 ? each : { ...each, automatic: true }));
  expect(superfluous(older)).not.toContain(older[40]?.id);
});

test('a clock that is set again and again makes no more days of it', () => {
  const snapshots = keptBefore(Array.from({ length: 40 }, (_, index) => ({ hours: 0, clock: (index % 20) * 2 * day })));
  expect(snapshots.length - superfluous(snapshots).length).toBe(11);
});
