import { randomBytes } from 'node:crypto';
import type Dockerode from 'dockerode';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import { Turns } from '../turns.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { label } from './instanceContainer.ts';

/** On a network with this, containers can't reach each other. Podman drops it, as any option that it does not know. */
const apart = { 'com.docker.network.bridge.enable_icc': 'false' };
const keepsApart = ({ Options }: Pick<Dockerode.NetworkInspectInfo, 'Options'>) =>
  Object.entries(apart).every(([option, value]) => Options?.[option] === value);

/**
 * The networks of swarms, on which containers can reach the outside and not each other. One for all instances where the
 * engine keeps them apart on it, as Docker has address ranges for some thirty networks only, and a bridge takes a
 * thousand containers. Else one for each: Podman has thousands of ranges, and lets none of its networks reach another.
 */
export class Networks {
  readonly #engine: DockerEngine;
  /** Creates at once must not each find no network, and each make one. */
  readonly #turns = new Turns();
  /** Whether the engine keeps containers apart on one network; undefined until one was made. */
  #keepsApart: boolean | undefined;

  constructor(engine: DockerEngine) {
    this.#engine = engine;
  }

  /** The id of the instance's network. Two windows may make one each at the same time; both do. */
  ensure(swarmId: string, instanceId: string, ctx: OperationContext): Promise<string> {
    return this.#turns.take(swarmId, async () => {
      const rows = await this.#list(swarmId, ctx);
      const existing =
        rows.find(row => row.Labels?.[label.instance] === undefined && keepsApart(row)) ??
        rows.find(row => row.Labels?.[label.instance] === instanceId);
      if (existing) return existing.Id;
      if (this.#keepsApart !== false) {
        const id = await this.#make(swarmId, {}, ctx);
        this.#keepsApart = keepsApart(
          await this.#engine.call('Looking at the network', uncancelled(ctx), docker =>
            docker.getNetwork(id).inspect(),
          ),
        );
        if (this.#keepsApart) return id;
        await this.#remove(id, uncancelled(ctx));
      }
      return this.#make(swarmId, { [label.instance]: instanceId }, ctx);
    });
  }

  /** Puts a container that does not run, and whose network is gone, on this one. */
  async rejoin(containerId: string, network: string, ctx: OperationContext): Promise<void> {
    const { NetworkSettings } = await this.#engine.call('Looking at the container', ctx, (docker, abortSignal) =>
      docker.getContainer(containerId).inspect({ abortSignal }),
    );
    await this.#engine.call('Joining the network', uncancelled(ctx), async (docker, abortSignal) => {
      for (const name of Object.keys(NetworkSettings.Networks)) {
        await docker.getNetwork(name).disconnect({ Container: containerId, Force: true, abortSignal });
      }
      const joining = { Container: containerId, abortSignal };
      await docker.getNetwork(network).connect(joining);
    });
  }

  /** Removes those of the swarm that no container of it is left for, be it a stopped one. */
  async removeIdle(swarmId: string, ctx: OperationContext): Promise<void> {
    for (const { Id, Labels } of await this.#list(swarmId, ctx)) {
      const instanceId = Labels?.[label.instance];
      const users = instanceId === undefined ? `${label.swarm}=${swarmId}` : `${label.instance}=${instanceId}`;
      const left = await this.#engine.call('Listing the containers', ctx, (docker, abortSignal) =>
        docker.listContainers({ all: true, limit: 1, filters: { label: [users] }, abortSignal }),
      );
      if (left.length === 0) await this.#remove(Id, ctx);
    }
  }

  async #make(swarmId: string, labels: Readonly<Record<string, string>>, ctx: OperationContext): Promise<string> {
    const { id } = await this.#engine.call('Making the network', uncancelled(ctx), (docker, abortSignal) =>
      docker.createNetwork({
        // An engine lets two networks have one name, and then starts no container on either.
        Name: `remote-swarm-${swarmId}-${randomBytes(4).toString('hex')}`,
        Driver: 'bridge',
        Labels: { [label.swarm]: swarmId, ...labels },
        Options: apart,
        abortSignal,
      }),
    );
    return id;
  }

  async #remove(id: string, ctx: OperationContext): Promise<void> {
    try {
      await this.#engine.call('Removing the network', ctx, (docker, abortSignal) =>
        docker.getNetwork(id).remove({ abortSignal }),
      );
    } catch (error) {
      // 403: somebody has just joined it.
      const status = engineStatus(error);
      if (status !== 404 && status !== 403 && status !== 409) throw error;
    }
  }

  async #list(swarmId: string, ctx: OperationContext): Promise<Dockerode.NetworkInspectInfo[]> {
    const rows = await this.#engine.call('Listing the networks', ctx, (docker, abortSignal) =>
      docker.listNetworks({ filters: { label: [`${label.swarm}=${swarmId}`] }, abortSignal }),
    );
    return rows.sort((a, b) => a.Id.localeCompare(b.Id));
  }
}
