import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { appName } from '../../src/providers/fly/instanceMachine.ts';
import { type Fault, type FaultRow, faultTable, roundsGoBy, suffer } from '../engine/support/healthTable.ts';
import { WatchedSwarm } from '../engine/support/watchedSwarm.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import type { CloudMachine, CloudVolume } from './support/cloudParts.ts';
import { machineProblem } from './support/flyCloud.ts';
import { type FlyScene, openFlyScene } from './support/flyScene.ts';

describe.skipIf(machineProblem() !== undefined)(
  notHere('what the monitor says and does when a machine at Fly.io fails', machineProblem()),
  () => {
    let scene: FlyScene;
    let provider: LoneProvider;
    let swarm: WatchedSwarm;
    let bystanders: string[];
    const rows: FaultRow[] = [];

    beforeAll(async () => {
      scene = await openFlyScene();
      provider = scene.makeProvider();
      swarm = await WatchedSwarm.open([provider]);
      bystanders = await Promise.all(['a', 'b'].map(letter => swarm.create({ name: `bystander ${letter}` }, 'fly')));
    });
    afterAll(async () => {
      await swarm?.forget();
      await scene?.close();
      console.log(faultTable(rows));
    });

    const machineOf = (id: string): CloudMachine => {
      const machines = [...scene.cloud.app(appName(id)).machines.values()];
      const machine = machines.find(({ state }) => state !== 'destroyed');
      if (!machine) throw new Error(`${id} has no machine`);
      return machine;
    };
    const volumeOf = (id: string): CloudVolume => {
      const [volume] = scene.cloud.app(appName(id)).volumes.values();
      if (!volume) throw new Error(`${id} has no volume`);
      return volume;
    };
    const breaks = async (id: string, how: string) => {
      const { host, port, dispose } = await provider.abilities.connect(id);
      await fetch(`http://${host}:${port}/break/${how}`);
      dispose();
    };

    const exited = { verdict: 'unhealthy', cause: 'exited', acts: ['restart'] } as const;
    const silent = { ...exited, cause: 'unresponsive' } as const;
    const seen = { seenWithin: 30_000, wellWithin: 30_000 };

    const faults: Fault[] = [
      {
        ...{ name: 'editor process killed (kill -9)', ...exited, ...seen },
        befall: id => machineOf(id).process?.signalServer('SIGKILL'),
        says: /does not run, though it should: exited with code 137/,
      },
      {
        ...{ name: 'machine out of memory', ...exited, ...seen, cause: 'out-of-memory' },
        befall: id => scene.cloud.runOutOfMemory(machineOf(id)),
        says: /does not run, though it should: ran out of memory/,
      },
      {
        ...{ name: 'machine stopped from outside', ...exited, ...seen },
        befall: id => scene.cloud.stop(machineOf(id), {}),
        says: /does not run, though it should/,
      },
      {
        ...{ name: 'server hangs (SIGSTOP)', ...silent, ...seen },
        befall: id => machineOf(id).process?.signalServer('SIGSTOP'),
        says: /did not answer in time/,
      },
      {
        ...{ name: 'server answers 500', ...silent, ...seen },
        befall: id => breaks(id, 'answers-500'),
        says: /answered 500/,
      },
      {
        ...{ name: 'machine deleted from outside', ...exited, ...seen, cause: 'missing', acts: ['recreate'] },
        befall: id => scene.cloud.removeMachine(machineOf(id), true),
        says: /no longer on "fly", which was asked twice/,
      },
    ];

    test.concurrent.each(faults.map(fault => [fault.name, fault] as const))('%s', async (name, fault) => {
      const id = await swarm.create({ name: name.replace(/[^\w ]/g, '') }, 'fly');
      const kept = path.join(volumeOf(id).folder, 'home', 'workspace', 'kept');
      const text = randomBytes(2_048).toString('hex');
      mkdirSync(path.dirname(kept), { recursive: true });
      writeFileSync(kept, text);
      const { id: volumeId } = volumeOf(id);
      rows.push(await suffer('Fly.io', swarm, [id], fault));
      expect(readFileSync(kept, 'utf8') === text, 'its home is as it was').toBe(true);
      expect([...scene.cloud.app(appName(id)).volumes.keys()]).toEqual([volumeId]);
      expect(machineOf(id).state).toBe('started');
    });

    test.concurrent('what a person stopped is left alone', async () => {
      const id = await swarm.create({ name: 'stopped' }, 'fly');
      await swarm.controller.stopInstance(id);
      await roundsGoBy(swarm, bystanders[0] ?? '', 3);
      expect(swarm.controller.getInstance(id)).toMatchObject({ desired: 'stopped', status: 'stopped' });
      expect(machineOf(id).state).toBe('stopped');
    });

    test.concurrent('machine and volume deleted from outside: nothing is made in their place', async () => {
      const id = await swarm.create({ name: 'gone' }, 'fly');
      const fault: Fault = {
        ...{ name: 'machine and volume deleted', verdict: 'unhealthy', acts: [], seenWithin: 15_000, rounds: 3 },
        befall: async () => {
          await scene.cloud.removeMachine(machineOf(id), true);
          await vi.waitFor(() => scene.cloud.removeVolume(volumeOf(id)), 5_000);
        },
        says: /Crash loop\. Its home is gone/,
      };
      rows.push(await suffer('Fly.io', swarm, [id], fault));
      const { machines, volumes } = scene.cloud.app(appName(id));
      expect([...machines.values()].map(({ state }) => state)).toEqual(['destroyed']);
      expect([...volumes.values()].map(({ state }) => state)).toEqual(['pending_destroy']);
      expect(swarm.controller.getInstance(id)).toMatchObject({ desired: 'running', status: 'lost' });
    });

    const outages: Fault[] = [
      {
        ...{ name: 'API answers 503', verdict: 'unknown', acts: [], rounds: 2, ...seen },
        befall: () => scene.server.faults.add({ call: 'GET /orgs/*/machines', times: 100, answer: { status: 503 } }),
        undo: () => scene.server.faults.clear(),
        says: /"fly" does not answer/,
      },
      {
        ...{ name: 'a region does not answer', verdict: 'unknown', acts: [], rounds: 2, ...seen },
        befall: () => scene.cloud.silent.add('fra'),
        undo: () => scene.cloud.silent.clear(),
        says: /"fly" does not answer.*its regions fra/,
      },
      {
        ...{ name: 'token revoked', verdict: 'unknown', acts: [], rounds: 2, ...seen },
        befall: () => scene.server.tokens.delete(scene.token),
        undo: () => scene.server.tokens.add(scene.token),
        says: /"fly" does not answer.*does not accept the token/,
      },
    ];

    test('the host of a machine is away: nothing is done, and one machine has its volume', async () => {
      const id = bystanders[0] ?? '';
      const { id: volumeId } = volumeOf(id);
      const { version } = machineOf(id);
      const fault: Fault = {
        ...{ name: 'host away', verdict: 'unknown', acts: [], rounds: 3, ...seen },
        befall: () => scene.cloud.away.add(volumeId),
        undo: () => scene.cloud.away.clear(),
        says: /the host that it lives on/,
      };
      rows.push(await suffer('Fly.io', swarm, [id], fault));
      expect([...scene.cloud.app(appName(id)).machines.values()].map(({ state }) => state)).toEqual(['started']);
      expect(machineOf(id).version).toBe(version);
    });

    test.each(outages.map(fault => [fault.name, fault] as const))('%s: nothing is done', async (_, fault) => {
      const before = bystanders.map(id => machineOf(id).version);
      rows.push(await suffer('Fly.io', swarm, bystanders, fault));
      expect(bystanders.map(id => machineOf(id).version)).toEqual(before);
    });

    test('nobody else was touched, and nothing was against the document', () => {
      expect(bystanders.map(id => swarm.health(id).recovery.attempts)).toEqual([[], []]);
      expect(scene.guard.violations()).toEqual([]);
    });
  },
);
