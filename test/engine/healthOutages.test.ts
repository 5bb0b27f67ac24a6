import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Provider } from '../../src/model/provider.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { type Fault, type FaultRow, faultTable, suffer } from './support/healthTable.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { WatchedSwarm } from './support/watchedSwarm.ts';

describeWithOwnEngine('what the monitor says and does when all of an engine fails', () => {
  const rows: FaultRow[] = [];
  let near: Place;
  let far: Place;
  let swarm: WatchedSwarm;

  /** An engine with some instances. */
  interface Place {
    readonly engine: Engine;
    readonly provider: Provider;
    readonly ids: string[];
    readonly areUnharmed: (() => Promise<void>)[];
  }

  async function startPlace(name: string): Promise<Place> {
    const engine = await startEngine({ name, diskMb: 600 });
    const image = await ensureTestImage(engine.docker, 'stub');
    const provider = await guardedDocker(name, { endpoint: engine.host, image });
    return { engine, provider, ids: [], areUnharmed: [] };
  }

  beforeAll(async () => {
    near = await startPlace('near');
    far = await startPlace('far');
    swarm = await WatchedSwarm.open([near.provider, far.provider]);
    for (const { provider, engine, ids, areUnharmed } of [near, far]) {
      for (const letter of ['a', 'b', 'c']) {
        const id = await swarm.create({ name: `${provider.id} ${letter}` }, provider.id);
        ids.push(id);
        areUnharmed.push(await new EngineInstances(engine).mark(id));
      }
    }
  });

  afterAll(async () => {
    await swarm?.forget();
    await near?.engine.stop();
    await far?.engine.stop();
    console.log(faultTable(rows));
  });

  afterEach(async () => {
    for (const id of [...near.ids, ...far.ids]) await swarm.controller.resetCrashLoop(id);
  });

  const unknown = { verdict: 'unknown', says: /does not answer/, seenWithin: 30_000, wellWithin: 60_000 } as const;
  const restarted = { cause: 'exited', acts: ['restart'] } as const;

  const outages: (Fault & { ids(): string[] })[] = [
    {
      ...{ name: 'engine stopped, later started', ...unknown, ...restarted, rounds: 3 },
      ids: () => near.ids,
      befall: () => near.engine.terminate(),
      undo: () => near.engine.restart(),
    },
    {
      ...{ name: 'engine killed and started at once', ...unknown, ...restarted, verdict: 'unhealthy' },
      ids: () => near.ids,
      befall: async () => {
        await near.engine.kill();
        await near.engine.restart();
      },
      says: /3 of 3 instances on "near" fail at once/,
    },
    {
      ...{ name: 'engine hangs (SIGSTOP)', ...unknown, acts: [], rounds: 1 },
      ids: () => near.ids,
      befall: () => near.engine.pause(),
      undo: () => near.engine.resume(),
    },
    {
      ...{ name: 'all engines gone, later back', ...unknown, ...restarted, rounds: 3 },
      ids: () => [...near.ids, ...far.ids],
      befall: () => Promise.all([near.engine.kill(), far.engine.kill()]),
      undo: () => Promise.all([near.engine.restart(), far.engine.restart()]),
    },
  ];

  test.each(outages.map(outage => [outage.name, outage] as const))('%s', async (_, outage) => {
    rows.push(await suffer('engine', swarm, outage.ids(), outage));
    for (const isUnharmed of [...near.areUnharmed, ...far.areUnharmed]) await isUnharmed();
  });

  test('engine started anew on a full disk, which lists nothing then: nothing is made in place of what it does not see', async () => {
    const filler = path.join(near.engine.root, 'data', 'filler');
    const outage: Fault = {
      ...{ name: 'engine started on a full disk: an empty list', verdict: 'unhealthy', ...restarted },
      ...{ seenWithin: 30_000, rounds: 3, wellWithin: 60_000 },
      befall: async () => {
        await near.engine.kill();
        const { bavail, bsize } = statfsSync(path.dirname(filler));
        expect(() => writeFileSync(filler, Buffer.alloc(bavail * bsize + bsize))).toThrow(/ENOSPC/);
        await near.engine.restart();
      },
      undo: async () => {
        rmSync(filler);
        await near.engine.kill();
        await near.engine.restart();
      },
      says: /no longer on "near", which was asked twice/,
    };
    try {
      rows.push(await suffer('engine', swarm, near.ids, outage));
    } finally {
      rmSync(filler, { force: true });
    }
    for (const isUnharmed of near.areUnharmed) await isUnharmed();
  });
});
