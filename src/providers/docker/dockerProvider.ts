import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { identityOf } from '../../model/identityOf.ts';
import type { InstanceFilter, InstanceIdentity, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext, uncancelled } from '../../model/operationContext.ts';
import { nextGeneration } from '../../model/ownership.ts';
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
import { editorServerImage } from '../editorServer.ts';
import { homeProgram } from '../homeProgram.ts';
import { passesFilter } from '../instanceFilter.ts';
import { type InstanceMark, instanceVariables, markOf, updatedConfig } from '../instanceMark.ts';
import { refuseRemoving, refuseRole } from '../instanceRoles.ts';
import type { ProviderEnvironment } from '../providerEnvironment.ts';
import { Turns } from '../turns.ts';
import { abandonedAge, removeAbandonedChecks } from './checkContainer.ts';
import { runInContainer } from './containerExec.ts';
import { openContainerHome } from './containerHome.ts';
import { readLogs } from './containerLogs.ts';
import { layout, limitsOf } from './containerSpec.ts';
import { Containers, refuseUntold } from './containers.ts';
import { DockerAbilities } from './dockerAbilities.ts';
import type { DockerProviderConfig } from './dockerConfig.ts';
import { DockerEngine, type EngineFacts } from './dockerEngine.ts';
import { InstanceBuilder, idTaken } from './instanceBuilder.ts';
import { containerName, type InstanceContainer, primaryOf } from './instanceContainer.ts';
import { InstanceOwnership } from './instanceOwnership.ts';
import { InstanceReader } from './instanceReader.ts';
import { InstanceRecreator } from './instanceRecreator.ts';
import { InstanceReplacer } from './instanceReplacer.ts';
import { isEngineId } from './pull.ts';
import { firstFiles, launcherFile, ReservedFiles, recordFiles } from './reservedFiles.ts';
import { ServerStarter } from './serverStarter.ts';

/** Instances on a Docker engine: each one a container, and a volume with its home that outlives the container. */
export class DockerProvider implements Provider {
  readonly id: string;
  readonly type = 'docker';
  readonly abilities: DockerAbilities;
  readonly engine: DockerEngine;
  readonly containers: Containers;
  readonly files: ReservedFiles;
  readonly builder: InstanceBuilder;
  readonly #ownership: InstanceOwnership;
  readonly #recreator: InstanceRecreator;
  readonly #replacer: InstanceReplacer;
  readonly #starter: ServerStarter;
  readonly #launcherFile: string;
  readonly reader: InstanceReader;
  readonly #turns = new Turns();
  #facts: EngineFacts | undefined;
  #nextSweep: NodeJS.Timeout | undefined;

  constructor(config: DockerProviderConfig, environment: ProviderEnvironment) {
    this.id = config.id;
    this.#launcherFile = environment.launcher;
    this.engine = new DockerEngine(config, () => environment.webSettings?.());
    this.containers = new Containers(this.engine);
    this.files = new ReservedFiles(this.engine);
    this.reader = new InstanceReader(this.id, this.containers, this.files);
    const runtimeImage = config.runtimeImage ?? editorServerImage;
    const { image = runtimeImage, resources = {} } = config;
    this.builder = new InstanceBuilder(this.engine, { image, runtimeImage, resources });
    const { engine, containers, files, builder } = this;
    this.#starter = new ServerStarter(engine, containers, builder);
    this.#ownership = new InstanceOwnership(engine, containers, files, this.reader, image);
    this.#recreator = new InstanceRecreator(engine, containers, files, builder, environment.launcher);
    this.#replacer = new InstanceReplacer(containers, files, builder, this.#starter, this.reader);
    this.abilities = new DockerAbilities(this, config);
  }

