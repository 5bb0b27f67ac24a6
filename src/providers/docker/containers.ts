import type Dockerode from 'dockerode';
import { instanceBusy, instanceNotFound, providerRefused, wrongState } from '../../model/errors.ts';
import type { StopCause } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { limitsOf } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { refuseSecondServer } from './homeHolders.ts';
import {
  causeOf,
  containerName,
  type InstanceContainer,
  label,
  primaryOf,
  readContainer,
  volumeName,
} from './instanceContainer.ts';

/** Seconds that a server has to end by itself. `Init` passes the signal on, so that it seldom takes longer than one. */
const politeSeconds = 10;
const patience = 60_000;

/** The containers that are instances: found by their labels, and moved through their life. All of it is safe to repeat. */
export class Containers {
  readonly #engine: DockerEngine;
  #listed: ReadonlyMap<string, InstanceContainer> = new Map();

  constructor(engine: DockerEngine) {
    this.#engine = engine;
  }

  /** One of each instance, of every swarm, in one call. */
  async list(ctx: OperationContext): Promise<InstanceContainer[]> {
    const all = Map.groupBy(await this.#query(label.instance, ctx), ({ id }) => id);
    const primaries = [...all.values()].map(primaryOf).filter(container => container !== undefined);
    this.#listed = new Map(primaries.map(container => [container.id, container]));
    return primaries;
  }

  /** As the last list told it; asks nobody. */
  listed(instanceId: string): InstanceContainer | undefined {
    return this.#listed.get(instanceId);
  }

  /** All containers of one instance: its own, and what an interrupted replacement left. */
  of(instanceId: string, ctx: OperationContext): Promise<InstanceContainer[]> {
    return this.#query(`${label.instance}=${instanceId}`, ctx);
  }

  /** For whoever acts on it. Rejects with `container-untold` while nobody can tell what it is. */
  async find(instanceId: string, ctx: OperationContext): Promise<InstanceContainer | undefined> {
    const container = await this.look(instanceId, ctx);
    if (container) refuseUntold(container);
    return container;
  }

  async look(instanceId: string, ctx: OperationContext): Promise<InstanceContainer | undefined> {
    return primaryOf(await this.of(instanceId, ctx));
  }

  /** Rejects with `instance-not-found`. */
  async existing(instanceId: string, ctx: OperationContext): Promise<InstanceContainer> {
    const container = await this.find(instanceId, ctx);
    if (!container) throw instanceNotFound(instanceId);
    return container;
  }

  /** Rejects with `instance-not-found` or `wrong-state`. */
  async running(instanceId: string, ctx: OperationContext): Promise<InstanceContainer> {
    const container = await this.existing(instanceId, ctx);
    if (container.status !== 'running') throw wrongState(instanceId, container.status, 'start it first');
    return container;
  }

  /** Why it does not run, where the engine can tell. Of one that runs, or is in the trash, nothing is asked. */
  async causeOf(
    { containerId, state, role }: InstanceContainer,
    ctx: OperationContext,
  ): Promise<StopCause | undefined> {
    // A paused one may be wedged: an inspect of it would never end.
    if (role !== 'owner' || !['exited', 'created', 'dead'].includes(state)) return undefined;
    try {
      const { State } = await this.#engine.call('Looking at the container', ctx, (docker, abortSignal) =>
        docker.getContainer(containerId).inspect({ abortSignal }),
      );
      return causeOf(State);
    } catch (error) {
      if (engineStatus(error) === 404) return undefined;
      throw error;
    }
  }

  async start({ id, containerId, state }: InstanceContainer, ctx: OperationContext): Promise<void> {
    await refuseSecondServer(this.#engine, id, containerId, ctx);
    if (state === 'paused') return this.#unpause(containerId, ctx);
    await this.#tell(containerId, 'Starting the container', ctx, [304], (c, abortSignal) => c.start({ abortSignal }));
  }

  /** Asks it to end, or with `force` ends it. What a paused one is told it hears only once it goes on. */
  async stop({ containerId, state }: InstanceContainer, force: boolean, ctx: OperationContext): Promise<void> {
    if (state === 'paused') await this.#unpause(containerId, ctx);
    const doing = 'Stopping the container';
    if (!force) {
      return this.#tell(containerId, doing, ctx, [304], (c, abortSignal) => c.stop({ t: politeSeconds, abortSignal }));
    }
    // 409: it does not run.
    await this.#tell(containerId, doing, ctx, [409], (c, abortSignal) => c.kill({ abortSignal }));
    await this.#tell(containerId, doing, ctx, [], (c, abortSignal) => c.wait({ abortSignal }));
  }

  /**
   * By the name that it had: of two who rename it at once, all but one are refused with `instance-busy`. An engine finds
   * the container by that name before it takes its lock, so that it may grant both: who has it is told by an inspect,
   * which waits for its turn behind every rename that was granted by then.
   */
  async rename({ id, name, containerId }: InstanceContainer, to: string, ctx: OperationContext): Promise<void> {
    if (name === to) return;
    // 404: it has that name no more. 400: it is called so already.
    await this.#tell(name, 'Renaming the container', ctx, [404, 400], (c, abortSignal) =>
      c.rename({ name: to, abortSignal }),
    );
    const now = await this.#nameOf(containerId, ctx);
    if (now === to) return;
    throw instanceBusy(id, now === undefined ? 'its container is gone' : 'somebody else has renamed its container');
  }

