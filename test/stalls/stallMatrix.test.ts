import { afterAll, describe, expect, test } from 'vitest';
import { acts, scenes } from './scenes.ts';
import { pointsOf, stalledRun } from './stalledRun.ts';
import type { Stall } from './stallingWindow.ts';

/** Every time that a point is come to with every act; else the first time with one act, which goes round. */
const isLong = process.env.REMOTE_SWARM_SOAK !== undefined;

describe('a window that stands still for longer than its locks last, wherever it waits, while another one acts', () => {
  const rows: string[] = [];
  let turn = 0;

  afterAll(() => console.log(['operation | points | stalls | acts | faults', ...rows].join('\n')));

  test.each(scenes)(
    '$name',
    async scene => {
      const stalls = timesOf(await pointsOf(scene));
      const chosen = isLong ? stalls : stalls.filter(({ time }) => time === 1);
      const faults: string[] = [];
      let runs = 0;
      for (const stall of chosen) {
        for (const act of isLong ? acts : [acts[turn++ % acts.length]]) {
          if (!act) continue;
          runs += 1;
          const run = await stalledRun(scene, stall, act);
          const where = `${stall.point} (${stall.time}), ${act.name} (${run.ends.join(', ')})`;
          if (!run.wasStopped) faults.push(`${where}: it never came there`);
          faults.push(...run.faults.map(fault => `${where}: ${fault}`));
        }
      }
      const points = new Set(stalls.map(({ point }) => point)).size;
      rows.push([scene.name, points, runs, acts.length, faults.length].join(' | '));
      expect(faults).toEqual([]);
    },
    isLong ? 3_600_000 : undefined,
  );
});

/** Each point with the how-many-th time that it was come to. */
function timesOf(reached: readonly { readonly point: string }[]): Stall[] {
  const times = new Map<string, number>();
  return reached.map(({ point }) => {
    const time = (times.get(point) ?? 0) + 1;
    times.set(point, time);
    return { point, time };
  });
}
