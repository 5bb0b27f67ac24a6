import type { Disposable } from '../../model/event.ts';
import type { InstanceConfig, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext, withTimeout } from '../../model/operationContext.ts';
import type {
  Endpoint,
  HomeProcess,
  HomeTask,
  InstanceHeir,
  InstanceObservation,
  InstanceSpec,
  InstanceStats,
  Probe,
  ProviderAbilities,
  TerminalSpec,
} from '../../model/provider.ts';
import { freeBytesOf } from '../diskUsage.ts';
import { answers, probe } from '../editorServer.ts';
import { readDisks } from './containerDisks.ts';
import { followLogs } from './containerLogs.ts';
import { layout, node, serverMain } from './containerSpec.ts';
import { readStats } from './containerStats.ts';
import { openTerminal } from './containerTerminal.ts';
import type { DockerProviderConfig } from './dockerConfig.ts';
import type { DockerProvider } from './dockerProvider.ts';
import { EngineWatch } from './engineWatch.ts';
import { serverPort, volumeName } from './instanceContainer.ts';
import { readOpenPorts } from './openPorts.ts';
import { Tunnel } from './tunnel.ts';
import { volumeSizes } from './volumes.ts';

/** How long an engine has to show that it is there, when what lies behind it did not answer. */
const enginePatience = 5_000;
/** How long a published port has to answer before the way through the engine is taken. */
const portPatience = 2_000;

/** What a Docker engine can do beside the plain interface. */
export class DockerAbilities implements ProviderAbilities {
  readonly images = true;
  readonly limits = true;
  readonly #provider: DockerProvider;
  readonly #config: DockerProviderConfig;
  readonly #open = new Set<Disposable>();

  constructor(provider: DockerProvider, config: DockerProviderConfig) {
    this.#provider = provider;
    this.#config = config;
  }

  remakes(before: InstanceConfig, after: InstanceConfig): boolean {
    return this.#provider.builder.remakes(before, after);
  }

  async observe(ctx: OperationContext = quietContext): Promise<InstanceObservation[]> {
    const containers = await this.#provider.containers.list(ctx);
    return containers.map(({ id, swarmId, epoch, generation, role, status, detail, port, createdAt }) => ({
      id,
      swarmId,
      epoch,
      ...(generation !== undefined && { generation }),
      role,
      status,
      createdAt,
      ...(detail !== undefined && { detail }),
      ...(port !== undefined && { port }),
    }));
  }

  describe(seen: InstanceObservation, ctx: OperationContext = quietContext): Promise<VSCodeInstance | undefined> {
    return this.#provider.reader.readSeen(seen, ctx);
  }

  async readToken(instanceId: string, ctx: OperationContext = quietContext): Promise<string> {
    return this.#provider.files.readToken(await this.#provider.containers.existing(instanceId, ctx), ctx);
  }

  workspacePath(): string {
    return layout.workspace;
  }

  installExtensionCommand(_instanceId: string, extensionId: string): string {
    const options = `--accept-server-license-terms --server-data-dir '${layout.serverData}'`;
    return `'${node}' '${serverMain}' ${options} --install-extension '${extensionId}'`;
  }

  /** The published port where the instance answers on it, else a tunnel through the engine. */
  async connect(instanceId: string, port?: number, ctx: OperationContext = quietContext): Promise<Endpoint> {
    const { containers, engine } = this.#provider;
    const container = await containers.running(instanceId, ctx);
    if (port === undefined && container.port !== undefined && (await engine.publishesHere())) {
      const limited = withTimeout(ctx, portPatience);
      if (await answers('127.0.0.1', container.port, instanceId, limited)) {
        return { host: '127.0.0.1', port: container.port, dispose: () => {} };
      }
      ctx.signal.throwIfAborted();
    }
    const tunnel = await Tunnel.open(engine, container.containerId, port ?? serverPort);
    const kept = this.#keep(tunnel);
    return { host: tunnel.host, port: tunnel.port, dispose: () => kept.dispose() };
  }

  /**
   * On the published port, where that answers: then the engine is not asked. Else by a tunnel that is closed after it, and
   * without an answer through that, whether the engine itself is there.
   */
  async probe(instanceId: string, port: number | undefined, ctx: OperationContext): Promise<Probe> {
    const { engine } = this.#provider;
    if (port === undefined || !(await engine.publishesHere())) return this.#probeThroughEngine(instanceId, ctx);
    const seen = await probe('127.0.0.1', port, instanceId, ctx);
    if (seen.answered || ctx.signal.aborted) return seen;
    const through = await this.#probeThroughEngine(instanceId, ctx);
    if (!through.answered) return seen;
    engine.notePublishesElsewhere();
    return through;
  }

