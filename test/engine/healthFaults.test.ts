import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import type { Provider } from '../../src/model/provider.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { type Fault, type FaultRow, faultTable, roundsGoBy, suffer } from './support/healthTable.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { WatchedSwarm } from './support/watchedSwarm.ts';

describeWithOwnEngine('what the monitor says and does when one container fails', () => {
  let engine: Engine;
  let provider: Provider;
  let swarm: WatchedSwarm;
  let instances: EngineInstances;
  let filler: string;
  let bystanders: string[];
  const rows: FaultRow[] = [];

  beforeAll(async () => {
    engine = await startEngine({ name: 'ill', diskMb: 600 });
    filler = path.join(engine.root, 'data', 'filler');
    instances = new EngineInstances(engine);
    const image = await ensureTestImage(engine.docker, 'stub');
    provider = await guardedDocker('engine', { endpoint: engine.host, image });
    swarm = await WatchedSwarm.open([provider]);
    bystanders = await Promise.all(['a', 'b', 'c'].map(letter => created(`bystander ${letter}`)));
  });

  afterAll(async () => {
    await swarm?.forget();
    await engine?.stop();
    console.log(faultTable(rows));
  });

  const created = (name: string, config: Partial<InstanceConfigInput> = {}) =>
    swarm.create({ name, ...config }, 'engine');
  const fillDisk = () => {
    const { bavail, bsize } = statfsSync(path.dirname(filler));
    expect(() => writeFileSync(filler, Buffer.alloc(bavail * bsize + bsize))).toThrow(/ENOSPC/);
  };
  const freeDisk = () => rmSync(filler, { force: true });

  const exited = { verdict: 'unhealthy', cause: 'exited', acts: ['restart'] } as const;
  /** An engine that is busy may go on listing it for seconds, in which its server is heard no more. */
  const ended = {
    ...exited,
    cause: ['exited', 'unresponsive'],
    says: /does not run, though it should: exited with code 137|refused the connection/,
  } as const;
  const silent = { verdict: 'unhealthy', cause: 'unresponsive', acts: ['restart'] } as const;
  /** Seen by an event. */
  const atOnce = { seenWithin: 3_000, wellWithin: 15_000 };
  /** Seen by three rounds. */
  const counted = { seenWithin: 15_000, wellWithin: 20_000 };

  const faults: Fault[] = [
    {
      ...{ name: 'editor process killed (kill -9)', ...ended, ...atOnce },
      befall: id => instances.signal(id, 'SIGKILL'),
    },
    {
      ...{ name: 'container killed', ...ended, ...atOnce },
      befall: id => instances.container(id).kill(),
    },
    {
      ...{ name: 'container out of memory', ...exited, ...counted, cause: 'out-of-memory' },
      befall: id => instances.break(id, 'out-of-memory'),
      says: /does not run, though it should/,
    },
    {
      ...{ name: 'container paused', ...exited, ...atOnce },
      befall: id => instances.container(id).pause(),
      says: /does not run, though it should: paused/,
    },
    {
      ...{ name: 'server answers 500', ...silent, ...counted },
      befall: id => instances.break(id, 'answers-500'),
      says: /answered 500/,
    },
    {
      ...{ name: 'server hangs (SIGSTOP)', ...silent, ...counted },
      befall: id => instances.signal(id, 'SIGSTOP'),
      says: /did not answer in time/,
    },
    {
      ...{ name: 'server ends at each start', verdict: 'unhealthy', cause: 'exited', ...atOnce, wellWithin: 60_000 },
      acts: ['restart', 'recreate'],
      befall: id => {
        swarm.config.maxRecoveryAttempts = 1;
        return instances.break(id, 'cannot-start');
      },
      says: /exited with code 1/,
    },
    {
      ...{ name: 'container removed behind our back', verdict: 'unhealthy', cause: 'missing', ...atOnce },
      acts: ['recreate'],
      befall: id => instances.container(id).remove({ force: true }),
      says: /no longer on "engine", which was asked twice/,
    },
    {
      ...{ name: 'disk of its home full', verdict: 'degraded', acts: [], rounds: 3, ...counted },
      befall: () => {
        swarm.config.resourceInterval = 2;
        fillDisk();
      },
      undo: freeDisk,
      says: /Its disk is full.*no act of recovery makes any/,
    },
    {
      ...{ name: 'container killed, disk full', verdict: 'unhealthy', rounds: 3, ...counted, wellWithin: 60_000 },
      // An engine whose disk is full cannot note the end of a container, and goes on listing it as running.
      ...{ cause: 'unresponsive', acts: ['restart'] },
      before: async id => {
        swarm.config.resourceInterval = 10;
        const since = performance.now();
        fillDisk();
        await swarm.until(id, since, 'full', ({ reason }) => /disk is full/.test(reason), 30_000);
      },
      befall: id => instances.container(id).kill(),
      undo: freeDisk,
      says: /it needs room/,
    },
  ];

  test.each(faults.map(fault => [fault.name, fault] as const))('%s', async (name, fault) => {
    const usual = { ...swarm.config };
    const id = await created(
      name.replace(/[^\w ]/g, ''),
      fault.cause === 'out-of-memory' ? { resources: { memoryMb: 128 } } : {},
    );
    const isUnharmed = await instances.mark(id);
    try {
      rows.push(await suffer('container', swarm, [id], fault));
    } finally {
      Object.assign(swarm.config, usual);
      freeDisk();
    }
    await isUnharmed();
  });

  test('container and volume removed behind our back: nothing is made in their place', async () => {
    const id = await created('gone');
    const fault: Fault = {
      ...{ name: 'container and volume removed', verdict: 'unhealthy', acts: [], seenWithin: 3_000, rounds: 5 },
      befall: async () => {
        await instances.container(id).remove({ force: true });
        await engine.docker.getVolume(`remote-swarm-${id}`).remove();
      },
      says: /Crash loop\. Its home is gone/,
    };
    rows.push(await suffer('container', swarm, [id], fault));
    expect(await instances.exists(id)).toBe(false);
    expect(swarm.controller.getInstance(id)).toMatchObject({ desired: 'running', status: 'lost' });
  });

  test('files of its volume removed while it runs: it is left alone, and once its server ends it is not made anew on nothing', async () => {
    const id = await created('emptied');
    const sound = { verdict: 'healthy', acts: [], says: /./, seenWithin: 10_000, rounds: 5 } as const;
    const emptied: Fault = {
      ...{ name: 'volume removed, its container still running', ...sound },
      befall: async () => {
        // The engine itself refuses as long as a container uses it.
        const { message } = await engine.docker
          .getVolume(`remote-swarm-${id}`)
          .remove({ force: true })
          .catch((error: Error) => error);
        expect(message).toMatch(/in use/);
        rmSync(instances.volume(id), { recursive: true });
      },
    };
    rows.push(await suffer('container', swarm, [id], emptied));
    swarm.config.maxRecoveryAttempts = 1;
    const ended: Fault = {
      ...{
        name: 'the same, then its server killed',
        verdict: 'unhealthy',
        cause: 'exited',
        acts: ['restart'],
      },
      befall: () => instances.signal(id, 'SIGKILL'),
      ...{ says: /Crash loop\. Its home is gone/, seenWithin: 60_000 },
    };
    try {
      const { Id } = await instances.container(id).inspect();
      rows.push(await suffer('container', swarm, [id], ended));
      expect((await instances.container(id).inspect()).Id, 'what is left of it').toBe(Id);
    } finally {
      swarm.config.maxRecoveryAttempts = 3;
    }
  });

  test('what a person stopped is left alone', async () => {
    const id = await created('stopped');
    await swarm.controller.stopInstance(id);
    await roundsGoBy(swarm, bystanders[0] ?? '', 5);
    expect(swarm.controller.getInstance(id)).toMatchObject({ desired: 'stopped', status: 'stopped' });
    expect((await instances.container(id).inspect()).State.Running).toBe(false);
  });

  test('one that hangs holds up nobody: another one is seen dead and is mended as fast', async () => {
    swarm.config.checkTimeout = 5;
    const [hanging, dying] = [await created('hanging'), await created('dying')];
    const isUnharmed = await instances.mark(dying);
    const probe = vi.spyOn(provider.abilities, 'probe');
    await instances.signal(hanging, 'SIGSTOP');
    await vi.waitFor(() => expect(probe.mock.calls.map(([id]) => id)).toContain(hanging), 10_000);
    const fault: Fault = {
      ...{ name: 'container killed, another one hanging', ...exited, ...atOnce, wellWithin: 30_000 },
      befall: id => instances.container(id).kill(),
      says: /does not run, though it should/,
    };
    rows.push(await suffer('container', swarm, [dying], fault));
    await isUnharmed();
  });

  test('nobody else was touched', () => {
    const attempts = bystanders.map(id => swarm.health(id).recovery.attempts);
    expect(attempts).toEqual([[], [], []]);
  });
});
