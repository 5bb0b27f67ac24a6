import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type { HomeProcess, HomeTask } from '../../model/provider.ts';
import { checkEnd } from '../homeProgram.ts';
import { confinement, layout, node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { frames } from './frames.ts';
import { type InstanceContainer, label } from './instanceContainer.ts';

/** What it takes to read files that their owner may not, and to give files their owner and mode. */
const abilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'];
const mostSaid = 4_096;

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
  const { Image, HostConfig } = await engine.call('Looking at the container', ctx, (docker, abortSignal) =>
    docker.getContainer(containerId).inspect({ abortSignal }),
  );
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
        ...{ Entrypoint: [node], Cmd: ['--input-type=module', '-e', program, task], Env: [] },
        ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
        Healthcheck: { Test: ['NONE'] },
        HostConfig: {
          ...{ ...confinement, CapAdd: abilities, AutoRemove: true, NetworkMode: 'none', PidsLimit: 64 },
          ...{ Mounts: HostConfig.Mounts ?? [], LogConfig: { Type: 'none', Config: {} } },
        },
        abortSignal,
      }),
    );
    const stream = await engine.call('Reaching a helper container', ctx, () =>
      container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true }),
    );
    const ended = engine.call(
      'Waiting for a helper container',
      quietContext,
      () => container.wait({ condition: 'next-exit' }),
      // As long as it takes: whoever opened it ends it.
      2 ** 31 - 1,
    );
    ended.catch(() => {});
    await engine.call('Starting a helper container', ctx, (_, abortSignal) => container.start({ abortSignal }), 60_000);
    const stdout = new PassThrough();
    let said = '';
    const reading = (async () => {
      for await (const { stream: which, data } of frames(stream as NodeJS.ReadWriteStream & PassThrough)) {
        if (which === 'stderr') said = (said + data.toString()).slice(-mostSaid);
        else if (!stdout.write(data) && !stdout.destroyed) await drained(stdout);
      }
    })();
    reading.then(
      () => stdout.end(),
      error => stdout.destroy(error),
    );
    const done = (async () => {
      const [{ StatusCode }] = await Promise.all([ended, reading]);
      checkEnd(id, engine.providerId, StatusCode, said);
    })();
    done.catch(() => {});
    stream.on('error', () => {});
    return {
      stdin: stream as unknown as HomeProcess['stdin'],
      stdout,
      done,
      end: async () => {
        stdout.destroy();
        (stream as unknown as PassThrough).destroy();
        await remove().catch(() => {});
      },
    };
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}

const drained = (stream: PassThrough) =>
  new Promise<void>(resolve => {
    for (const event of ['drain', 'close']) stream.once(event, () => resolve());
  });
