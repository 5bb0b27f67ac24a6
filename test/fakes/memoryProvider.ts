import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import { environmentOf } from '../../media/instance/launcher.mjs';
import { instanceNotFound, providerRefused, unsupported, wrongState } from '../../src/model/errors.ts';
import { homeMissing } from '../../src/model/homeErrors.ts';
import type {
  InstanceConfig,
  InstanceFilter,
  InstanceIdentity,
  InstanceRole,
  InstanceUpdate,
  VSCodeInstance,
} from '../../src/model/instance.ts';
import { type Claim, type OperationContext, quietContext } from '../../src/model/operationContext.ts';
import { nextGeneration, refuseUnowned } from '../../src/model/ownership.ts';
import { ownedByAnother } from '../../src/model/ownershipErrors.ts';
import type {
  CommandResult,
  ExecuteOptions,
  InstanceChange,
  InstanceHeir,
  InstanceLogs,
  InstanceSpec,
  LogOptions,
  Provider,
  ProviderAbilities,
  ProviderCapabilities,
} from '../../src/model/provider.ts';
import { passesFilter } from '../../src/providers/instanceFilter.ts';
import { instanceVariables, markOf, updatedConfig } from '../../src/providers/instanceMark.ts';
import { refuseRemoving, refuseRole } from '../../src/providers/instanceRoles.ts';
import { runCommand } from '../../src/providers/local/runCommand.ts';
import { type ImageChoice, imageFor, pinned } from '../../src/providers/pinnedImage.ts';
import type { LoneAbilities } from './loneProvider.ts';
import { memoryAbilities } from './memoryAbilities.ts';
import { type MemoryInstance, MemoryPlace, statusOf } from './memoryPlace.ts';

/** What a test may set; the rest is as generous as can be. */
export interface MemoryProviderOptions {
  readonly id?: string;
  readonly type?: string;
  readonly capabilities?: Partial<ProviderCapabilities>;
  readonly images?: boolean;
  readonly limits?: boolean;
  readonly remakes?: NonNullable<ProviderAbilities['remakes']>;
}

/** A provider whose place is a {@link MemoryPlace}. Keeps the whole contract; the contract suite shows it. */
export class MemoryProvider implements Provider {
  readonly id: string;
  readonly type: string;
  readonly abilities: LoneAbilities;
  readonly place: MemoryPlace;
  readonly #capabilities: Partial<ProviderCapabilities>;

  constructor(place: MemoryPlace = new MemoryPlace(), options: MemoryProviderOptions = {}) {
    this.place = place;
    this.id = options.id ?? 'memory';
    this.type = options.type ?? 'memory';
    this.#capabilities = options.capabilities ?? {};
    this.abilities = memoryAbilities(this, options);
  }

  getCapabilities(): ProviderCapabilities {
    return {
      supportsLiveResize: true,
      supportsSnapshotting: false,
      supportsMultiRegion: false,
      maxInstancesPerUser: 100_000,
      maxResourcesPerInstance: { cpu: { cores: 64 }, memory: { min: 64, max: 262_144 } },
      ...this.#capabilities,
    };
  }

  initialize(ctx = quietContext): Promise<void> {
    return this.place.pass(this.id, 'initialize', ctx, () => {});
  }

