import { stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { instanceNotFound, providerRefused, wrongState } from '../../model/errors.ts';
import { Emitter } from '../../model/event.ts';
import { homeMissing } from '../../model/homeErrors.ts';
import type { InstanceFilter, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { runsElsewhere } from '../../model/machineErrors.ts';
import { type Claim, type OperationContext, quietContext, uncancelled } from '../../model/operationContext.ts';
import { nextGeneration, refuseUnowned } from '../../model/ownership.ts';
import type {
  CommandResult,
  ExecuteOptions,
  HomeProcess,
  HomeTask,
  InstanceChange,
  InstanceHeir,
  InstanceLogs,
  InstanceSpec,
  LogOptions,
  Provider,
  ProviderCapabilities,
} from '../../model/provider.ts';
import { homeProgram } from '../homeProgram.ts';
import { passesFilter } from '../instanceFilter.ts';
import { updatedConfig } from '../instanceMark.ts';
import { refuseRemoving, refuseRole } from '../instanceRoles.ts';
import type { ProviderEnvironment } from '../providerEnvironment.ts';
import { spawnHome } from '../spawnHome.ts';
import { Turns } from '../turns.ts';
import { locateEditorServer } from './editorServerLocator.ts';
import { instanceEnvironment, instanceVariable } from './instanceEnvironment.ts';
import { type InstanceFolder, InstanceFolders, type UnreadableFolder } from './instanceFolders.ts';
import { LinuxProcesses } from './linuxProcesses.ts';
import { LocalAbilities } from './localAbilities.ts';
import type { LocalProviderConfig } from './localConfig.ts';
import { describeInstance, idTaken, refuseUnsupported, statusOf } from './localInstance.ts';
import { MacProcesses } from './macProcesses.ts';
import { endFamily, type Processes } from './processes.ts';
import { runCommand } from './runCommand.ts';
import { readLog } from './serverLog.ts';
import {
  giveUpServer,
  placeMark,
  refuseElsewhere,
  type ServerState,
  serverLogFile,
  serverState,
  startServer,
  stopServer,
} from './serverProcess.ts';

/**
 * Instances on this machine: each one a folder with a home and an editor server of its own, which listens on loopback
 * only and outlives every window. There is no isolation between them, nor from the person who runs them.
 */
export class LocalProvider implements Provider {
  readonly id: string;
  readonly type = 'local';
  readonly abilities: LocalAbilities;
  readonly folders: InstanceFolders;
  readonly processes: Processes;
  readonly #config: LocalProviderConfig;
  readonly #environment: ProviderEnvironment;
  readonly #platform: NodeJS.Platform;
  /** One change at a time per instance. */
  readonly #turns = new Turns();
  /** An instance whose server ended under the eyes of this process. */
  readonly ended = new Emitter<string>();

  constructor(
    config: LocalProviderConfig,
    environment: ProviderEnvironment,
    platform: NodeJS.Platform = process.platform,
  ) {
    this.id = config.id;
    this.#config = config;
    this.#environment = environment;
    this.#platform = platform;
    const { machine } = environment;
    const linux = platform === 'linux' ? new LinuxProcesses(machine) : undefined;
    this.processes = linux ?? new MacProcesses(machine);
    this.folders = new InstanceFolders(config.directory ?? environment.localDirectory, this.processes);
    this.abilities = new LocalAbilities(this, linux);
  }

  getCapabilities(): ProviderCapabilities {
    return {
      supportsLiveResize: false,
      supportsSnapshotting: false,
      supportsMultiRegion: false,
      maxInstancesPerUser: 1_000,
      maxResourcesPerInstance: {
        cpu: { cores: os.availableParallelism() },
        memory: { min: 0, max: Math.floor(os.totalmem() / 1024 ** 2) },
      },
    };
  }

  async initialize(ctx: OperationContext = quietContext): Promise<void> {
    ctx.signal.throwIfAborted();
    if (this.#platform === 'win32') {
      throw providerRefused(
        'unsupported-platform',
        'Instances on this machine are not supported on Windows.',
        'Use a Docker provider instead.',
      );
    }
    await this.folders.initialize();
    const { folders } = await this.folders.list();
    await Promise.all(folders.map(({ layout }) => placeMark(this.processes, layout)));
    await this.#locate();
  }

  async createInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    refuseUnsupported(this.id, spec);
    const { id, swarmId } = spec.identity;
    return this.#turns.take(id, async () => {
      ctx.signal.throwIfAborted();
      const existing = await this.folders.find(id);
      if (existing) {
        if (existing.identity.swarmId !== swarmId) throw idTaken(id);
        refuseRole(id, existing.role);
        this.#refuseUnowned(existing, spec.identity);
        return this.#start(existing, ctx);
      }
      await this.#locate();
      ctx.report('Making the home of the instance');
      const folder = await this.folders.make(spec, 'owner', ctx);
      try {
        return await this.#start(folder, ctx);
      } catch (error) {
        const own = uncancelled(ctx);
        await this.#stop(folder, true, own);
        await this.folders.remove(folder, own);
        throw error;
      }
    });
  }

  async getInstance(instanceId: string): Promise<VSCodeInstance | null> {
    const folder = await this.folders.find(instanceId);
    return folder ? this.#describe(folder) : null;
  }

  async listInstances(filter: InstanceFilter = {}): Promise<VSCodeInstance[]> {
    const { instances } = await this.look();
    return instances.filter(instance => passesFilter(instance, filter, this.type));
  }

  async startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => this.#start(await this.#owned(instanceId, ctx), ctx));
  }

  async stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      ctx.signal.throwIfAborted();
      const folder = await this.#owned(instanceId, ctx);
      ctx.report('Stopping the editor server');
      await this.#stop(folder, force, ctx);
      return this.#describe(folder);
    });
  }

  async deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    return this.#turns.take(instanceId, async () => {
      ctx.signal.throwIfAborted();
      let existed = false;
      for (;;) {
        const folder = await this.folders.find(instanceId);
        if (!folder) return existed;
        this.#refuseUnowned(folder, ctx.claim);
        existed = true;
        ctx.report('Removing the home of the instance');
        await this.#stop(folder, true, ctx);
        await this.folders.remove(folder, ctx);
      }
    });
  }

  async updateInstance(
    instanceId: string,
    update: InstanceChange,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    refuseUnsupported(this.id, update);
    return this.#turns.take(instanceId, async () => {
      ctx.signal.throwIfAborted();
      const folder = await this.#here(instanceId, ctx);
      const config = updatedConfig(folder.config, update);
      const environmentChanged = await this.folders.update(folder, config, secrets, ctx);
      const updated = { ...folder, config };
      const { status } = await this.state(folder);
      if (!environmentChanged || status === 'stopped') return this.#describe(updated);
      ctx.report('Restarting the editor server with the changed environment');
      await this.#stop(folder, false, ctx);
      return this.#start(updated, ctx);
    });
  }

  async getInstanceLogs(instanceId: string, options: LogOptions = {}): Promise<InstanceLogs> {
    const folder = await this.existing(instanceId);
    return readLog(serverLogFile(folder.layout), await this.folders.token(folder), options);
  }

  async executeCommand(
    instanceId: string,
    command: string,
    options: ExecuteOptions = quietContext,
  ): Promise<CommandResult> {
    const folder = await this.running(instanceId);
    const env = await this.environmentOf(folder);
    const cwd = await stat(folder.layout.workspace).then(
      () => folder.layout.workspace,
      () => folder.layout.home,
    );
    return runCommand({ file: '/bin/sh', args: ['-c', command], cwd, env }, options, async pid => {
      const startTime = await this.processes.startTime(pid);
      const root = startTime === undefined ? undefined : { pid, startTime };
      await endFamily(this.processes, root, { graceMs: 0 });
    });
  }

  async dispose(): Promise<void> {
    this.ended.dispose();
  }

  /** Ends it and makes all of it anew but its home and its token. */
  async recreate(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    refuseUnsupported(this.id, spec);
    const { id, swarmId } = spec.identity;
    return this.#turns.take(id, async () => {
      ctx.signal.throwIfAborted();
      const folder = await this.folders.find(id);
      if (!folder || !(await this.folders.hasHome(folder))) throw homeMissing(id, this.id);
      if (folder.identity.swarmId !== swarmId) throw idTaken(id);
      refuseRole(id, folder.role);
      this.#refuseUnowned(folder, spec.identity);
      await this.#locate();
      ctx.report('Ending what is left of the editor server');
      await this.#stop(folder, false, ctx);
      ctx.signal.throwIfAborted();
      return this.#start(await this.folders.renew(folder, spec, ctx), ctx);
    });
  }

  /** Makes it, or finds it made, for a home that will come from elsewhere. */
  async prepareIncoming(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    refuseUnsupported(this.id, spec);
    const { id, swarmId, epoch } = spec.identity;
    return this.#turns.take(id, async () => {
      ctx.signal.throwIfAborted();
      const existing = await this.folders.find(id);
      if (existing) {
        const { identity, role } = existing;
        await refuseElsewhere(this.processes, id, existing.layout);
        refuseRemoving({ id, role }, this.id);
        if (role !== 'incoming' || identity.swarmId !== swarmId || identity.epoch !== epoch) throw idTaken(id);
        return this.#describe(existing);
      }
      await this.#locate();
      return this.#describe(await this.folders.make(spec, 'incoming', ctx));
    });
  }

  async openHome(instanceId: string, task: HomeTask, ctx: OperationContext): Promise<HomeProcess> {
    ctx.signal.throwIfAborted();
    const { layout } = await this.#here(instanceId, ctx);
    return spawnHome(instanceId, this.id, homeProgram(this.#environment.launcher), layout.home, task);
  }

  /** Everything below the directory, as it is now. */
  async look(): Promise<{ instances: VSCodeInstance[]; unreadable: UnreadableFolder[] }> {
    const { folders, unreadable } = await this.folders.list();
    return { instances: await Promise.all(folders.map(folder => this.#describe(folder))), unreadable };
  }

  /** Stops it and gives its folder the other name; a folder that has it already is left as it is. */
  async moveTo(role: InstanceRole, instanceId: string, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      ctx.signal.throwIfAborted();
      const folder = await this.#here(instanceId, ctx);
      if (folder.role === role) return this.#describe(folder);
      await this.#stop(folder, false, ctx);
      const generation = nextGeneration(folder.identity, ctx.claim);
      return this.#describe(await this.folders.rename(folder, role, generation, ctx));
    });
  }

  async transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      ctx.signal.throwIfAborted();
      const folder = await this.existing(instanceId);
      const { identity } = folder;
      if (identity.swarmId === heir.swarmId && identity.epoch === heir.epoch) return this.#describe(folder);
      this.#refuseUnowned(folder, ctx.claim);
      await refuseElsewhere(this.processes, instanceId, folder.layout);
      const title = { ...heir, generation: nextGeneration(identity, ctx.claim), adoptedAt: new Date().toISOString() };
      return this.#describe(await this.folders.entitle(folder, title, ctx));
    });
  }

  giveUpServer(instanceId: string, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const folder = await this.#owned(instanceId, ctx);
      await giveUpServer(this.processes, instanceId, folder.layout, ctx);
      return this.#describe(folder);
    });
  }

  async #owned(instanceId: string, { claim }: OperationContext): Promise<InstanceFolder> {
    const folder = await this.existing(instanceId);
    this.#refuseUnowned(folder, claim);
    return folder;
  }

  #refuseUnowned({ identity }: InstanceFolder, claim: Claim | undefined): void {
    refuseUnowned({ ...identity, providerId: this.id }, claim);
  }

  /** Throws `instanceNotFound`. */
  async existing(instanceId: string): Promise<InstanceFolder> {
    const folder = await this.folders.find(instanceId);
    if (!folder) throw instanceNotFound(instanceId);
    return folder;
  }

  /** Throws `instanceNotFound` or `wrongState`. */
  async running(instanceId: string): Promise<InstanceFolder & { readonly port: number }> {
    const folder = await this.existing(instanceId);
    const state = await this.state(folder);
    if (state.status === 'elsewhere') throw runsElsewhere(instanceId, state.host);
    if (state.status !== 'running') throw wrongState(instanceId, statusOf(folder, state), 'start it first');
    return { ...folder, port: state.port };
  }

  /** What may be changed: throws `runsElsewhere` too. */
  async #here(instanceId: string, ctx: OperationContext): Promise<InstanceFolder> {
    const folder = await this.#owned(instanceId, ctx);
    await refuseElsewhere(this.processes, instanceId, folder.layout);
    refuseRemoving({ id: instanceId, role: folder.role }, this.id);
    return folder;
  }

  state(folder: InstanceFolder): Promise<ServerState> {
    return serverState(this.processes, folder.layout);
  }

  /** The variables of everything that runs in the instance; `own` stands for those that it was given. */
  async environmentOf(folder: InstanceFolder, own?: Record<string, string>): Promise<Record<string, string>> {
    const given = own ?? (await this.folders.variables(folder));
    return instanceEnvironment(process.env, folder.layout.home, this.#nameOf(folder), given, folder.config.secretEnv);
  }

  /** `NAME=value` that everything has which runs in the instance, whatever its role. */
  assignmentOf(folder: InstanceFolder): string {
    return `${instanceVariable}=${this.#nameOf(folder)}`;
  }

  #nameOf(folder: InstanceFolder): string {
    return path.join(this.folders.directory, folder.identity.id);
  }

  async #start(folder: InstanceFolder, ctx: OperationContext): Promise<VSCodeInstance> {
    const { id } = folder.identity;
    refuseRole(id, folder.role);
    const token = await this.folders.token(folder);
    const env = await this.environmentOf(folder);
    // A server that nobody can tell from others may still run, and no home has two.
    const state = await this.state(folder);
    if (state.status === 'stopped' && state.damaged) await this.#stop(folder, false, ctx);
    const plan = async () => {
      const server = await this.#locate();
      // The launcher adds what the instance was given.
      const given = server.kind === 'node' ? await this.environmentOf(folder, {}) : env;
      return { server, launcher: this.#environment.launcher, env: given, ended: () => this.ended.fire(id) };
    };
    await startServer(this.processes, id, folder.layout, token, plan, ctx);
    return this.#describe(folder);
  }

  #stop(folder: InstanceFolder, force: boolean, ctx: OperationContext): Promise<void> {
    return stopServer(this.processes, folder.identity.id, folder.layout, this.assignmentOf(folder), force, ctx);
  }

  async #describe(folder: InstanceFolder): Promise<VSCodeInstance> {
    return describeInstance(this.id, folder, await this.state(folder));
  }

  #locate() {
    return locateEditorServer({
      providerId: this.id,
      configured: this.#config.server,
      searchPath: process.env.PATH ?? '',
      installDirectory: this.#environment.editorServerDirectory,
    });
  }
}
