import pLimit from 'p-limit';
import { providerUnreachable, SwarmError } from '../../model/errors.ts';
import type { Disposable } from '../../model/event.ts';
import type { InstanceConfig, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
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
  StrayHome,
  TerminalSpec,
} from '../../model/provider.ts';
import { listeningPorts } from '../listeningPorts.ts';
import { hostAway } from './flyErrors.ts';
import type { FlyProvider } from './flyProvider.ts';
import { GatePort } from './gatePort.ts';
import { openTerminalAtGate } from './gateTerminal.ts';
import { gatePort, layout, node, serverMain, serverPort } from './machineConfig.ts';
import { measuring, statsOf } from './machineStats.ts';

const measuredAtOnce = 8;

const print = `
for (const file of ['tcp', 'tcp6']) try { process.stdout.write(require('fs').readFileSync('/proc/net/' + file)); } catch {}`;

/** What Fly.io can do beside the plain interface. */
export class FlyAbilities implements ProviderAbilities {
  readonly images = true;
  readonly limits = true;
  readonly costsAtRest = true;
  readonly #provider: FlyProvider;
  readonly #open = new Set<Disposable>();
  #isDisposed = false;

  constructor(provider: FlyProvider) {
    this.#provider = provider;
  }

  remakes(before: InstanceConfig, after: InstanceConfig): boolean {
    return this.#provider.remakes(before, after);
  }

  /** A little behind what is so: what an instance begins with here is asked for by itself. */
  async observe(ctx: OperationContext = quietContext): Promise<InstanceObservation[]> {
    const machines = await this.#provider.reader.list(ctx);
    return machines.map(({ id, swarmId, epoch, generation, role, status, detail, createdAt }) => ({
      ...{ id, swarmId, epoch, role, status, createdAt },
      ...(generation !== undefined && { generation }),
      ...(detail !== undefined && { detail }),
    }));
  }

  async readToken(instanceId: string, ctx: OperationContext = quietContext): Promise<string> {
    return this.#provider.readToken(instanceId, ctx);
  }

  workspacePath(): string {
    return layout.workspace;
  }

  installExtensionCommand(_instanceId: string, extensionId: string): string {
    const options = `--accept-server-license-terms --server-data-dir '${layout.serverData}'`;
    return `'${node}' '${serverMain}' ${options} --install-extension '${extensionId}'`;
  }

  async connect(instanceId: string, port = serverPort, ctx: OperationContext = quietContext): Promise<Endpoint> {
    const { reader, gate } = this.#provider;
    await reader.running(instanceId, ctx);
    const token = await this.#provider.readToken(instanceId, ctx);
    const opened = await GatePort.open(() => gate.open(instanceId, `port/${port}`, token, quietContext));
    const { dispose } = this.#keep(opened);
    return { host: opened.host, port: opened.port, dispose };
  }

  /** At the app's own address, which wakes no machine; Fly's API is not asked. */
  async probe(instanceId: string, _port: number | undefined, ctx: OperationContext): Promise<Probe> {
    return this.#provider.gate.probe(instanceId, ctx);
  }

  async hasHome(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    const { builder, reader, id } = this.#provider;
    const home = await builder.homeOf(instanceId, ctx);
    if (home?.away) throw hostAway(id, instanceId);
    return home !== undefined && (await reader.find(instanceId, ctx))?.role !== 'removing';
  }

  recreateInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.recreate(spec, ctx);
  }

  async trashInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.#provider.moveTo('trash', instanceId, ctx);
  }

  restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
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

  /** Of the volume that a home gets. */
  async freeBytes(): Promise<number> {
    return this.#provider.freeBytes;
  }

  /** As Fly tells it, of those that do not run, too. */
  async homeBytes(ids: readonly string[], ctx: OperationContext = quietContext): Promise<ReadonlyMap<string, number>> {
    const volumes = await this.#provider.homeVolumes(ctx);
    return new Map(
      volumes.flatMap(({ instanceId, bytesUsed }) =>
        bytesUsed !== undefined && ids.includes(instanceId) ? [[instanceId, bytesUsed] as const] : [],
      ),
    );
  }

  /** Volumes in apps of ours without a machine. */
  async strayHomes(swarmId: string, ctx: OperationContext = quietContext): Promise<StrayHome[]> {
    const volumes = (await this.#provider.homeVolumes(ctx)).filter(
      ({ machineId, away }) => machineId === undefined && !away,
    );
    const owners = await Promise.all(
      volumes.map(volume => this.#provider.builder.ownerOf(volume, ctx).catch(unlessUnreadable)),
    );
    return volumes
      .filter((_, index) => owners[index]?.swarmId === swarmId)
      .map(({ instanceId, sizeGb }) => ({ id: instanceId, sizeGb }));
  }

  /** Of instances that do not run, or do not say, there is no row. Asks Fly's API for nothing that it has told before. */
  async stats(instanceIds: readonly string[], ctx: OperationContext = quietContext): Promise<InstanceStats[]> {
    const { reader } = this.#provider;
    if (instanceIds.some(id => !reader.listed(id))) await reader.list(ctx);
    const running = instanceIds.filter(id => reader.listed(id)?.status === 'running');
    const limit = pLimit(measuredAtOnce);
    const rows = await Promise.all(
      running.map(id =>
        limit(async () => {
          try {
            const { stdout } = await this.#provider.runAgain(id, [node, '-e', measuring, layout.home], ctx);
            return statsOf(id, stdout);
          } catch {
            ctx.signal.throwIfAborted();
            return undefined;
          }
        }),
      ),
    );
    return rows.filter(row => row !== undefined);
  }

  async terminal(instanceId: string): Promise<TerminalSpec> {
    const reach = async (ctx: OperationContext) => {
      await this.#provider.reader.running(instanceId, ctx);
      return this.#provider.gate.open(instanceId, 'run', await this.#provider.readToken(instanceId, ctx), ctx);
    };
    return {
      kind: 'stream',
      open: async (size, ctx = quietContext) => {
        const terminal = await openTerminalAtGate(() => reach(ctx), size);
        return { ...terminal, ...this.#keep(terminal) };
      },
    };
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const { reader, logs } = this.#provider;
    const { version } = await reader.running(instanceId, ctx);
    const stillRuns = async () => {
      const machine = await reader.find(instanceId, ctx);
      return machine?.status === 'running' && machine.version === version;
    };
    await logs.follow(instanceId, sink, stillRuns, ctx);
  }

  async listPorts(instanceId: string, ctx: OperationContext = quietContext): Promise<number[]> {
    const { stdout } = await this.#provider.run(instanceId, [node, '-e', print], ctx);
    return listeningPorts(stdout).filter(port => port !== serverPort && port !== gatePort);
  }

  /** Ends every connection that is still open. */
  dispose(): void {
    this.#isDisposed = true;
    for (const resource of this.#open) resource.dispose();
  }

  /** Until it is disposed of, there or here. Throws when there is nobody any more who would do that. */
  #keep(resource: Disposable): Disposable {
    if (this.#isDisposed) {
      resource.dispose();
      throw providerUnreachable(this.#provider.id, 'it was closed meanwhile', 'Open the instance again.');
    }
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

/** Of what can't be read nobody is known to be the owner. */
function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof SwarmError && error.code === 'reserved-file-unreadable')) throw error;
}