  /** Sizes are those of the engine's machine, once it was reached. */
  getCapabilities(): ProviderCapabilities {
    return {
      supportsLiveResize: true,
      supportsSnapshotting: false,
      supportsMultiRegion: false,
      // What one bridge takes.
      maxInstancesPerUser: 1_000,
      maxResourcesPerInstance: {
        cpu: { cores: this.#facts?.cpus ?? 1 },
        memory: { min: 128, ...(this.#facts && { max: this.#facts.memoryMb }) },
      },
    };
  }

  async initialize(ctx: OperationContext = quietContext): Promise<void> {
    this.#facts = await this.engine.check(ctx);
    await this.#sweep(ctx);
  }

  async createInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    const mark = markOf(spec);
    const { identity, config } = mark;
    return this.#turns.take(identity.id, async () => {
      const existing = await this.containers.find(identity.id, ctx);
      if (existing && existing.swarmId !== identity.swarmId) throw idTaken(existing.name);
      if (existing) {
        refuseRole(identity.id, existing.role);
        await this.#ownership.refuse(existing, identity, ctx);
      }
      if (existing && !(await this.#isHalfMade(existing, ctx))) return this.#start(existing, ctx);
      const image = await this.builder.prepareImage(config, ctx, spec);
      ctx.report('Making the home of the instance');
      ctx.signal.throwIfAborted();
      let ownVolume = existing !== undefined;
      try {
        if (await this.builder.makeVolume(identity, ctx)) ownVolume = true;
        await this.builder.makeContainer(identity, config, image, ctx);
        const container = await this.containers.existing(identity.id, ctx);
        await this.#writeFirst(container, mark, spec.secrets, ctx);
        // To read back what was just written would cost a tenth of the whole.
        return this.reader.describe(await this.#run(container, ctx), mark);
      } catch (error) {
        // What can't be undone now, as on an engine that hangs, is found by its labels later.
        await this.#undoCreate(identity, ownVolume, uncancelled(ctx)).catch(() => {});
        throw error;
      }
    });
  }

  async getInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance | null> {
    const container = await this.containers.look(instanceId, ctx);
    return container ? this.reader.read(container, ctx) : null;
  }

  async listInstances(filter: InstanceFilter = {}, ctx: OperationContext = quietContext): Promise<VSCodeInstance[]> {
    const instances = await this.reader.readAll(await this.containers.list(ctx), ctx);
    return instances.filter(instance => passesFilter(instance, filter, this.type));
  }

  async startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => this.#start(await this.#owned(instanceId, ctx), ctx));
  }

  async stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const container = await this.#owned(instanceId, ctx);
      ctx.report('Stopping the editor server');
      await this.containers.stop(container, force, ctx);
      return this.reader.read(await this.containers.existing(instanceId, ctx), ctx);
    });
  }

  async deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    return this.#turns.take(instanceId, async () => {
      const containers = await this.containers.of(instanceId, ctx);
      const primary = primaryOf(containers);
      if (primary) await this.#ownership.refuse(primary, ctx.claim, ctx);
      else if (ctx.claim) await this.#ownership.refuseHome(instanceId, ctx.claim, ctx);
      for (const container of containers) if (container.state !== 'removing') refuseUntold(container);
      const home = await this.builder.swarmOfHome(instanceId, ctx);
      const swarms = new Set([...containers.map(({ swarmId }) => swarmId), ...(home === undefined ? [] : [home])]);
      // From here on nobody takes it for a whole one, should this be cut off.
      if (primary) await this.containers.markRemoved(primary, ctx);
      ctx.report('Removing the container and the home of the instance');
      ctx.signal.throwIfAborted();
      await this.containers.removeHelpers(instanceId, ctx);
      for (const { containerId } of containers) await this.containers.remove(containerId, ctx);
      // The home goes last: of a making that was cut off it is what tells whose network was made for it.
      for (const swarmId of swarms) await this.builder.removeIdleNetworks(swarmId, ctx);
      const hadVolume = await this.builder.removeVolume(instanceId, ctx);
      return containers.length > 0 || hadVolume;
    });
  }

  async updateInstance(
    instanceId: string,
    update: InstanceChange,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const container = await this.#owned(instanceId, ctx);
      refuseRemoving(container, this.id);
      const { containerId } = container;
      const { config, ...instance } = await this.reader.readWhole(container, ctx);
      const identity = identityOf(instance);
      const variables = await this.files.readVariables(container, ctx);
      const next = updatedConfig(config, update);
      const nextVariables = instanceVariables(next, secrets, variables);
      const launcher = launcherFile(await readFile(this.#launcherFile, 'utf8'));
      const files = [launcher, ...recordFiles({ identity, config: next }, nextVariables)];
      const [limits, nextLimits] = [this.builder.limitsOf(config), this.builder.limitsOf(next)];
      const renews = update.renewsImage || this.builder.imageOf(next) !== this.builder.imageOf(config);
      if (renews || this.builder.remakes(config, next)) {
        const before = recordFiles({ identity, config }, variables);
        const image = await this.builder.prepareImage(next, ctx, {
          ...(renews ? {} : { pinnedImage: container.pinnedImage }),
          renews: update.renewsImage,
        });
        return this.#replacer.replace(container, { identity, config: next, image, files, before }, ctx);
      }
      if (!isDeepStrictEqual(limits, nextLimits)) await this.containers.resize(containerId, limitsOf(nextLimits), ctx);
      await this.files.write(containerId, files, ctx);
      if (isDeepStrictEqual(variables, nextVariables) || container.status !== 'running') {
        return this.reader.read(container, ctx);
      }
      ctx.report('Restarting the editor server with the changed environment');
      await this.containers.stop(container, false, ctx);
      return this.#start(await this.containers.existing(instanceId, ctx), ctx);
    });
  }

  async getInstanceLogs(
    instanceId: string,
    options: LogOptions = {},
    ctx: OperationContext = quietContext,
  ): Promise<InstanceLogs> {
    const { containerId } = await this.containers.existing(instanceId, ctx);
    return readLogs(this.engine, containerId, options, ctx);
  }

  async executeCommand(
    instanceId: string,
    command: string,
    options: ExecuteOptions = quietContext,
  ): Promise<CommandResult> {
    const { containerId } = await this.containers.running(instanceId, options);
    return runInContainer(this.engine, containerId, command, options);
  }

  async dispose(): Promise<void> {
    clearTimeout(this.#nextSweep);
    this.abilities.dispose();
    await this.engine.dispose();
  }

  /** Makes its container anew on the same home, and starts it. */
  async recreate(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(spec.identity.id, async () => this.#start(await this.#recreator.recreate(spec, ctx), ctx));
  }

  /** Makes it, or goes on making it, for a home that will come from elsewhere. */
  async prepareIncoming(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    const mark = markOf(spec);
    const { identity, config } = mark;
    return this.#turns.take(identity.id, async () => {
      const existing = await this.containers.find(identity.id, ctx);
      if (existing) {
        const { role, swarmId, epoch } = existing;
        refuseRemoving(existing, this.id);
        if (role !== 'incoming' || swarmId !== identity.swarmId || epoch !== identity.epoch)
          throw idTaken(existing.name);
        if (!(await this.#isHalfMade(existing, ctx))) return this.reader.read(existing, ctx);
      }
      const image = await this.builder.prepareImage(config, ctx, portable(spec));
      ctx.signal.throwIfAborted();
      await this.builder.makeVolume(identity, ctx);
      await this.builder.makeContainer(identity, config, image, ctx, 'incoming');
      const container = await this.containers.existing(identity.id, ctx);
      await this.#writeFirst(container, mark, spec.secrets, ctx);
      return this.reader.describe(container, mark);
    });
  }

  async openHome(instanceId: string, task: HomeTask, ctx: OperationContext): Promise<HomeProcess> {
    const [container, program] = await Promise.all([
      this.containers.existing(instanceId, ctx),
      readFile(homeProgram(this.#launcherFile), 'utf8'),
    ]);
    refuseRemoving(container, this.id);
    return openContainerHome(this.engine, container, program, task, ctx);
  }

  /** Stops it and gives its container the other role; one that has it already is left as it is. */
  async moveTo(role: InstanceRole, instanceId: string, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const container = await this.#owned(instanceId, ctx);
      refuseRemoving(container, this.id);
      if (container.role !== role) {
        await this.containers.stop(container, false, ctx);
        await this.containers.removeOthers(container, ctx);
        const next = { ...container, generation: nextGeneration(container, ctx.claim) };
        await this.containers.rename(container, containerName(next, role), ctx);
      }
      return this.reader.read(await this.containers.existing(instanceId, ctx), ctx);
    });
  }

  transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () =>
      this.reader.read(await this.#ownership.transfer(instanceId, heir, ctx), ctx),
    );
  }

  async #owned(instanceId: string, ctx: OperationContext): Promise<InstanceContainer> {
    const container = await this.containers.existing(instanceId, ctx);
    await this.#ownership.refuse(container, ctx.claim, ctx);
    return container;
  }

  async #start(container: InstanceContainer, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.reader.read(await this.#run(container, ctx), ctx);
  }

  /** Starts it and waits until it answers. */
  async #run(container: InstanceContainer, ctx: OperationContext): Promise<InstanceContainer> {
    const { id, role } = container;
    refuseRole(id, role);
    // A replacement that was cut off in the middle may have left it under its other name.
    await this.containers.rename(container, containerName(container, role), ctx);
    const running = await this.#starter.start(container, ctx);
    await this.containers.removeOthers(container, ctx);
    return running;
  }

  /** What lies beside the home of a container that was never started, a new token among it. */
  async #writeFirst(
    { containerId }: InstanceContainer,
    mark: InstanceMark,
    secrets: Readonly<Record<string, string>>,
    ctx: OperationContext,
  ): Promise<void> {
    const variables = instanceVariables(mark.config, secrets);
    await this.files.write(containerId, firstFiles(mark, variables, await readFile(this.#launcherFile, 'utf8')), ctx);
  }

  /** Removes what killed windows left beside instances; what may be another window's work is looked at once more. */
  async #sweep(ctx: OperationContext): Promise<void> {
    clearTimeout(this.#nextSweep);
    if (!(await removeAbandonedChecks(this.engine, ctx))) return;
    this.#nextSweep = setTimeout(() => void this.#sweep(quietContext).catch(() => {}), abandonedAge + 1_000).unref();
  }

  /** A create was cut off between making the container and writing its files: nobody has ever been in there. */
  async #isHalfMade(container: InstanceContainer, ctx: OperationContext): Promise<boolean> {
    return container.state === 'created' && (await this.files.read(container, layout.record, ctx)) === undefined;
  }

  async #undoCreate({ id, swarmId }: InstanceIdentity, withVolume: boolean, ctx: OperationContext): Promise<void> {
    for (const { containerId } of await this.containers.of(id, ctx)) await this.containers.remove(containerId, ctx);
    if (withVolume) await this.builder.removeVolume(id, ctx);
    await this.builder.removeIdleNetworks(swarmId, ctx);
  }
}

/** For another engine: what is known only by this one's id is there by its name, if at all. */
const portable = ({ pinnedImage }: InstanceSpec) =>
  pinnedImage === undefined || isEngineId(pinnedImage) ? {} : { pinnedImage };
