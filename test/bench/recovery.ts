import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { quietContext } from '../../src/model/operationContext.ts';
import { answers } from '../../src/providers/editorServer.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';
import { swarmOn } from './swarmOn.ts';

const kills = 20;
/** Docker waits longer from one restart to the next, unless the container ran for ten seconds: it is seen at its best. */
const longEnough = 10_500;
const patience = 60_000;

/**
 * From the end of a container until its editor server answers on its new port: healed by the health monitor with its
 * usual settings, so by the engine's events and not by a round; and by Docker's own restart policy, in turn.
 */
export async function measureRecovery(): Promise<Figure[]> {
  const engine = await startEngine({ name: 'heal' });
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  const core = await swarmOn(engine.host, await ensureTestImage(engine.docker, 'stub'), directory);
  try {
    const { id } = await core.controller.createInstance({ name: 'killed' }, 'engine');
    const watched = engine.docker.getContainer(`remote-swarm-${id}--owner`);
    const restarting = await restartedByDocker(engine, id, watched);
    const own: number[] = [];
    const dockers: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      await sleep(longEnough);
      // A person sees the new port, too.
      own.push(await timeToHeal(watched, id, port => core.controller.getInstance(id).port === port));
      await core.controller.resetCrashLoop(id);
      dockers.push(await timeToHeal(restarting, id, () => true));
    }
    const against = `its container killed, median of ${kills}`;
    return [
      {
        name: 'killed container answers again',
        value: median(own),
        unit: 's',
        goal: 3,
        better: 'lower',
        against: `${against}; slowest ${Math.max(...own).toFixed(2)} s`,
      },
      {
        name: 'the same, by Docker with --restart always',
        value: median(dockers),
        unit: 's',
        better: 'lower',
        against: `${against}; slowest ${Math.max(...dockers).toFixed(2)} s`,
      },
    ];
  } finally {
    await core.dispose();
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The same container of that instance on a volume with the same files, unknown to the swarm, and started anew by its engine. */
async function restartedByDocker(
  { docker }: Engine,
  id: string,
  model: Dockerode.Container,
): Promise<Dockerode.Container> {
  const { Config, HostConfig, Mounts } = await model.inspect();
  const { Hostname: _ownId, Labels: _ours, ...config } = Config;
  const folder = Mounts[0]?.Destination ?? '';
  const volume = HostConfig.Mounts?.map(mount => ({ ...mount, Source: 'restarting' }));
  const container = await docker.createContainer({
    ...config,
    name: 'restarting',
    HostConfig: { ...HostConfig, RestartPolicy: { Name: 'always' }, ...(volume && { Mounts: volume }) },
  });
  await container.putArchive(await model.getArchive({ path: `${folder}/.` }), { path: folder });
  await container.start();
  await answeringPort(container, id, 0);
  return container;
}

/** Seconds. The kill comes from outside: one that goes through the engine tells it not to restart the container. */
async function timeToHeal(
  container: Dockerode.Container,
  id: string,
  isShown: (port: number) => boolean,
): Promise<number> {
  const { State } = await container.inspect();
  const began = performance.now();
  process.kill(State.Pid, 'SIGKILL');
  const port = await answeringPort(container, id, State.Pid);
  while (!isShown(port)) await sleep(5);
  return (performance.now() - began) / 1_000;
}

/** The port on which it answers once it is another process than this one. */
async function answeringPort(container: Dockerode.Container, instanceId: string, notPid: number): Promise<number> {
  const deadline = performance.now() + patience;
  while (performance.now() < deadline) {
    const { State, NetworkSettings } = await container.inspect();
    const port = Number(Object.values(NetworkSettings.Ports)[0]?.[0]?.HostPort);
    const isAnother = State.Running && State.Pid > 0 && State.Pid !== notPid;
    if (isAnother && port > 0 && (await answers('127.0.0.1', port, instanceId, quietContext))) return port;
    await sleep(10);
  }
  throw new Error('A killed container did not come back.');
}
