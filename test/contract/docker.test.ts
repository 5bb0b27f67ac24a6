import * as path from 'node:path';
import { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import type { ProviderEnvironment } from '../../src/providers/providerEnvironment.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { describeProviderContract } from './providerContract.ts';
import { later } from './specs.ts';

const environment: ProviderEnvironment = {
  localDirectory: '/nonexistent',
  launcher: path.resolve(import.meta.dirname, '../../media/instance/launcher.mjs'),
  editorServerDirectory: '/nonexistent',
  machine: testMachine,
  readSecret: async () => undefined,
};

describeWithEngine('Docker', () => {
  describeProviderContract('the Docker provider', async () => {
    const { host, docker } = await testEngine();
    const image = await ensureTestImage(docker, 'codeServer');
    const world = new EngineWorld(docker);
    const foreign: (() => Promise<unknown>)[] = [];
    return {
      makeProvider: async () =>
        new GuardedProvider(new DockerProvider({ id: 'docker', type: 'docker', endpoint: host, image }, environment)),
      world: {
        exists: id => world.exists(id),
        readHome: (id, file) => world.readFile(id, `/remote-swarm/home/${file}`),
        publicText: id => world.publicText(id),
        noteLater: async id => {
          const file = '/remote-swarm/reserved/instance.json';
          const before = await world.readFile(id, file);
          const write = async (text: string) =>
            void (await world.exec(id, 'sh', '-c', `printf %s '${text}' > ${file}`));
          await write(later);
          return { isKept: async () => (await world.readFile(id, file)) === later, undo: () => write(before ?? '') };
        },
        plantForeign: async () => {
          // Named as ours are, and without our labels; and with a label that is nearly one of ours.
          const name = 'remote-swarm-abcdefabcdef--owner';
          const volume = 'remote-swarm-abcdefabcdef';
          const labels = { 'remote-swarm.other': 'x' };
          await docker.createVolume({ Name: volume, Labels: labels });
          const container = await docker.createContainer({ name, Image: image, Labels: labels, Cmd: ['true'] });
          foreign.push(
            () => container.remove({ force: true }),
            () => docker.getVolume(volume).remove(),
          );
          const state = async () => {
            const { Name, State } = await container.inspect();
            return JSON.stringify([Name, State.Status, await docker.getVolume(volume).inspect()]);
          };
          const before = await state();
          return async () => (await state()) === before;
        },
        writeLog: async (id, line) => {
          await world.exec(id, 'sh', '-c', `echo '${line}' > /proc/1/fd/1`);
        },
        crash: async id => {
          const server = await world.container(id);
          await server.kill();
          await server.wait();
        },
        loseServer: async id => (await world.container(id)).remove({ force: true }),
        loseHome: async id => {
          await (await world.container(id)).remove({ force: true });
          await docker.getVolume(`remote-swarm-${id}`).remove();
        },
      },
      cleanup: async swarmId => {
        for (const remove of foreign) await remove();
        await world.removeSwarm(swarmId);
      },
    };
  });
});
