import { mkdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { instanceNotFound, providerRefused, unsupported, wrongState } from '../../src/model/errors.ts';
import type { InstanceFilter, InstanceUpdate, VSCodeInstance } from '../../src/model/instance.ts';
import { type OperationContext, quietContext } from '../../src/model/operationContext.ts';
import type {
  CommandResult,
  ExecuteOptions,
  InstanceLogs,
  InstanceSpec,
  LogOptions,
  Provider,
  ProviderAbilities,
  ProviderCapabilities,
} from '../../src/model/provider.ts';
import { passesFilter } from '../../src/providers/instanceFilter.ts';
import { instanceVariables, updatedConfig } from '../../src/providers/instanceMark.ts';
import { runCommand } from '../../src/providers/local/runCommand.ts';
import { type MemoryInstance, MemoryPlace } from './memoryPlace.ts';

/** What a test may set; the rest is as generous as can be. */
export interface MemoryProviderOptions {
  readonly id?: string;
  readonly type?: string;
  readonly capabilities?: Partial<ProviderCapabilities>;
  readonly images?: boolean;
  readonly limits?: boolean;
}

/** A provider whose place is a {@link MemoryPlace}. Keeps the whole contract; the contract suite shows it. */
export class MemoryProvider implements Provider {
  readonly id: string;
  readonly type: string;
  readonly abilities: ProviderAbilities;
  readonly place: MemoryPlace;
  readonly #capabilities: Partial<ProviderCapabilities>;

  constructor(place: MemoryPlace = new MemoryPlace(), options: MemoryProviderOptions = {}) {
    this.place = place;
    this.id = options.id ?? 'memory';
    this.type = options.type ?? 'memory';
    this.#capabilities = options.capabilities ?? {};
    this.abilities = this.#makeAbilities(options);
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
      const { identity, secrets, ...config } = spec;
      this.#refuseMisfits(config);
      ctx.report('Making the instance');
      ctx.signal.throwIfAborted();
      const existing = this.place.instances.get(identity.id);
      if (existing && existing.identity.swarmId !== identity.swarmId) {
        throw providerRefused('id-taken', `The id "${identity.id}" is taken.`, 'Try again.');
      }
      const instance = existing ?? {
        identity,
        config,
        token: this.place.newToken(),
        log: [],
        variables: instanceVariables(config, secrets),
        role: 'owner' as const,
        running: false,
      };
      if (!existing) await this.#makeHome(identity.id);
      this.place.instances.set(identity.id, instance);
      ctx.report('Starting the instance');
      if (ctx.signal.aborted && !existing) {
        await this.#remove(instance);
        throw ctx.signal.reason;
      }
      await this.place.run(instance);
      return this.#describe(instance);
    });
  }

  getInstance(instanceId: string, ctx = quietContext): Promise<VSCodeInstance | null> {
    return this.place.pass(this.id, 'getInstance', ctx, () => {
      const instance = this.place.instances.get(instanceId);
      return instance ? this.#describe(instance) : null;
    });
  }

  listInstances(filter: InstanceFilter = {}, ctx = quietContext): Promise<VSCodeInstance[]> {
    return this.place.pass(this.id, 'listInstances', ctx, () =>
      [...this.place.instances.values()]
        .map(instance => this.#describe(instance))
        .filter(instance => passesFilter(instance, filter, this.type)),
    );
  }

  startInstance(instanceId: string, ctx = quietContext): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'startInstance', ctx, async () => {
      const instance = this.#existing(instanceId);
      if (instance.role === 'trash') throw wrongState(instanceId, 'trashed', 'restore it first');
      await this.place.run(instance);
      return this.#describe(instance);
    });
  }

  stopInstance(instanceId: string, _force = false, ctx = quietContext): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'stopInstance', ctx, async () => {
      const instance = this.#existing(instanceId);
      await this.place.halt(instance);
      return this.#describe(instance);
    });
  }

  deleteInstance(instanceId: string, ctx = quietContext): Promise<boolean> {
    return this.place.pass(this.id, 'deleteInstance', ctx, async () => {
      const instance = this.place.instances.get(instanceId);
      if (!instance) return false;
      await this.#remove(instance);
      return true;
    });
  }

  updateInstance(
    instanceId: string,
    update: InstanceUpdate,
    ctx = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<VSCodeInstance> {
    return this.place.pass(this.id, 'updateInstance', ctx, async () => {
      const instance = this.#existing(instanceId);
      this.#refuseMisfits(update);
      instance.config = updatedConfig(instance.config, update);
      instance.variables = instanceVariables(instance.config, secrets, instance.variables);
      this.place.changed.fire(instanceId);
      return this.#describe(instance);
    });
  }

  getInstanceLogs(instanceId: string, options: LogOptions = {}, ctx = quietContext): Promise<InstanceLogs> {
    return this.place.pass(this.id, 'getInstanceLogs', ctx, () => {
      const { log, token } = this.#existing(instanceId);
      const { tail = 200, since } = options;
      const wanted = since !== undefined && Date.parse(since) > Date.now() ? [] : log;
      const lines = tail === 0 ? [] : wanted.slice(-tail);
      return { lines: lines.map(line => line.replaceAll(token, '***')), truncated: lines.length < wanted.length };
    });
  }

  executeCommand(instanceId: string, command: string, options: ExecuteOptions = quietContext): Promise<CommandResult> {
    return this.place.pass(this.id, 'executeCommand', options, async () => {
      const { variables } = this.#running(instanceId);
      if (this.place.homes === undefined) return this.place.shell(instanceId, command);
      const home = this.#home(instanceId);
      const env = { PATH: process.env.PATH ?? '', HOME: home, ...variables };
      const run = { file: '/bin/sh', args: ['-c', command], cwd: path.join(home, 'workspace'), env };
      return runCommand(run, options, async pid => void process.kill(-pid, 'SIGKILL'));
    });
  }

  async dispose(): Promise<void> {}

  #makeAbilities({ images = true, limits = true }: MemoryProviderOptions): ProviderAbilities {
    const { place } = this;
    return {
      images,
      limits,
      observe: (ctx = quietContext) => place.pass(this.id, 'observe', ctx, () => place.listed()),
      readToken: (id, ctx = quietContext) => place.pass(this.id, 'readToken', ctx, () => this.#existing(id).token),
      workspacePath: id => path.join(this.#home(id), 'workspace'),
      installExtensionCommand: (_, extensionId) => `echo installed ${extensionId}`,
      connect: (id, port, ctx = quietContext) =>
        place.pass(this.id, 'connect', ctx, () => {
          const running = this.#running(id);
          return { host: '127.0.0.1', port: port ?? running.port ?? 0, dispose: () => {} };
        }),
      trashInstance: (id, ctx = quietContext) =>
        place.pass(this.id, 'trashInstance', ctx, async () => {
          const instance = this.#existing(id);
          await place.halt(instance);
          instance.role = 'trash';
          place.changed.fire(id);
        }),
      restoreInstance: (id, ctx = quietContext) =>
        place.pass(this.id, 'restoreInstance', ctx, () => {
          const instance = this.#existing(id);
          instance.role = 'owner';
          place.changed.fire(id);
          return this.#describe(instance);
        }),
      watch: wake => place.changed.event(wake),
      stats: (ids, ctx = quietContext) =>
        place.pass(this.id, 'stats', ctx, () =>
          ids
            .filter(id => place.instances.get(id)?.running)
            .map(id => ({ id, cpuCores: 0.25, memoryBytes: 128 * 1024 ** 2 })),
        ),
      followLogs: (id, sink, ctx) => this.#followLogs(id, sink, ctx),
    };
  }

  #followLogs(id: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    return this.place.pass(this.id, 'followLogs', ctx, () => {
      const { token } = this.#running(id);
      return new Promise((resolve, reject) => {
        const lines = this.place.logged.event(event => {
          if (event.id === id) sink(event.line.replaceAll(token, '***'));
        });
        const changes = this.place.changed.event(() => {
          if (!this.place.instances.get(id)?.running) end(resolve);
        });
        const end = (settle: () => void) => {
          lines.dispose();
          changes.dispose();
          settle();
        };
        ctx.signal.addEventListener('abort', () => end(() => reject(ctx.signal.reason)), { once: true });
      });
    });
  }

  #refuseMisfits({ image, resources = {} }: InstanceUpdate): void {
    if (image !== undefined && !this.abilities.images) throw unsupported(this.id, 'run an image');
    if (Object.keys(resources).length > 0 && !this.abilities.limits) throw unsupported(this.id, 'limit resources');
  }

  #existing(instanceId: string): MemoryInstance {
    const instance = this.place.instances.get(instanceId);
    if (!instance) throw instanceNotFound(instanceId);
    return instance;
  }

  #running(instanceId: string): MemoryInstance {
    const instance = this.#existing(instanceId);
    const status = instance.role === 'trash' ? 'trashed' : 'stopped';
    if (!instance.running) throw wrongState(instanceId, status, 'start it first');
    return instance;
  }

  #home(instanceId: string): string {
    return path.join(this.place.homes ?? '/memory', instanceId);
  }

  async #makeHome(instanceId: string): Promise<void> {
    if (this.place.homes !== undefined)
      await mkdir(path.join(this.#home(instanceId), 'workspace'), { recursive: true });
  }

  async #remove(instance: MemoryInstance): Promise<void> {
    await this.place.halt(instance);
    if (this.place.homes !== undefined) await rm(this.#home(instance.identity.id), { recursive: true, force: true });
    this.place.instances.delete(instance.identity.id);
    this.place.changed.fire(instance.identity.id);
  }

  #describe(instance: MemoryInstance): VSCodeInstance {
    const { identity, config, role, running, detail, port } = instance;
    return {
      ...identity,
      providerId: this.id,
      role,
      config,
      status: role === 'trash' ? 'trashed' : running ? 'running' : 'stopped',
      ...(detail === undefined ? {} : { detail }),
      ...(running && port !== undefined ? { port } : {}),
    };
  }
}
