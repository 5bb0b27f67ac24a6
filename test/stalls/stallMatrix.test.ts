import { describe, expect, test } from 'vitest';
import { acts, scenes } from './scenes.ts';
import { pointsOf, stalledRun } from './stalledRun.ts';

describe('a window that stands still for longer than its locks last', () => {
  test('x', async () => {
    const began = performance.now();
    let runs = 0;
    const faults = new Map<string, string[]>();
    for (const scene of scenes) {
      const reached = await pointsOf(scene);
      console.log(scene.name, reached.length, new Set(reached.map(({ point }) => point)).size);
      const times = new Map<string, number>();
      for (const { point } of reached) {
        const time = (times.get(point) ?? 0) + 1;
        times.set(point, time);
        for (const act of acts) {
          runs++;
          const { faults: found, wasStopped, ends } = await stalledRun(scene, { point, time }, act).catch(error => ({
            faults: [String(error)],
            wasStopped: true,
            ends: ['?', '?'],
          }));
          if (!wasStopped) console.log('not stopped', scene.name, point, time);
          for (const fault of found) {
            const key = fault.replace(/[a-z0-9]{12}/g, 'ID');
            faults.set(key, [...(faults.get(key) ?? []), `${scene.name} at ${point} (${time}), ${act.name} → ${ends}`]);
          }
        }
      }
    }
    console.log(runs, performance.now() - began);
    for (const [fault, where] of faults) console.log(fault, where.length, where.slice(0, 6));
  }, 600_000);
});