  /** Its name says that it is being removed; one that the engine is removing already has no name to change. */
  async markRemoved(container: InstanceContainer, ctx: OperationContext): Promise<void> {
    if (container.state === 'removing' || container.state === 'dead') return;
    await this.rename(container, containerName(container, 'removing'), ctx);
  }

  /** Gone with its anonymous volumes, whatever its state. A removal that is under way already is waited for. */
  async remove(containerId: string, ctx: OperationContext): Promise<void> {
    await this.#tell(containerId, 'Removing the container', ctx, [404, 409], (c, abortSignal) =>
      c.remove({ force: true, v: true, abortSignal }),
    );
    await this.#tell(containerId, 'Removing the container', ctx, [404], (c, abortSignal) =>
      c.wait({ condition: 'removed', abortSignal }),
    );
  }

  /** Removes what an interrupted replacement left beside it. */
  async removeOthers({ id, containerId, swarmId }: InstanceContainer, ctx: OperationContext): Promise<void> {
    // What is another owner's is none of a replacement's.
    const others = (await this.of(id, ctx)).filter(
      other => other.containerId !== containerId && other.swarmId === swarmId,
    );
    for (const other of others) await this.remove(other.containerId, ctx);
  }

  /** Removes what reads or writes its home beside it: a killed window's would hold the volume, and a late one fill it. */
  async removeHelpers(instanceId: string, ctx: OperationContext): Promise<void> {
    const filters = { label: [label.check], volume: [volumeName(instanceId)] };
    const rows = await this.#engine.call('Listing the helper containers', ctx, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    for (const { Id } of rows) await this.remove(Id, ctx);
  }

  /** Changes limits of the container, running or not. */
  async resize(containerId: string, limits: ReturnType<typeof limitsOf>, ctx: OperationContext): Promise<void> {
    await this.#tell(containerId, 'Changing the limits', ctx, [], (c, abortSignal) =>
      c.update({ ...limits, abortSignal }),
    );
  }

  /** Undefined when there is no such container. */
  async #nameOf(containerId: string, ctx: OperationContext): Promise<string | undefined> {
    try {
      const { Name } = await this.#engine.call('Looking at the container', ctx, (docker, abortSignal) =>
        docker.getContainer(containerId).inspect({ abortSignal }),
      );
      return Name.replace(/^\//, '');
    } catch (error) {
      if (engineStatus(error) === 404) return undefined;
      throw error;
    }
  }

  async #unpause(containerId: string, ctx: OperationContext): Promise<void> {
    await this.#tell(containerId, 'Waking the container', ctx, [], (c, abortSignal) => c.unpause({ abortSignal }));
  }

  async #query(filter: string, ctx: OperationContext): Promise<InstanceContainer[]> {
    const rows = await this.#engine.call('Listing the containers', ctx, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters: { label: [filter] }, abortSignal }),
    );
    return rows.map(readContainer).filter(container => container !== undefined);
  }

  /** `harmless`: answers that mean that it is so already. */
  async #tell(
    containerId: string,
    doing: string,
    ctx: OperationContext,
    harmless: readonly number[],
    work: (container: Dockerode.Container, abortSignal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.#engine.call(doing, ctx, (docker, signal) => work(docker.getContainer(containerId), signal), patience);
    } catch (error) {
      if (!harmless.includes(engineStatus(error) ?? 0)) throw error;
    }
  }
}

/** Nothing is done to what may be something else than it is taken for, and nothing is made beside it. */
export function refuseUntold(container: InstanceContainer): void {
  const { id, name, untold } = container;
  if (!untold) return;
  throw providerRefused(
    'container-untold',
    `The Docker engine does not tell what the container of "${id}" is: ${name === '' ? 'it has no name' : `it is called "${name}"`}.`,
    `Wait until the engine has removed it, or call it "${containerName(container, 'owner')}" again, with "docker rename".`,
  );
}
