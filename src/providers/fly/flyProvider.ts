import { isDeepStrictEqual } from 'node:util';
import { credentialKey } from '../../model/config.ts';
import { providerRefused, unsupported } from '../../model/errors.ts';
import { homeMissing } from '../../model/homeErrors.ts';
import type { InstanceConfig, InstanceFilter, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
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
import { passesFilter } from '../instanceFilter.ts';
import { instanceVariables, updatedConfig } from '../instanceMark.ts';
import { refuseRemoving, refuseRole } from '../instanceRoles.ts';
import type { ProviderEnvironment } from '../providerEnvironment.ts';
import { reservedFile } from '../reservedFile.ts';
import { Turns } from '../turns.ts';
import { AppBuilder } from './appBuilder.ts';
import { FlyAbilities } from './flyAbilities.ts';
import { FlyApi } from './flyApi.ts';
import type { FlyProviderConfig } from './flyConfig.ts';
import { idTaken } from './flyErrors.ts';
import { FlyLogs } from './flyLogs.ts';
import { Gate } from './gate.ts';
import { homeAtGate, runAtGate } from './gateProgram.ts';
import { type HomeVolume, volumesIn } from './homeVolume.ts';
import { appName, type InstanceMachine } from './instanceMachine.ts';
import { homeProgramThere, largest, launcher, layout, node } from './machineConfig.ts';
import { identityOn, markOn } from './machineInstance.ts';
import { MachineMaker } from './machineMaker.ts';
import { MachineReader } from './machineReader.ts';
import { Machines } from './machines.ts';

/** The rest of a volume its file system needs for itself. */
const shareForFiles = 0.96;

/** Instances on Fly.io: each one an app with a machine, and a volume with its home that outlives the machine. */
export class FlyProvider implements Provider {
  readonly id: string;
  readonly type = 'fly';
  readonly abilities: FlyAbilities;
  readonly reader: MachineReader;
  readonly machines: Machines;
  readonly builder: AppBuilder;
  readonly gate: Gate;
  readonly logs: FlyLogs;
  readonly #api: FlyApi;
  readonly #config: FlyProviderConfig;
  readonly #maker: MachineMaker;
  readonly #turns = new Turns();
  /** Those that gates have let in, by instance. */
  readonly #tokens = new Map<string, string>();
  #regions: string[] = [];
  #nearest: string | undefined;

  constructor(config: FlyProviderConfig, environment: ProviderEnvironment) {
    this.id = config.id;
    this.#config = config;
    const {
      api = 'https://api.machines.dev/v1',
      logs: logsUrl = 'https://api.fly.io/api/v1',
      edge,
    } = config.endpoints ?? {};
    this.#api = new FlyApi(this.id, api, () => environment.readSecret(credentialKey(this.id)));
    this.reader = new MachineReader(this.#api, config.organization);
    this.machines = new Machines(this.#api, this.reader);
    this.builder = new AppBuilder(this.#api, this.reader, this.machines);
    this.gate = new Gate(this.id, edge);
    this.logs = new FlyLogs(this.#api, logsUrl);
    const { reader, machines, builder, gate, logs } = this;
    this.#maker = new MachineMaker(config, environment.launcher, reader, machines, builder, gate, logs);
    this.abilities = new FlyAbilities(this);
  }

  /** Regions are those of Fly, once it was reached. */
  getCapabilities(): ProviderCapabilities {
    return {
      supportsLiveResize: false,
      supportsSnapshotting: false,
      supportsMultiRegion: true,
      supportedRegions: [...this.#regions],
      maxInstancesPerUser: 1_000,
      maxResourcesPerInstance: {
        cpu: { cores: largest.cores },
        memory: { min: 256, max: largest.memoryMb },
        storage: { size: this.#config.diskGb * 1_024, persistent: true },
      },
    };
  }

  async initialize(ctx: OperationContext = quietContext): Promise<void> {
    await this.#api.call('The check of the token', ctx, (client, signal) => client.GET('/tokens/current', { signal }));
    const { regions = [], nearest } = await this.#api.call('The list of regions', ctx, (client, signal) =>
      client.GET('/platform/regions', { signal }),
    );
    this.#regions = regions.flatMap(({ code, deprecated }) => (code && !deprecated ? [code] : [])).sort();
    this.#nearest = nearest ?? this.#regions[0];
    const { region } = this.#config;
    if (region !== undefined && !this.#regions.includes(region))
      throw providerRefused(
        'unknown-region',
        `The provider "${this.id}" names the region "${region}", which Fly.io has not.`,
        `Set it to one of: ${this.#regions.join(', ')}.`,
      );
  }

  async createInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    const { id, swarmId } = spec.identity;
    this.#refuse(spec);
    return this.#turns.take(id, async () => {
      const existing = await this.reader.findOurs(id, ctx);
      if (existing && existing.swarmId !== swarmId) throw idTaken(appName(id));
      if (existing) {
        refuseRole(id, existing.role);
        this.machines.refuseUnowned(existing, spec.identity);
        return this.#start(existing, ctx);
      }
      let made = false;
      try {
        ctx.report('Making the app of the instance');
        made = await this.builder.ensureApp(id, this.#config.organization, ctx);
        await this.#maker.make(spec, 'owner', this.#region(spec), ctx);
        return await this.#maker.answering(await this.reader.existing(id, ctx), ctx);
      } catch (error) {
        // What can't be undone now is found by its name later.
        if (made) await this.builder.removeAll(id, this.#config.organization, uncancelled(ctx)).catch(() => {});
        throw error;
      }
    });
  }

  async getInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance | null> {
    const found = await this.reader.findWhole(instanceId, ctx);
    if (!found) return null;
    if (found.machine.away) return this.whole(found.machine, ctx);
    const end = await this.reader.endOf(found.machine, found.row, ctx);
    return { ...(await this.whole(found.machine, ctx)), ...end };
  }

  async listInstances(filter: InstanceFilter = {}, ctx: OperationContext = quietContext): Promise<VSCodeInstance[]> {
    const machines = await this.reader.list(ctx);
    const instances = await Promise.all(machines.map(machine => this.whole(machine, ctx)));
    return instances.filter(instance => passesFilter(instance, filter, this.type));
  }

  async startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => this.#start(await this.#owned(instanceId, ctx), ctx));
  }

  async stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const machine = await this.#owned(instanceId, ctx);
      ctx.report('Stopping the editor server');
      await this.machines.stop(machine, force, ctx);
      return this.whole(await this.reader.existing(instanceId, ctx), ctx);
    });
  }

  async deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    return this.#turns.take(instanceId, () => this.builder.removeOwned(instanceId, this.#config.organization, ctx));
  }

  async updateInstance(
    instanceId: string,
    update: InstanceChange,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const machine = await this.#owned(instanceId, ctx);
      refuseRemoving(machine, this.id);
      const { identity } = markOn(machine);
      const { config } = await this.whole(machine, ctx);
      const next = updatedConfig(config, update);
      this.#refuse(next);
      const variables = await this.#maker.variables(instanceId, ctx);
      const nextVariables = instanceVariables(next, secrets, variables);
      const sameVariables = isDeepStrictEqual(variables, nextVariables);
      const renews = update.renewsImage ?? false;
      if (!renews && sameVariables && isDeepStrictEqual(this.#maker.sizeOf(config), this.#maker.sizeOf(next))) {
        await this.#maker.note(machine, next, ctx);
        return this.whole(await this.reader.existing(instanceId, ctx), ctx);
      }
      const version = sameVariables
        ? undefined
        : await this.builder.writeSecrets(instanceId, { environment: JSON.stringify(nextVariables) }, ctx);
      const runs = machine.status === 'running';
      ctx.report(runs ? 'Restarting the machine with the changed config' : 'Changing the machine');
      const mark = { identity, config: next };
      const changed = await this.#maker.change(machine, { mark, mode: machine.mode }, runs, version, ctx, renews);
      return runs ? this.#maker.answering(changed, ctx) : this.whole(changed, ctx);
    });
  }

  /** With its root: only what lies on the volume stays. */
  remakes(before: InstanceConfig, after: InstanceConfig): boolean {
    return this.#maker.remakes(before, after);
  }

  async getInstanceLogs(
    instanceId: string,
    options: LogOptions = {},
    ctx: OperationContext = quietContext,
  ): Promise<InstanceLogs> {
    await this.reader.existing(instanceId, ctx);
    return this.logs.read(instanceId, options, ctx);
  }

  /** Through the gate, for the reasons that {@link Gate} tells. */
  async executeCommand(
    instanceId: string,
    command: string,
    options: ExecuteOptions = quietContext,
  ): Promise<CommandResult> {
    const shell = ['/bin/sh', '-c', 'cd "$1" 2>/dev/null; exec /bin/sh -c "$2"', 'sh', layout.workspace, command];
    return this.run(instanceId, [node, launcher, 'exec', layout.reserved, ...shell], options);
  }

  /** Runs a program in the machine of an instance that runs. */
  async run(instanceId: string, argv: readonly string[], options: ExecuteOptions): Promise<CommandResult> {
    await this.reader.running(instanceId, options);
    const stream = await this.gate.open(instanceId, 'run', await this.readToken(instanceId, options), options);
    return runAtGate(this.id, stream, argv, layout.home, options);
  }

  /** The same, now and then: it is taken for running, and its token for the one that it had. */
  async runAgain(instanceId: string, argv: readonly string[], options: ExecuteOptions): Promise<CommandResult> {
    const token = this.#tokens.get(instanceId) ?? (await this.readToken(instanceId, options));
    this.#tokens.delete(instanceId);
    const stream = await this.gate.open(instanceId, 'run', token, options);
    this.#tokens.set(instanceId, token);
    return runAtGate(this.id, stream, argv, layout.home, options);
  }

  async dispose(): Promise<void> {
    this.abilities.dispose();
  }

  /** Makes its machine anew on the same home, and starts it. The token stays, and so do secrets that are not given. */
  async recreate(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    const { id, swarmId } = spec.identity;
    this.#refuse(spec);
    return this.#turns.take(id, async () => {
      const home = await this.builder.homeOf(id, ctx);
      if (home === undefined) throw homeMissing(id, this.id);
      const machine = await this.reader.find(id, ctx);
      const { swarmId: whose } = machine ?? (await this.builder.ownerOf(home, ctx));
      if (whose !== swarmId) throw idTaken(appName(id));
      if (machine) {
        refuseRole(id, machine.role);
        this.machines.refuseUnowned(machine, spec.identity);
        // What can't be read is somebody's, and is not written anew.
        markOn(machine);
        await this.reader.proveAlone(machine, ctx);
        ctx.report('Removing the machine');
        await this.machines.stop(machine, false, ctx);
        await this.machines.remove(id, machine.machineId, ctx);
      }
      await this.#maker.make(spec, 'owner', this.#region(spec), ctx);
      return this.#maker.answering(await this.reader.existing(id, ctx), ctx);
    });
  }

  /** Makes it, or goes on making it, for a home that will come from elsewhere. */
  async prepareIncoming(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    const { id, swarmId, epoch } = spec.identity;
    this.#refuse(spec);
    return this.#turns.take(id, async () => {
      const existing = await this.reader.findOurs(id, ctx);
      if (existing) {
        refuseRemoving(existing, this.id);
        if (existing.role !== 'incoming' || existing.swarmId !== swarmId || existing.epoch !== epoch)
          throw idTaken(appName(id));
        return this.whole(existing, ctx);
      }
      await this.builder.ensureApp(id, this.#config.organization, ctx);
      await this.#maker.make(spec, 'incoming', this.#region(spec), ctx);
      return this.whole(await this.reader.existing(id, ctx), ctx);
    });
  }

  /** Stops it and gives it the other role; one that has it already is left as it is. */
  async moveTo(role: InstanceRole, instanceId: string, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const machine = await this.#owned(instanceId, ctx);
      refuseRemoving(machine, this.id);
      if (machine.role !== role) {
        await this.machines.stop(machine, false, ctx);
        const change = (now: InstanceMachine) => {
          this.machines.refuseUnowned(now, ctx.claim);
          return { role, generation: String(nextGeneration(now, ctx.claim)) };
        };
        await this.machines.noteTogether(machine, change, ctx);
      }
      return this.whole(await this.reader.existing(instanceId, ctx), ctx);
    });
  }

  /** What is noted on the machine decides; the app's secrets tell it, too, should the machine be lost. */
  async transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#turns.take(instanceId, async () => {
      const machine = await this.reader.existing(instanceId, ctx);
      const isHeirs = ({ swarmId, epoch }: Pick<InstanceMachine, 'swarmId' | 'epoch'>) =>
        swarmId === heir.swarmId && epoch === heir.epoch;
      if (!isHeirs(machine)) {
        const change = (now: InstanceMachine) => {
          if (isHeirs(now)) return {};
          this.machines.refuseUnowned(now, ctx.claim);
          return {
            ...{ swarm: heir.swarmId, epoch: String(heir.epoch), owner: JSON.stringify(heir.owner) },
            ...{ generation: String(nextGeneration(now, ctx.claim)), adopted: new Date().toISOString() },
          };
        };
        await this.machines.noteTogether(machine, change, ctx);
      }
      const now = await this.reader.existing(instanceId, ctx);
      const identity = identityOn(now);
      const home = await this.builder.homeOf(instanceId, ctx);
      const told = home && (await this.builder.ownerOf(home, ctx));
      if (told?.swarmId !== identity.swarmId || told.epoch !== identity.epoch)
        await this.builder.writeSecrets(instanceId, { owner: JSON.stringify(identity) }, ctx);
      return this.whole(now, ctx);
    });
  }

  async #owned(instanceId: string, ctx: OperationContext): Promise<InstanceMachine> {
    const machine = await this.reader.existing(instanceId, ctx);
    this.machines.refuseUnowned(machine, ctx.claim);
    return machine;
  }

  /** What a new volume has for a home. */
  get freeBytes(): number {
    return Math.floor(this.#config.diskGb * 1024 ** 3 * shareForFiles);
  }

  homeVolumes(ctx: OperationContext): Promise<HomeVolume[]> {
    return volumesIn(this.#api, this.#config.organization, ctx);
  }

  async readToken(instanceId: string, ctx: OperationContext): Promise<string> {
    const token = await this.builder.readSecret(instanceId, 'token', ctx);
    if (token === undefined) await this.reader.existing(instanceId, ctx);
    return reservedFile.token(instanceId, token);
  }

  /**
   * In the machine that mounts the home, as a volume of Fly's can be read in no other way. One that does not run is
   * started for it without its editor server, and ends by itself when nobody has needed it for a minute.
   */
  async openHome(instanceId: string, task: HomeTask, ctx: OperationContext): Promise<HomeProcess> {
    const machine = await this.#turns.take(instanceId, async () => {
      refuseRemoving(await this.reader.existing(instanceId, ctx), this.id);
      return this.#maker.held(instanceId, ctx);
    });
    const token = await this.readToken(instanceId, ctx);
    const stream = await this.#maker.untilOpen(() => this.gate.open(machine.id, 'run', token, ctx), ctx);
    return homeAtGate(instanceId, this.id, stream, [node, homeProgramThere, task], layout.home);
  }

  /** The instance on it, as it was asked for. */
  whole(machine: InstanceMachine, ctx: OperationContext): Promise<VSCodeInstance> {
    return this.#maker.whole(machine, ctx);
  }

  async #start(machine: InstanceMachine, ctx: OperationContext): Promise<VSCodeInstance> {
    refuseRole(machine.id, machine.role);
    ctx.report('Starting the machine');
    return this.#maker.answering(await this.#maker.inMode(machine, 'serve', ctx), ctx);
  }

  /** Where its home is made. One that comes from elsewhere may name a region of there. */
  #region({ region }: InstanceConfig): string {
    if (region !== undefined && this.#regions.includes(region)) return region;
    return this.#config.region ?? this.#nearest ?? '';
  }

  #refuse({ resources }: Pick<InstanceConfig, 'resources'>): void {
    if (resources.pids !== undefined) throw unsupported(this.id, 'limit the number of processes');
  }
}
