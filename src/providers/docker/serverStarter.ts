import { setTimeout as sleep } from 'node:timers/promises';
import { providerRefused, SwarmError, timedOut } from '../../model/errors.ts';
import { type OperationContext, quietContext, withTimeout } from '../../model/operationContext.ts';
import { answers } from '../editorServer.ts';
import { readLogs } from './containerLogs.ts';
import type { Containers } from './containers.ts';
import type { DockerEngine } from './dockerEngine.ts';
import type { InstanceBuilder } from './instanceBuilder.ts';
import { type InstanceContainer, serverPort } from './instanceContainer.ts';
import { Tunnel } from './tunnel.ts';

const patience = 60_000;
/** An engine tries ten ports in a row, and the ones after them at the next start. */
const startTries = 5;
/** How long a published port may refuse before it is tried whether the instance answers through the engine. */
const portPatience = 3_000;

/** Probes for half a second: an answer of the server costs nothing, one of the engine whether it still runs does. */
async function answersSoon(port: number, instanceId: string, ctx: OperationContext): Promise<boolean> {
  const deadline = performance.now() + 500;
  while (!(await answers('127.0.0.1', port, instanceId, ctx))) {
    if (performance.now() > deadline) return false;
    await sleep(40, undefined, { signal: ctx.signal });
  }
  return true;
}

/** Starts a container and waits until its editor server answers. */
export class ServerStarter {
  readonly #engine: DockerEngine;
  readonly #containers: Containers;
  readonly #builder: InstanceBuilder;

  constructor(engine: DockerEngine, containers: Containers, builder: InstanceBuilder) {
    this.#engine = engine;
    this.#containers = containers;
    this.#builder = builder;
  }

  /** Answers with the container as it runs; its port is another one after each start. */
  async start(container: InstanceContainer, ctx: OperationContext): Promise<InstanceContainer> {
    ctx.report('Starting the editor server');
    await this.#startContainer(container, ctx);
    ctx.report('Waiting for the editor server to answer');
    const limited = withTimeout(ctx, patience);
    try {
      return await this.#answering(container, limited);
    } catch (error) {
      ctx.signal.throwIfAborted();
      throw limited.signal.aborted ? timedOut('The start of the editor server', patience) : error;
    }
  }

  /** On a free port; and on a network, which an engine's own clean-up may have removed while it was stopped. */
  async #startContainer(container: InstanceContainer, ctx: OperationContext): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#containers.start(container, ctx);
      } catch (error) {
        if (!(error instanceof SwarmError) || attempt === startTries) throw error;
        if (error.code === 'network-missing') await this.#builder.renewNetwork(container, ctx);
        else if (error.code !== 'port-taken') throw error;
      }
    }
  }

  async #answering({ id, containerId }: InstanceContainer, ctx: OperationContext): Promise<InstanceContainer> {
    let tunnel: Tunnel | undefined;
    const began = performance.now();
    try {
      for (;;) {
        const container = (await this.#containers.of(id, ctx)).find(other => other.containerId === containerId);
        if (container?.state !== 'running') throw await this.#ended(containerId, container?.detail);
        const published = (await this.#engine.publishesHere()) ? container.port : undefined;
        if (published !== undefined && (await answersSoon(published, id, ctx))) return container;
        if (published !== undefined && performance.now() - began < portPatience) continue;
        tunnel ??= await Tunnel.open(this.#engine, containerId, serverPort);
        if (!(await answersSoon(tunnel.port, id, ctx))) continue;
        // It may have begun to answer in between.
        if (published !== undefined && !(await answers('127.0.0.1', published, id, ctx)))
          this.#engine.notePublishesElsewhere();
        return container;
      }
    } finally {
      tunnel?.dispose();
    }
  }

  async #ended(containerId: string, detail: string | undefined): Promise<SwarmError> {
    const { lines } = await readLogs(this.#engine, containerId, { tail: 40 }, quietContext).catch(() => ({
      lines: [],
    }));
    const said = lines.map(line => line.slice(line.indexOf(' ') + 1)).filter(line => line.trim() !== '');
    const reason = said.findLast(line => /error|fatal|cannot|failed/i.test(line)) ?? said.at(-1);
    return providerRefused(
      'server-ended',
      `The editor server ended right after its start (${detail ?? 'without a reason'})${reason === undefined ? '' : `: ${reason.trim().slice(0, 300)}`}.`,
      'Look at its logs. An image that lacks something, or too little memory, are the usual causes.',
    );
  }
}
