import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { describe, expect, vi } from 'vitest';
import { appName } from '../../src/providers/fly/instanceMachine.ts';
import { describeProviderContract } from '../contract/providerContract.ts';
import { later } from '../contract/specs.ts';
import { notHere } from '../fakes/notHere.ts';
import { machineProblem } from './support/flyCloud.ts';
import { openFlyScene, organization } from './support/flyScene.ts';

const problem = machineProblem();

describe.skipIf(problem !== undefined)(notHere('Fly.io, as its stand-in is', problem), () => {
  describeProviderContract('the Fly provider', async () => {
    const scene = await openFlyScene();
    const { cloud } = scene;
    const machineOf = (id: string) =>
      [...(cloud.apps.get(appName(id))?.machines.values() ?? [])].find(({ state }) => state !== 'destroyed');
    const volumeOf = (id: string) =>
      [...(cloud.apps.get(appName(id))?.volumes.values() ?? [])].find(({ state }) => state === 'created');
    const lose = async (id: string) => {
      const machine = machineOf(id);
      if (!machine) return;
      await cloud.removeMachine(machine, true);
      await vi.waitFor(() => expect(volumeOf(id)?.machine).toBeUndefined(), 5_000);
    };
    return {
      makeProvider: async () => scene.makeProvider(),
      world: {
        exists: async id => cloud.apps.has(appName(id)),
        readHome: async (id, file) => {
          const folder = volumeOf(id)?.folder;
          return folder && readFile(path.join(folder, 'home', file), 'utf8').catch(() => undefined);
        },
        noteLater: async id => {
          const [machine] = cloud.app(appName(id)).machines.values();
          const key = 'remote-swarm.config';
          const { metadata: notes = {} } = machine?.config ?? {};
          const before = notes[key] ?? '';
          notes[key] = later;
          return {
            isKept: async () => machine?.config.metadata?.[key] === later,
            undo: async () => {
              notes[key] = before;
            },
          };
        },
        publicText: async id => {
          const { machines, volumes, log } = cloud.app(appName(id));
          const told = [...machines.values()].map(({ name, config, events }) => ({ name, config, events }));
          return JSON.stringify({ told, volumes: [...volumes.values()], log });
        },
        plantForeign: async () => {
          const app = cloud.makeApp('somebody-elses', organization, 'default');
          app.ips.push('66.241.124.2');
          const metadata = { 'remote-swarm.instance': 'abcdefabcdef', 'remote-swarm.role': 'owner' };
          const machine = cloud.makeMachine(app, { name: 'instance', config: { image: 'postgres', metadata } });
          await cloud.wait(machine, 'started', undefined, 5);
          const look = () => JSON.stringify([machine.state, machine.version, machine.config, cloud.apps.has(app.name)]);
          const before = look();
          return async () => look() === before;
        },
        writeLog: async (id, line) => {
          const timestamp = new Date().toISOString();
          cloud.app(appName(id)).log.push({ timestamp, message: line, instance: machineOf(id)?.id ?? '' });
        },
        crash: async id => {
          machineOf(id)?.process?.signalServer('SIGKILL');
          await vi.waitFor(() => expect(machineOf(id)?.state).toBe('stopped'), 10_000);
        },
        loseServer: lose,
        loseHome: async id => {
          await lose(id);
          const volume = volumeOf(id);
          if (volume) cloud.removeVolume(volume);
        },
      },
      cleanup: async () => {
        expect(scene.guard.violations()).toEqual([]);
        await scene.close();
      },
    };
  }, ['watch']);
});