  createInstance(spec: InstanceSpec, ctx = quietContext): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'createInstance', ctx, async () => {
      const { identity, config } = markOf(spec);
      this.refuseMisfits(config);
      ctx.report('Making the instance');
      ctx.signal.throwIfAborted();
      const existing = this.place.instances.get(identity.id);
      if (existing && existing.identity.swarmId !== identity.swarmId) {
        throw providerRefused('id-taken', `The id "${identity.id}" is taken.`, 'Try again.');
      }
      if (existing) {
        refuseRole(identity.id, existing.role);
        this.#refuseUnowned(existing, identity);
      }
      ctx.lock?.assertHeld();
      const ownHome = !existing && !this.place.homesOf.has(identity.id);
      if (ownHome) await this.#makeHome(identity);
      const instance = this.place.instances.get(identity.id) ?? this.#newInstance(spec, ctx);
      this.place.instances.set(identity.id, instance);
      ctx.report('Starting the instance');
      if (ctx.signal.aborted && !existing) {
        await this.place.loseServer(identity.id);
        if (ownHome) await this.place.removeHome(identity.id, 'createInstance');
        throw ctx.signal.reason;
      }
      ctx.lock?.assertHeld();
      await this.place.run(instance);
      return this.describe(instance);
    });
  }

  getInstance(instanceId: string, ctx = quietContext): Promise<VSCodeInstance | null> {
    return this.place.pass(this.id, 'getInstance', ctx, () => {
      const instance = this.place.instances.get(instanceId);
      return instance ? this.describe(instance) : null;
    });
  }

  listInstances(filter: InstanceFilter = {}, ctx = quietContext): Promise<VSCodeInstance[]> {
    return this.place.pass(this.id, 'listInstances', ctx, () =>
      [...this.place.instances.values()]
        .map(instance => this.describe(instance))
        .filter(instance => passesFilter(instance, filter, this.type)),
    );
  }

  startInstance(instanceId: string, ctx = quietContext): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'startInstance', ctx, async () => {
      const instance = this.#owned(instanceId, ctx);
      refuseRole(instanceId, instance.role);
      ctx.lock?.assertHeld();
      await this.place.run(instance);
      return this.describe(instance);
    });
  }

  stopInstance(instanceId: string, force = false, ctx = quietContext): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'stopInstance', ctx, async () => {
      const instance = this.#owned(instanceId, ctx);
      ctx.lock?.assertHeld();
      await this.place.halt(instance);
      if (force) await this.place.endCommands(instanceId);
      return this.describe(instance);
    });
  }

  deleteInstance(instanceId: string, ctx = quietContext): Promise<boolean> {
    return this.place.pass(this.id, 'deleteInstance', ctx, async () => {
      const instance = this.place.instances.get(instanceId);
      const home = this.place.homesOf.get(instanceId);
      if (instance) this.#owned(instanceId, ctx);
      else if (ctx.claim && home && home.swarmId !== ctx.claim.swarmId)
        throw ownedByAnother(instanceId, { user: 'unknown', machine: 'unknown' }, undefined);
      const hadServer = instance !== undefined;
      ctx.lock?.assertHeld();
      if (instance) {
        await this.place.halt(instance);
        ctx.lock?.assertHeld();
        instance.role = 'removing';
      }
      ctx.report('Removing the instance');
      ctx.signal.throwIfAborted();
      const held = this.place.held.get(instanceId);
      if (held !== undefined) throw held;
      ctx.lock?.assertHeld();
      await this.place.loseServer(instanceId);
      ctx.lock?.assertHeld();
      const hadHome = await this.place.removeHome(instanceId, 'deleteInstance');
      return hadServer || hadHome;
    });
  }

  updateInstance(
    instanceId: string,
    update: InstanceChange,
    ctx = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'updateInstance', ctx, async () => {
      const instance = this.#owned(instanceId, ctx);
      refuseRemoving({ id: instanceId, role: instance.role }, this.id);
      this.refuseMisfits(update);
      ctx.lock?.assertHeld();
      const next = updatedConfig(instance.config, update);
      if (next.image !== instance.config.image || update.renewsImage)
        this.#useImage(instance, next, { renews: true }, ctx);
      instance.config = next;
      instance.variables = instanceVariables(instance.config, secrets, instance.variables);
      const home = this.place.homesOf.get(instanceId);
      if (home) home.variables = instance.variables;
      this.place.changed.fire(instanceId);
      return this.describe(instance);
    });
  }

  getInstanceLogs(instanceId: string, options: LogOptions = {}, ctx = quietContext): Promise<InstanceLogs> {
    return this.place.pass(this.id, 'getInstanceLogs', ctx, () => {
      const { log, token } = this.existing(instanceId);
      const { tail = 200, since } = options;
      const wanted = since !== undefined && Date.parse(since) > Date.now() ? [] : log;
      const lines = tail === 0 ? [] : wanted.slice(-tail);
      return { lines: lines.map(line => line.replaceAll(token, '***')), truncated: lines.length < wanted.length };
    });
  }

  executeCommand(instanceId: string, command: string, options: ExecuteOptions = quietContext): Promise<CommandResult> {
    return this.place.pass(this.id, 'executeCommand', options, async () => {
      const { variables, config } = this.running(instanceId);
      if (this.place.homes === undefined) return this.place.shell(instanceId, command);
      const home = this.home(instanceId);
      const given = { PATH: process.env.PATH ?? '', HOME: home };
      const env = environmentOf(given, variables, config.secretEnv);
      const run = { file: '/bin/sh', args: ['-c', command], cwd: path.join(home, 'workspace'), env };
      return runCommand(run, options, async pid => void process.kill(-pid, 'SIGKILL'));
    });
  }

  async dispose(): Promise<void> {}

  refuseMisfits({ image, resources = {} }: InstanceUpdate): void {
    if (image !== undefined && !this.abilities.images) throw unsupported(this.id, 'run an image');
    if (Object.keys(resources).length > 0 && !this.abilities.limits) throw unsupported(this.id, 'limit resources');
  }

  existing(instanceId: string): MemoryInstance {
    const instance = this.place.instances.get(instanceId);
    if (!instance) throw instanceNotFound(instanceId);
    return instance;
  }

  running(instanceId: string): MemoryInstance {
    const instance = this.existing(instanceId);
    const status = instance.role === 'trash' ? 'trashed' : 'stopped';
    if (!instance.running) throw wrongState(instanceId, status, 'start it first');
    return instance;
  }

  home(instanceId: string): string {
    return path.join(this.place.homes ?? '/memory', instanceId);
  }

  /** Makes another server on the home that is there, and starts it. */
  async recreate(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    const { identity, config } = markOf(spec);
    const { id, swarmId } = identity;
    this.refuseMisfits(config);
    const home = this.place.homesOf.get(id);
    if (!home) throw homeMissing(id, this.id);
    if (home.swarmId !== swarmId) throw providerRefused('id-taken', `The id "${id}" is taken.`, 'Try again.');
    const old = this.place.instances.get(id);
    if (old) {
      refuseRole(id, old.role);
      this.#refuseUnowned(old, identity);
    }
    ctx.report('Making the instance anew');
    ctx.signal.throwIfAborted();
    const instance = this.#newInstance(spec, ctx);
    ctx.lock?.assertHeld();
    await this.place.renew(instance);
    ctx.signal.throwIfAborted();
    ctx.lock?.assertHeld();
    await this.place.run(instance);
    return this.describe(instance);
  }

  /** Makes one that waits for its home, or finds it made. */
  async prepareIncoming(spec: InstanceSpec, ctx: OperationContext): Promise<VSCodeInstance> {
    const { identity, config } = markOf(spec);
    this.refuseMisfits(config);
    const existing = this.place.instances.get(identity.id);
    if (existing) refuseRemoving({ id: identity.id, role: existing.role }, this.id);
    else await this.#makeHome(identity);
    const instance = existing ?? this.#newInstance(spec, ctx, 'incoming');
    const { role, identity: own } = instance;
    if (role !== 'incoming' || own.swarmId !== identity.swarmId || own.epoch !== identity.epoch)
      throw providerRefused('id-taken', `The id "${identity.id}" is taken.`, 'Try again.');
    this.place.instances.set(identity.id, instance);
    return this.describe(instance);
  }

  /** Stops it and gives it the other role; one that has it already is left as it is. */
  async moveTo(role: InstanceRole, instanceId: string, ctx: OperationContext): Promise<VSCodeInstance> {
    const instance = this.#owned(instanceId, ctx);
    refuseRemoving({ id: instanceId, role: instance.role }, this.id);
    if (instance.role === role) return this.describe(instance);
    ctx.lock?.assertHeld();
    await this.place.halt(instance);
    ctx.lock?.assertHeld();
    instance.role = role;
    instance.identity = { ...instance.identity, generation: nextGeneration(instance.identity, ctx.claim) };
    this.place.changed.fire(instanceId);
    return this.describe(instance);
  }

  transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext): VSCodeInstance {
    const instance = this.existing(instanceId);
    const { identity } = instance;
    if (identity.swarmId === heir.swarmId && identity.epoch === heir.epoch) return this.describe(instance);
    this.#refuseUnowned(instance, ctx.claim);
    const generation = nextGeneration(identity, ctx.claim);
    ctx.lock?.assertHeld();
    instance.identity = { ...identity, ...heir, generation, adoptedAt: new Date(Date.now()).toISOString() };
    const home = this.place.homesOf.get(instanceId);
    if (home) home.swarmId = heir.swarmId;
    this.place.changed.fire(instanceId);
    return this.describe(instance);
  }

  #owned(instanceId: string, { claim }: OperationContext): MemoryInstance {
    const instance = this.existing(instanceId);
    this.#refuseUnowned(instance, claim);
    return instance;
  }

  #refuseUnowned({ identity }: MemoryInstance, claim: Claim | undefined): void {
    refuseUnowned({ ...identity, providerId: this.id }, claim);
  }

  /** A server on the home that is there, never started. */
  #newInstance(spec: InstanceSpec, ctx: OperationContext, role: InstanceRole = 'owner'): MemoryInstance {
    const { identity, config } = markOf(spec);
    const home = this.place.homesOf.get(identity.id);
    const variables = instanceVariables(config, spec.secrets, home?.variables);
    if (home) home.variables = variables;
    const instance = { identity, config, token: home?.token ?? '', log: [], variables, role, running: false };
    this.#useImage(instance, config, spec, ctx);
    return instance;
  }

  #useImage(instance: MemoryInstance, { image }: InstanceConfig, choice: ImageChoice, ctx: OperationContext): void {
    const used = imageFor(image, 'default', choice);
    const digest = this.place.digests.get(used);
    if (digest === undefined && !used.includes('@')) return;
    instance.pinnedImage = pinned(used, digest ?? '');
    this.place.imagesUsed.push({ image: instance.pinnedImage, asPerson: ctx.pullsAsPerson ?? false });
  }

  async #makeHome({ id, swarmId }: InstanceIdentity): Promise<void> {
    this.place.homesOf.set(id, { swarmId, token: this.place.newToken(), variables: {}, used: false });
    if (this.place.homes !== undefined) await mkdir(path.join(this.home(id), 'workspace'), { recursive: true });
  }

  describe(instance: MemoryInstance): VSCodeInstance {
    const { identity, config, role, running, detail, cause, port, pinnedImage } = instance;
    return {
      ...identity,
      providerId: this.id,
      role,
      config,
      status: statusOf(instance),
      ...(detail === undefined ? {} : { detail }),
      ...(cause === undefined ? {} : { cause }),
      ...(running && port !== undefined ? { port } : {}),
      ...(pinnedImage === undefined ? {} : { pinnedImage }),
    };
  }
}
