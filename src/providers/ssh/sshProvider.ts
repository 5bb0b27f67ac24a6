import pLimit from 'p-limit';
import { instanceNotFound, providerRefused, providerUnreachable } from '../../model/errors.ts';
import type { InstanceFilter, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type {
  CommandResult,
  ExecuteOptions,
  HomeProcess,
  HomeTask,
  InstanceChange,
  InstanceLogs,
  InstanceSpec,
  LogOptions,
  Provider,
  ProviderCapabilities,
} from '../../model/provider.ts';
import { checkSaid } from '../homeProgram.ts';
import { passesFilter } from '../instanceFilter.ts';
import type { ProviderEnvironment } from '../providerEnvironment.ts';
import { homeProcess } from '../spawnHome.ts';
import { Turns } from '../turns.ts';
import { callHost, type HostCallOptions } from './hostCall.ts';
import { type HostAnswer, type HostArguments, type HostCall, type HostFacts, hostModes } from './hostProtocol.ts';
import { HostSetup } from './hostSetup.ts';
import { SshAbilities } from './sshAbilities.ts';
import type { SshProviderConfig } from './sshConfig.ts';
import { SshConnection } from './sshConnection.ts';
import { afterMark, chunksAfterMark } from './startMark.ts';

/** Of each kind. An ssh server lets ten through one connection, and some stay open for long. */
const callsAtOnce = 4;

/** How long a change that was cancelled may roll back, in milliseconds: less than its caller waits. */
const rollBack = 12_000;

/**
 * Instances on a host that is reached with the system's `ssh`: processes there with homes of their own, as the local
 * provider keeps them on this machine. Each call is one command on the host.
 */
export class SshProvider implements Provider {
  readonly id: string;
  readonly type = 'ssh';
  readonly abilities: SshAbilities;
  readonly connection: SshConnection;
  readonly #setup: HostSetup;
  readonly #turns = new Turns();
  readonly #changes = pLimit(callsAtOnce);
  /** Apart from the changes, which may take long. */
  readonly #reads = pLimit(callsAtOnce);
  #facts: HostFacts | undefined;

  constructor({ id, host, user, port, directory }: SshProviderConfig, environment: ProviderEnvironment) {
    this.id = id;
    this.connection = new SshConnection(id, { host, user, port });
    this.#setup = new HostSetup(this.connection, directory, environment);
    this.abilities = new SshAbilities(this);
  }

  getCapabilities(): ProviderCapabilities {
    return {
      supportsLiveResize: false,
      supportsSnapshotting: false,
      supportsMultiRegion: false,
      maxInstancesPerUser: 1_000,
      maxResourcesPerInstance: {
        cpu: { cores: this.#facts?.cores ?? 1 },
        memory: { min: 0, ...(this.#facts && { max: this.#facts.memoryMb }) },
      },
    };
  }

  async initialize(ctx: OperationContext = quietContext): Promise<void> {
    ctx.signal.throwIfAborted();
    if (process.platform === 'win32') {
      throw providerRefused(
        'unsupported-platform',
        'Instances on SSH hosts are not supported from Windows.',
        'Use a Docker provider whose endpoint is ssh://user@host instead.',
      );
    }
    await this.#turns.take('initialize', () => this.#setup.prepare(ctx));
    await this.#greet(ctx);
  }

  createInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.change(spec.identity.id, 'create', [spec], ctx);
  }

  getInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance | null> {
    return this.call('get', [instanceId], ctx);
  }

  async listInstances(filter: InstanceFilter = {}, ctx: OperationContext = quietContext): Promise<VSCodeInstance[]> {
    const instances = await this.call('list', [], ctx);
    return instances.filter(instance => passesFilter(instance, filter, this.type));
  }

  startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.change(instanceId, 'start', [instanceId], ctx);
  }

  stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.change(instanceId, 'stop', [instanceId, force], ctx);
  }

  deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    return this.change(instanceId, 'delete', [instanceId], ctx);
  }

  updateInstance(
    instanceId: string,
    update: InstanceChange,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    return this.change(instanceId, 'update', [instanceId, update, secrets], ctx);
  }

  getInstanceLogs(
    instanceId: string,
    options: LogOptions = {},
    ctx: OperationContext = quietContext,
  ): Promise<InstanceLogs> {
    return this.call('logs', [instanceId, options], ctx);
  }

  executeCommand(instanceId: string, command: string, options: ExecuteOptions = quietContext): Promise<CommandResult> {
    const { stdin, maxOutputBytes } = options;
    return this.stream('execute', [instanceId, command, maxOutputBytes ?? null], options, { stdin, rollBack });
  }

  async dispose(): Promise<void> {
    this.abilities.dispose();
    await this.connection.dispose();
  }

  /** Starts `home.mjs` on the host, whose streams are those of the `ssh` that leads there. */
  async openHome(instanceId: string, task: HomeTask, ctx: OperationContext): Promise<HomeProcess> {
    const command = await this.#setup.command(hostModes.home(instanceId, task));
    ctx.signal.throwIfAborted();
    const check = (said: string) => checkSaid(instanceId, this.id, afterMark(said));
    const program = homeProcess(this.connection.startAlone(command), check, chunksAfterMark());
    try {
      if (!(await this.getInstance(instanceId, ctx))) throw instanceNotFound(instanceId);
      return program;
    } catch (error) {
      await program.end();
      throw error;
    }
  }

  /** Begins in its turn: what is done to the instance afterwards finds the log followed. */
  async followLogs(instanceId: string, line: (line: string) => void, ctx: OperationContext): Promise<void> {
    let following: Promise<unknown> = Promise.resolve();
    await this.#turns.take(
      instanceId,
      () =>
        new Promise<void>((begun, failed) => {
          following = this.stream('followLogs', [instanceId], ctx, { line, begun });
          following.then(() => begun(), failed);
        }),
    );
    await following;
  }

  /** What `ssh` is to be given for a shell in the instance. */
  terminalCommand(instanceId: string): Promise<string> {
    return this.#setup.command(hostModes.terminal(instanceId), '');
  }

  /** Absolute path of the directory in which the instances lie. Throws as long as the host was never reached. */
  get instancesDirectory(): string {
    if (this.#facts) return this.#facts.instances;
    throw providerUnreachable(this.id, 'it was not reached yet', 'Test the provider to see why.');
  }

  async #greet(ctx: OperationContext): Promise<void> {
    this.#facts = await callHost(this.connection, await this.#setup.command(), 'hello', [], ctx);
  }

  /** A call that changes the instance; one at a time. */
  change<C extends HostCall>(
    instanceId: string,
    call: C,
    args: HostArguments[C],
    ctx: OperationContext,
  ): Promise<HostAnswer<C>> {
    return this.#turns.take(instanceId, () => this.#changes(() => this.stream(call, args, ctx, { rollBack })));
  }

  /** A call that only asks, and ends soon. */
  call<C extends HostCall>(call: C, args: HostArguments[C], ctx: OperationContext): Promise<HostAnswer<C>> {
    return this.#reads(() => this.stream(call, args, ctx));
  }

  /** A call that may last as long as its caller wants. */
  async stream<C extends HostCall>(
    call: C,
    args: HostArguments[C],
    ctx: OperationContext,
    options?: HostCallOptions,
  ): Promise<HostAnswer<C>> {
    // A window that did not reach the host itself has to know where its instances lie, too.
    if (!this.#facts) await this.#greet(ctx);
    return callHost(this.connection, await this.#setup.command(), call, args, ctx, options);
  }
}
