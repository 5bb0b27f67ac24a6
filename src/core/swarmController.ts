import { instanceNotFound, isAbort, providerUnreachable, unknownDefaultProvider, wrongState } from '../model/errors.ts';
import { Emitter } from '../model/event.ts';
import type { InstanceConfigInput, InstanceFilter, InstanceRecord, InstanceUpdate, Owner } from '../model/instance.ts';
import { type OperationContext, quietContext } from '../model/operationContext.ts';
import type {
  CommandResult,
  Endpoint,
  ExecuteOptions,
  InstanceLogs,
  InstanceStats,
  LogOptions,
  Provider,
  TerminalSpec,
} from '../model/provider.ts';
import type { KeyedLock, LockHandle, Quarantined, SecretVault } from '../model/stateStore.ts';
import type { ProviderState, SwarmStatus } from '../model/swarmStatus.ts';
import {
  type Condition,
  checkedConfig,
  checkFit,
  checkSecrets,
  claimName,
  merged,
  place,
  refuseInTrash,
  refuseRevived,
} from './admission.ts';
import { randomId } from './instanceId.ts';
import { InstanceLifecycle, need } from './instanceLifecycle.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { type FoundInstance, Reconciler } from './reconciler.ts';
import { adopted, asked } from './records.ts';
import type { SetupSources } from './workspaceSetup.ts';

export interface SwarmControllerOptions {
  readonly swarmId: string;
  readonly owner: Owner;
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly locks: KeyedLock;
  readonly vault: SecretVault;
  readonly sources: SetupSources;
  /** A provider's id or type, or empty to let placement choose; asked at each create. */
  defaultProviderType(): string;
  /** Off: nothing is shown, adopted or deleted that this window did not make (seed, Load State on Startup). */
  readonly loadStateOnStartup: boolean;
}

/** The swarm's main entry (seed, Swarm Controller): routes what is asked to the provider and keeps the registry true. */
export class SwarmController {
  readonly swarmId: string;
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly #options: SwarmControllerOptions;
  readonly #lifecycle: InstanceLifecycle;
  readonly #reconciler: Reconciler;
  readonly #making = new Map<string, AbortController>();
  readonly #changed = new Emitter<void>();
  readonly #unreadable: Quarantined[] = [];
  /** Anything that a view shows has changed. */
  readonly onDidChange = this.#changed.event;

  constructor(options: SwarmControllerOptions) {
    const { swarmId, registry, providers, locks, vault, sources } = options;
    this.swarmId = swarmId;
    this.registry = registry;
    this.providers = providers;
    this.#options = options;
    this.#lifecycle = new InstanceLifecycle(registry, providers, vault, sources);
    this.#reconciler = new Reconciler(swarmId, registry, providers, locks, (record, step, lock, ctx) =>
      this.#lifecycle.finish(record, step, lock, ctx),
    );
    for (const event of [registry.onDidChange, providers.onDidChange, this.#reconciler.onDidChange]) {
      event(() => this.#changed.fire());
    }
  }

  /** Reads the registry, listens to the providers, and settles what a crash left half done; never waits for a provider. */
  async initialize(): Promise<void> {
    if (!this.#options.loadStateOnStartup) return;
    await this.registry.load();
    this.#reconciler.watch();
    void this.#reconciler.refresh(quietContext);
  }

  /** Keeps in the status that a state file could not be read. Answers whether that was not known. */
  noteUnreadable(found: Quarantined): boolean {
    if (this.#unreadable.some(({ file, reason }) => file === found.file && reason === found.reason)) return false;
    this.#unreadable.push(found);
    this.#changed.fire();
    return true;
  }

  /** Asks the providers now. */
  async refresh(ctx: OperationContext = quietContext, providerId?: string): Promise<void> {
    if (this.#options.loadStateOnStartup) await this.#reconciler.refresh(ctx, providerId);
  }

  async createInstance(
    input: InstanceConfigInput,
    providerType?: string,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<InstanceRecord> {
    const { registry } = this;
    const { vault } = this.#options;
    const config = checkedConfig(input, secrets);
    const provider = place(config, providerType || this.#defaultProvider(), this.providers, registry);
    const id = randomId(12);
    const making = new AbortController();
    const own = { signal: AbortSignal.any([ctx.signal, making.signal]), report: ctx.report };
    this.#making.set(id, making);
    try {
      return await this.#options.locks.run(id, own, async lock => {
        const record = await this.#options.locks.run('names', own, async () => {
          claimName(await registry.readAll(), config.name);
          await vault.store(id, secrets);
          return registry.registerInstance(asked(id, this.swarmId, this.#options.owner, provider.id, config));
        });
        return this.#lifecycle.create(record, lock, own);
      });
    } finally {
      this.#making.delete(id);
    }
  }

  /** Throws `instanceNotFound`. */
  getInstance(instanceId: string): InstanceRecord {
    const record = this.registry.getInstance(instanceId);
    if (!record) throw instanceNotFound(instanceId);
    return record;
  }

  /** By name, then id. */
  listInstances(filter: InstanceFilter = {}): InstanceRecord[] {
    const { provider, status, name, metadata } = filter;
    const named = name === undefined ? this.registry.listInstances() : this.registry.findInstancesByName(name);
    return named
      .filter(record => {
        const type = this.providers.find(record.providerId)?.type;
        return (
          (provider === undefined || record.providerId === provider || type === provider) &&
          (status === undefined || status.includes(record.status)) &&
          Object.entries(metadata ?? {}).every(([key, value]) => record.config.metadata[key] === value)
        );
      })
      .sort(byName);
  }

  startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, (record, lock) => {
      refuseInTrash(record, 'restore it before starting it');
      return this.#lifecycle.start(record, lock, ctx);
    });
  }

  stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, async (record, lock) =>
      record.desired === 'trashed' ? record : this.#lifecycle.stop(record, force, lock, ctx),
    );
  }

  restartInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, async (record, lock) => {
      refuseInTrash(record, 'restore it before starting it');
      return this.#lifecycle.start(await this.#lifecycle.stop(record, false, lock, ctx), lock, ctx);
    });
  }

  /** `secrets` holds values to set; those of variables that are no longer secret are forgotten. */
  updateInstance(
    instanceId: string,
    update: InstanceUpdate,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, async (record, lock) => {
      refuseInTrash(record, 'restore it before changing it');
      const wanted = merged(record.wanted ?? record.config, update);
      checkFit(wanted, this.providers.get(record.providerId));
      const { vault } = this.#options;
      const before = await vault.read(instanceId);
      const known = { ...before, ...secrets };
      // Of those it had, only its provider may know the value, as when it was adopted; it keeps it.
      checkSecrets(
        wanted.secretEnv.filter(name => !record.config.secretEnv.includes(name)),
        known,
      );
      const intend = (current: InstanceRecord): InstanceRecord => ({ ...current, wanted });
      const intended =
        update.name === undefined
          ? await this.registry.updateInstance(instanceId, intend)
          : await this.#named(update.name, record, ctx, intend);
      await vault.store(instanceId, known);
      try {
        return await this.#lifecycle.update(intended, lock, ctx);
      } catch (error) {
        await vault.store(instanceId, before);
        if (isAbort(error)) await this.#lifecycle.takeBack(intended, error);
        throw error;
      }
    });
  }

  /** To the trash, from where `restoreInstance` brings it back (semantics 22). Ends a create that is under way. */
  deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    this.getInstance(instanceId);
    this.#making.get(instanceId)?.abort();
    return this.#locked(instanceId, ctx, async (record, lock) =>
      record.status === 'trashed' ? record : this.#lifecycle.trash(record, lock, ctx),
    );
  }

  restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, async (record, lock) => {
      if (record.desired !== 'trashed')
        throw wrongState(instanceId, record.status, 'only what is in the trash can be restored');
      const hint = 'Give that one another name, then restore this one.';
      const toRestore = (current: InstanceRecord): InstanceRecord => ({ ...current, desired: 'stopped' });
      const intended = await this.#named(record.config.name, record, ctx, toRestore, hint);
      return this.#lifecycle.restore(intended, lock, ctx);
    });
  }

  /** Removes the instance and its home for good. Refused when it is more alive than `seen`, when a person agreed to it. */
  purgeInstance(instanceId: string, ctx: OperationContext = quietContext, seen?: Condition): Promise<void> {
    refuseRevived(this.getInstance(instanceId), seen);
    this.#making.get(instanceId)?.abort();
    return this.#locked(instanceId, ctx, (record, lock) => {
      refuseRevived(record, seen);
      return this.#lifecycle.remove(record, lock, ctx);
    });
  }

  listFound(): FoundInstance[] {
    return this.#reconciler.found();
  }

  /** Takes a found instance into this swarm's registry, as it is (semantics 1). */
  async adoptInstance(
    providerId: string,
    instanceId: string,
    ctx: OperationContext = quietContext,
  ): Promise<InstanceRecord> {
    const provider = this.providers.get(providerId);
    return this.#options.locks.run(instanceId, ctx, async () => {
      const instance = await provider.getInstance(instanceId, ctx);
      if (!instance) throw instanceNotFound(instanceId);
      const record = await this.registry.registerInstance(adopted(instance));
      this.#changed.fire();
      return record;
    });
  }

  getInstanceLogs(instanceId: string, options?: LogOptions, ctx?: OperationContext): Promise<InstanceLogs> {
    return this.#providerOf(instanceId).getInstanceLogs(instanceId, options, ctx);
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const { abilities, id } = this.#providerOf(instanceId);
    await need(abilities.followLogs?.bind(abilities), id, 'follow logs')(instanceId, sink, ctx);
  }

  async executeCommand(instanceId: string, command: string, options?: ExecuteOptions): Promise<CommandResult> {
    return this.#runningProvider(instanceId).executeCommand(instanceId, command, options);
  }

  /** An address that opens the editor with nothing to type. Holds the token: for the person's browser only. */
  async openInstance(
    instanceId: string,
    ctx: OperationContext = quietContext,
  ): Promise<{ url: string; endpoint: Endpoint }> {
    const { abilities } = this.#runningProvider(instanceId);
    const [endpoint, token] = await Promise.all([
      abilities.connect(instanceId, undefined, ctx),
      abilities.readToken(instanceId, ctx),
    ]);
    const query = new URLSearchParams({ tkn: token, folder: abilities.workspacePath(instanceId) });
    return { url: `http://${endpoint.host}:${endpoint.port}/${instanceId}/?${query}`, endpoint };
  }

  async connectPort(instanceId: string, port: number, ctx?: OperationContext): Promise<Endpoint> {
    return this.#runningProvider(instanceId).abilities.connect(instanceId, port, ctx);
  }

  async listPorts(instanceId: string, ctx?: OperationContext): Promise<number[]> {
    const { abilities } = this.#runningProvider(instanceId);
    return (await abilities.listPorts?.(instanceId, ctx)) ?? this.getInstance(instanceId).config.ports;
  }

  async terminal(instanceId: string, ctx?: OperationContext): Promise<TerminalSpec> {
    const { abilities, id } = this.#runningProvider(instanceId);
    return need(abilities.terminal?.bind(abilities), id, 'open terminals')(instanceId, ctx);
  }

  async attachUri(instanceId: string): Promise<{ uri: string; extensionId: string } | undefined> {
    return this.#runningProvider(instanceId).abilities.attachUri?.(instanceId);
  }

  async stats(instanceIds: readonly string[], ctx?: OperationContext): Promise<InstanceStats[]> {
    const byProvider = Map.groupBy(instanceIds, id => this.#providerOf(id));
    const answers = await Promise.all(
      [...byProvider].map(([{ abilities }, ids]) => abilities.stats?.(ids, ctx) ?? Promise.resolve([])),
    );
    return answers.flat();
  }

  getSwarmStatus(): SwarmStatus {
    const records = this.registry.listInstances();
    const byStatus: SwarmStatus['byStatus'] = {};
    for (const { status } of records) byStatus[status] = (byStatus[status] ?? 0) + 1;
    const providers = this.providers.conditions().map(
      ({ reachable, ...condition }): ProviderState => ({
        ...condition,
        reachable: reachable !== false,
        instances: this.registry.getInstanceCount(condition.id),
      }),
    );
    return {
      swarmId: this.swarmId,
      instances: records.length,
      byStatus,
      found: this.listFound().length,
      providers,
      quarantined: this.#unreadable.map(({ file, reason }) => ({ file, reason })),
    };
  }

  /** Ends what runs in this window. Instances go on running. */
  async dispose(): Promise<void> {
    this.#reconciler.dispose();
    await this.registry.dispose();
    await this.providers.dispose();
    this.#changed.dispose();
  }

  /** Changes a record that bears the name from then on, or again. Throws `nameTaken`. */
  #named(
    name: string,
    { id }: InstanceRecord,
    ctx: OperationContext,
    change: (current: InstanceRecord) => InstanceRecord,
    hint?: string,
  ): Promise<InstanceRecord> {
    return this.#options.locks.run('names', ctx, async () => {
      claimName(await this.registry.readAll(), name, id, hint);
      return this.registry.updateInstance(id, change);
    });
  }

  /** `work` gets the record as it is on disk: another window may have changed it while this one waited. */
  #locked<R>(
    instanceId: string,
    ctx: OperationContext,
    work: (record: InstanceRecord, lock: LockHandle) => Promise<R>,
  ): Promise<R> {
    this.getInstance(instanceId);
    return this.#options.locks.run(instanceId, ctx, async lock =>
      work(await this.registry.readInstance(instanceId), lock),
    );
  }

  /** An id or a type, or empty. Throws `unknownDefaultProvider`. */
  #defaultProvider(): string {
    const wanted = this.#options.defaultProviderType();
    if (wanted && !this.providers.knows(wanted)) throw unknownDefaultProvider(wanted, this.providers.ids());
    return wanted;
  }

  #providerOf(instanceId: string): Provider {
    return this.providers.get(this.getInstance(instanceId).providerId);
  }

  #runningProvider(instanceId: string): Provider {
    const { status, providerId } = this.getInstance(instanceId);
    if (status === 'unknown') {
      const { problem, hint } = this.providers.condition(providerId) ?? {};
      throw providerUnreachable(providerId, problem ?? 'its state is not known', hint ?? 'Refresh, and try again.');
    }
    if (status !== 'running') throw wrongState(instanceId, status, 'start it first');
    return this.providers.get(providerId);
  }
}

const byName = (a: InstanceRecord, b: InstanceRecord) =>
  a.config.name.localeCompare(b.config.name) || a.id.localeCompare(b.id);
