import { randomBytes } from 'node:crypto';
import type Dockerode from 'dockerode';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import { confinement, ownStart, user } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { label } from './instanceContainer.ts';

/** A container that is thrown away after `work`; it never sees a network, nor runs where a home is. It can't be cancelled, being short. */
export async function withCheckContainer<T>(
  engine: DockerEngine,
  spec: Dockerode.ContainerCreateOptions,
  work: (container: Dockerode.Container) => Promise<T>,
): Promise<T> {
  const name = `remote-swarm-check-${randomBytes(6).toString('hex')}`;
  const options: Dockerode.ContainerCreateOptions = {
    ...spec,
    name,
    Labels: { [label.check]: name },
    User: `${user.uid}:${user.gid}`,
    Env: [...ownStart],
    WorkingDir: '/',
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { ...confinement, PidsLimit: 64, NetworkMode: 'none', ...spec.HostConfig },
  };
  const remove = async () => {
    try {
      await engine.call('Removing a check container', quietContext, (docker, abortSignal) =>
        docker.getContainer(name).remove({ force: true, v: true, abortSignal }),
      );
    } catch (error) {
      if (engineStatus(error) !== 404) throw error;
    }
  };
  try {
    // Long: making it may copy the whole editor server into a volume.
    const container = await engine.call(
      'Making a check container',
      quietContext,
      (docker, abortSignal) => docker.createContainer({ ...options, abortSignal }),
      120_000,
    );
    return await work(container);
  } finally {
    // A failure here must not hide the result: what is left is found by its label at the next start.
    await remove().catch(() => {});
  }
}

/** Milliseconds after which a container of this label that does not run is taken for what a killed process left. */
export const abandonedAge = 600_000;

/**
 * Removes what killed processes left, or a killed engine half removed, and answers whether there are others, too young
 * to be known for that.
 */
export async function removeAbandonedChecks(engine: DockerEngine, ctx: OperationContext): Promise<boolean> {
  const rows = await engine.call('Listing the containers', ctx, (docker, abortSignal) =>
    docker.listContainers({ all: true, filters: { label: [label.check] }, abortSignal }),
  );
  const isOld = (created: number) => created * 1000 < Date.now() - abandonedAge;
  const old = rows.filter(({ Created, State }) => State === 'dead' || (State !== 'running' && isOld(Created)));
  await Promise.allSettled(
    old.map(({ Id }) =>
      engine.call('Removing a check container', ctx, (docker, abortSignal) =>
        docker.getContainer(Id).remove({ force: true, v: true, abortSignal }),
      ),
    ),
  );
  return old.length < rows.length;
}

/** Whether there is something at `path` in the container; needs no process in it. */
export async function holds(engine: DockerEngine, container: Dockerode.Container, path: string): Promise<boolean> {
  try {
    await engine.call(`Looking for ${path}`, quietContext, async (_, abortSignal) => {
      // An answer that nobody reads to its end keeps its connection.
      const answer: NodeJS.ReadableStream = await container.infoArchive({ path, abortSignal });
      answer.resume();
    });
    return true;
  } catch (error) {
    if (engineStatus(error) === 404) return false;
    throw error;
  }
}
