import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type Dockerode from 'dockerode';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type { HomeProcess, HomeTask } from '../../model/provider.ts';
import { checkSaid, giveBack, writerTo } from '../homeProgram.ts';
import { readAhead } from '../readAhead.ts';
import { confinement, homeMount, layout, node, ownStart, runtimeMount, serverRoot } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { dial } from './engineClient.ts';
import { engineStatus } from './engineErrors.ts';
import { FrameReader } from './frames.ts';
import { type InstanceContainer, label } from './instanceContainer.ts';

/** What it takes to read files that their owner may not, and to give files their owner and mode. */
const abilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'];
const mostSaid = 4_096;
const attached = { stream: true, stdin: true, stdout: true, stderr: true };
/** An image may look for programs in the home first, which whoever works there may have put there. */
const programs = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs first, inside: proves by the record beside it that the home is the instance's. An engine that dropped a mount would
 * show an empty folder, which the program would take for an empty home.
 */
const proof = (instanceId: string) => `{
  let record = '';
  try { record = process.getBuiltinModule('fs').readFileSync(${JSON.stringify(layout.record)}, 'utf8'); } catch {}
  if (!record.includes(${JSON.stringify(JSON.stringify(instanceId))})) {
    process.stderr.write('the engine did not mount its volume');
    process.exit(1);
  }
}
`;

/**
 * Runs the program in a container of its own that has the instance's image and volumes, and no network: so the instance
 * need not run, and nothing of it is held up. The engine removes the container at its end, also when nobody waits.
 */
export async function openContainerHome(
  engine: DockerEngine,
  { id, containerId }: InstanceContainer,
  program: string,
  task: HomeTask,
  ctx: OperationContext,
): Promise<HomeProcess> {
  const name = `remote-swarm-home-${randomBytes(6).toString('hex')}`;
  // What it is made of is told in more ways than one, and not each engine knows all of them.
  const { Image, Mounts } = await engine.call('Looking at the container', ctx, (docker, abortSignal) =>
    docker.getContainer(containerId).inspect({ abortSignal }),
  );
  const runtime = Mounts.find(({ Destination }) => Destination === serverRoot)?.Name;
  const remove = async () => {
    try {
      await engine.call('Removing a helper container', quietContext, async docker => {
        const container = docker.getContainer(name);
        await container.remove({ force: true, v: true });
      });
    } catch (error) {
      // 409: the engine is removing it already.
      if (![404, 409].includes(engineStatus(error) ?? 0)) throw error;
    }
  };
  try {
    const container = await engine.call('Making a helper container', ctx, (docker, abortSignal) =>
      docker.createContainer({
        ...{ name, Image, Labels: { [label.check]: name }, User: '0:0', WorkingDir: layout.home },
        ...{
          Entrypoint: [node],
          Cmd: ['--input-type=module', '-e', proof(id) + program, task],
          Env: [...ownStart, programs],
        },
        ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
        Healthcheck: { Test: ['NONE'] },
        HostConfig: {
          ...{ ...confinement, CapAdd: abilities, AutoRemove: true, NetworkMode: 'none', PidsLimit: 64 },
          Mounts: [homeMount(id), ...(runtime === undefined ? [] : [runtimeMount(runtime)])],
          LogConfig: { Type: 'none', Config: {} },
        },
        abortSignal,
      }),
    );
    const stream = await engine.call('Reaching a helper container', ctx, docker => attach(docker, name));
    await engine.call('Starting a helper container', ctx, (_, abortSignal) => container.start({ abortSignal }), 60_000);
    const reader = new FrameReader();
    let said = '';
    let signs = 0;
    const output = readAhead(stream, chunk => {
      signs += 1;
      const found = reader.take(chunk);
      for (const { stream: which, data } of found) {
        if (which === 'stderr') said = (said + data.toString()).slice(-mostSaid);
      }
      // Parts of a chunk would keep it until the collector finds it, which costs more than this copy.
      const data = Buffer.concat(found.filter(({ stream: which }) => which === 'stdout').map(({ data }) => data));
      giveBack(chunk);
      return [data];
    });
    const read = finished(stream, { writable: false }).catch(() => {});
    const done = read.then(() => checkSaid(id, engine.providerId, said));
    done.catch(() => {});
    return {
      output,
      write: writerTo(stream),
      done,
      signs: () => signs,
      end: async () => {
        stream.destroy();
        await remove().catch(() => {});
      },
    };
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}

/** Without a body, which some engines take for the beginning of the program's input; dockerode always sends one. */
const attach = (docker: Dockerode, container: string) =>
  dial<Duplex>(docker, {
    ...{ path: `/containers/${container}/attach?`, method: 'POST', options: { ...attached }, file: Buffer.alloc(0) },
    ...{ isStream: true, hijack: true, openStdin: true, statusCodes: { 101: true, 200: true } },
  });
