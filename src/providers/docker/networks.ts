import { randomBytes } from 'node:crypto';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { label } from './instanceContainer.ts';

/**
 * The swarm's own network, on which containers can reach the outside and not each other. One for all instances and not
 * one each: an engine has address ranges for some thirty networks only, and a bridge takes a thousand containers.
 * Two windows may make one each at the same time; each has a name of its own then, and both do.
 */
export async function ensureNetwork(engine: DockerEngine, swarmId: string, ctx: OperationContext): Promise<string> {
  const [existing] = await listNetworks(engine, swarmId, ctx);
  if (existing !== undefined) return existing;
  const { id } = await engine.call('Making the network', uncancelled(ctx), (docker, abortSignal) =>
    docker.createNetwork({
      // An engine lets two networks have one name, and then starts no container on either.
      Name: `remote-swarm-${swarmId}-${randomBytes(4).toString('hex')}`,
      Driver: 'bridge',
      Labels: { [label.swarm]: swarmId },
      Options: { 'com.docker.network.bridge.enable_icc': 'false' },
      abortSignal,
    }),
  );
  return id;
}

/** Puts a container that does not run, and whose network is gone, on this one. */
export async function rejoinNetwork(
  engine: DockerEngine,
  containerId: string,
  network: string,
  ctx: OperationContext,
): Promise<void> {
  const { NetworkSettings } = await engine.call('Looking at the container', ctx, (docker, abortSignal) =>
    docker.getContainer(containerId).inspect({ abortSignal }),
  );
  await engine.call('Joining the network', uncancelled(ctx), async (docker, abortSignal) => {
    for (const name of Object.keys(NetworkSettings.Networks)) {
      await docker.getNetwork(name).disconnect({ Container: containerId, Force: true, abortSignal });
    }
    const joining = { Container: containerId, abortSignal };
    await docker.getNetwork(network).connect(joining);
  });
}

/** Removes the swarm's network unless a container of the swarm is left, be it a stopped one. */
export async function removeIdleNetworks(engine: DockerEngine, swarmId: string, ctx: OperationContext): Promise<void> {
  const ofSwarm = { label: [`${label.swarm}=${swarmId}`] };
  const left = await engine.call('Listing the containers', ctx, (docker, abortSignal) =>
    docker.listContainers({ all: true, limit: 1, filters: ofSwarm, abortSignal }),
  );
  if (left.length > 0) return;
  for (const id of await listNetworks(engine, swarmId, ctx)) {
    try {
      await engine.call('Removing the network', ctx, (docker, abortSignal) =>
        docker.getNetwork(id).remove({ abortSignal }),
      );
    } catch (error) {
      // 403: somebody has just joined it.
      const status = engineStatus(error);
      if (status !== 404 && status !== 403 && status !== 409) throw error;
    }
  }
}

async function listNetworks(engine: DockerEngine, swarmId: string, ctx: OperationContext): Promise<string[]> {
  const rows = await engine.call('Listing the networks', ctx, (docker, abortSignal) =>
    docker.listNetworks({ filters: { label: [`${label.swarm}=${swarmId}`] }, abortSignal }),
  );
  return rows.map(({ Id }) => Id).sort();
}
