import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { acts } from './acts.ts';
import { allPoints } from './allPoints.ts';
import { scenes } from './scenes.ts';
import { pointsOf, stalledRun, type Waking } from './stalledRun.ts';
import type { Stall } from './stallingWindow.ts';
import { unreached } from './unreached.ts';

const others = Object.values(acts);
const wakings: readonly Waking[] = ['after', 'within'];
/** Every time that an operation comes to a point, with every act; else each point once, with one act. */
const isLong = process.env.REMOTE_SWARM_SOAK !== undefined;

describe('a window that stands still for longer than its locks last, wherever it waits, while another one acts', () => {
  const rows: string[] = [];
  const stalled = new Set<string>();

  afterAll(() => console.log(['operation | points | stalls | faults', ...rows, ...byFile(stalled)].join('\n')));

  test.each(scenes)(
    '$name',
    async scene => {
      const stalls = timesOf(await pointsOf(scene));
      const points = new Set(stalls.map(({ point }) => point));
      const chosen = isLong ? stalls : stalls.filter(({ point, time }) => time === 1 && !stalled.has(point));
      const faults: string[] = [];
      let runs = 0;
      for (const stall of chosen) {
        stalled.add(stall.point);
        for (const act of isLong ? others : oneOf(others, ({ name }) => name, stall.point)) {
          for (const waking of isLong ? wakings : oneOf(wakings, waking => waking, stall.point)) {
            runs += 1;
            const run = await stalledRun(scene, stall, act, waking);
            const where = `${stall.point} (${stall.time}), ${act.name}, ${waking} (${run.ends.join(', ')})`;
            faults.push(...run.faults.map(fault => `${where}: ${fault}`));
          }
        }
      }
      rows.push([scene.name, points.size, runs, faults.length].join(' | '));
      expect(faults).toEqual([]);
    },
    isLong ? 3_600_000 : undefined,
  );

  test('is stopped at every point of the code, but where a reason is given', () => {
    const isExcused = (id: string) => unreached.some(([, ...beginnings]) => beginnings.some(one => id.startsWith(one)));
    const missed = allPoints.filter(({ id }) => !stalled.has(id) && !isExcused(id));
    expect(missed.map(({ id, line }) => `line ${line} of ${id}`)).toEqual([]);
    const needless = unreached
      .flatMap(([, ...beginnings]) => beginnings)
      .filter(one => allPoints.every(({ id }) => !id.startsWith(one)));
    expect(needless).toEqual([]);
  });
});

/** For a point always the same one, whatever else there is. */
function oneOf<T>(items: readonly T[], nameOf: (item: T) => string, point: string): readonly T[] {
  const rank = (item: T) =>
    createHash('sha256')
      .update(`${point} ${nameOf(item)}`)
      .digest('hex');
  return items.toSorted((one, other) => rank(one).localeCompare(rank(other))).slice(0, 1);
}

/** Each point with the how-many-th time that it was come to. */
function timesOf(reached: readonly { readonly point: string }[]): Stall[] {
  const times = new Map<string, number>();
  return reached.map(({ point }) => {
    const time = (times.get(point) ?? 0) + 1;
    times.set(point, time);
    return { point, time };
  });
}

function byFile(stalled: ReadonlySet<string>): string[] {
  const files = Map.groupBy(allPoints, ({ id }) => id.slice(0, id.indexOf(' ')));
  return [
    'file | points | stopped at',
    ...[...files].map(([file, points]) =>
      [file, points.length, points.filter(({ id }) => stalled.has(id)).length].join(' | '),
    ),
  ];
}