  async #probeThroughEngine(instanceId: string, ctx: OperationContext): Promise<Probe> {
    const { engine, containers } = this.#provider;
    const container = containers.listed(instanceId) ?? (await containers.find(instanceId, ctx));
    const tunnel = await Tunnel.open(engine, container?.name ?? volumeName(instanceId), serverPort);
    try {
      const seen = await probe(tunnel.host, tunnel.port, instanceId, ctx);
      if (!seen.answered) {
        await engine.call('Asking for the engine', quietContext, docker => docker.ping(), enginePatience);
      }
      return seen;
    } finally {
      tunnel.dispose();
    }
  }

  async hasHome(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    const { builder, containers, files } = this.#provider;
    if ((await builder.swarmOfHome(instanceId, ctx)) === undefined) return false;
    const container = await containers.find(instanceId, ctx);
    if (container?.role === 'removing') return false;
    // Of a container that runs, or is wedged, nothing is read.
    const canLook = container !== undefined && ['exited', 'created', 'dead'].includes(container.state);
    return !canLook || files.areThere(container, ctx);
  }

  recreateInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.recreate(spec, ctx);
  }

  async trashInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.#provider.moveTo('trash', instanceId, ctx);
  }

  async restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.moveTo('owner', instanceId, ctx);
  }

  prepareIncoming(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.prepareIncoming(spec, ctx);
  }

  setRole(instanceId: string, role: InstanceRole, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.moveTo(role, instanceId, ctx);
  }

  transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.transfer(instanceId, heir, ctx);
  }

  openHome(instanceId: string, task: HomeTask, ctx: OperationContext = quietContext): Promise<HomeProcess> {
    return this.#provider.openHome(instanceId, task, ctx);
  }

  /** Of the disk that the engine's volumes lie on, where it is one of this machine, or something of ours runs there. */
  async freeBytes(ctx: OperationContext = quietContext): Promise<number | undefined> {
    const { engine, containers } = this.#provider;
    const here = await engine.volumesHere(ctx);
    if (here !== undefined) return freeBytesOf(here);
    const running = (await containers.list(ctx)).filter(({ status }) => status === 'running');
    const [disk] = (await readDisks(engine, running, ctx)).values();
    return disk && disk.diskTotalBytes - disk.diskUsedBytes;
  }

  async homeBytes(instanceIds: readonly string[], ctx = quietContext): Promise<Map<string, number>> {
    const sizes = await volumeSizes(this.#provider.engine, ctx);
    return new Map(
      instanceIds.flatMap(id => {
        const size = sizes.get(volumeName(id));
        return size === undefined ? [] : [[id, size] as const];
      }),
    );
  }

  watch(wake: (instanceId: string | undefined) => void): Disposable {
    return this.#keep(new EngineWatch(this.#provider.engine, wake));
  }

  /** Of instances that do not run there is no row. */
  async stats(instanceIds: readonly string[], ctx: OperationContext = quietContext): Promise<InstanceStats[]> {
    const wanted = new Set(instanceIds);
    const containers = await this.#provider.containers.list(ctx);
    const running = containers.filter(({ id, status }) => status === 'running' && wanted.has(id));
    const { engine } = this.#provider;
    const [rows, disks] = await Promise.all([readStats(engine, running, ctx), readDisks(engine, running, ctx)]);
    return rows.map(row => ({ ...row, ...disks.get(row.id) }));
  }

  async terminal(instanceId: string, ctx: OperationContext = quietContext): Promise<TerminalSpec> {
    const { containerId } = await this.#provider.containers.running(instanceId, ctx);
    const { engine } = this.#provider;
    return { kind: 'stream', open: (size, context = quietContext) => openTerminal(engine, containerId, size, context) };
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const { containers, engine } = this.#provider;
    const { containerId } = await containers.running(instanceId, ctx);
    const stillRuns = async () => {
      const container = (await containers.of(instanceId, ctx)).find(other => other.containerId === containerId);
      return container?.status === 'running';
    };
    await followLogs(engine, containerId, sink, stillRuns, ctx);
  }

  async listPorts(instanceId: string, ctx: OperationContext = quietContext): Promise<number[]> {
    const { containerId } = await this.#provider.containers.running(instanceId, ctx);
    return readOpenPorts(this.#provider.engine, containerId, ctx);
  }

  /** The address of the Dev Containers extension: a container's name in hexadecimal JSON, and the folder to open. */
  async attachUri(instanceId: string): Promise<{ uri: string; extensionId: string }> {
    const { name } = await this.#provider.containers.existing(instanceId, quietContext);
    const { context, endpoint } = this.#config;
    const settings = context ? { context } : endpoint ? { host: endpoint } : undefined;
    const target = JSON.stringify({ containerName: `/${name}`, ...(settings && { settings }) });
    const authority = `attached-container+${Buffer.from(target).toString('hex')}`;
    return {
      uri: `vscode-remote://${authority}${layout.workspace}`,
      extensionId: 'ms-vscode-remote.remote-containers',
    };
  }

  /** Ends every connection, stream and watch that is still open. */
  dispose(): void {
    for (const resource of this.#open) resource.dispose();
  }

  #keep(resource: Disposable): Disposable {
    const kept = {
      dispose: () => {
        this.#open.delete(kept);
        resource.dispose();
      },
    };
    this.#open.add(kept);
    return kept;
  }
}
