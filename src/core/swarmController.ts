import { instanceNotFound, recoveryRefused, unknownDefaultProvider, wrongState } from '../model/errors.ts';
import { Emitter } from '../model/event.ts';
import type { InstanceHealth, RecoveryRung } from '../model/health.ts';
import type {
  InstanceConfig,
  InstanceConfigInput,
  InstanceFilter,
  InstanceRecord,
  InstanceUpdate,
} from '../model/instance.ts';
import {
  type LockedContext,
  type OperationContext,
  quietContext,
  underLock,
  withSignal,
} from '../model/operationContext.ts';
import type { SetupConsent } from '../model/setupConsent.ts';
import type { Quarantined, StateClaim } from '../model/stateStore.ts';
import type { SwarmStatus } from '../model/swarmStatus.ts';
import {
  admittedSource,
  type Condition,
  checkedConfig,
  place,
  refuseElsewhere,
  refuseInTrash,
  refuseRevived,
} from './admission.ts';
import { BegunRemovals } from './begunRemovals.ts';
import { filtered } from './filteredInstances.ts';
import { keepGiven } from './givenSecrets.ts';
import { HealthMonitor } from './health/healthMonitor.ts';
import { mildestRung, refusal } from './health/recoveryLadder.ts';
import { InstanceAccess } from './instanceAccess.ts';
import { randomId } from './instanceId.ts';
import { type ForgetElsewhere, InstanceLifecycle } from './instanceLifecycle.ts';
import { InstanceNames } from './instanceNames.ts';
import { type FoundAsShown, InstanceOwnership } from './instanceOwnership.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { InstanceUpdates } from './instanceUpdates.ts';
import { MigrationManager } from './migration/migrationManager.ts';
import { refuseOverruled } from './overruling.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { type FoundInstance, Reconciler } from './reconciler.ts';
import { type AskedBeside, asked, chosenImages, notKept } from './records.ts';
import type { SecretMasks } from './secretMasks.ts';
import { SharedConditions } from './sharedConditions.ts';
import { SnapshotBook } from './snapshots/snapshotBook.ts';
import { SnapshotManager } from './snapshots/snapshotManager.ts';
import { StrayHomes } from './strayHomes.ts';
import type { SwarmControllerOptions } from './swarmControllerOptions.ts';
import { swarmStatusOf } from './swarmStatusOf.ts';

/** The swarm's main entry (seed, Swarm Controller): routes what is asked to the provider and keeps the registry true. */
export class SwarmController {
  readonly swarmId: string;
  readonly registry: InstanceRegistry;
  readonly claim: StateClaim;
  readonly providers: ProviderDirectory;
  readonly health: HealthMonitor;
  readonly conditions: SharedConditions;
  readonly access: InstanceAccess;
  readonly ownership: InstanceOwnership;
  readonly masks: SecretMasks;
  readonly strayHomes: StrayHomes;
  readonly migrations: MigrationManager;
  readonly snapshots: SnapshotManager;
  readonly #options: SwarmControllerOptions;
  readonly #lifecycle: InstanceLifecycle;
  readonly #names: InstanceNames;
  readonly updates: InstanceUpdates;
  readonly #reconciler: Reconciler;
  readonly #removals: BegunRemovals;
  readonly #changed = new Emitter<void>();
  readonly #unreadable: Quarantined[] = [];
  /** Anything that a view shows has changed. */
  readonly onDidChange = this.#changed.event;

  constructor(options: SwarmControllerOptions) {
    const { swarmId, registry, providers, locks, vault, sources, masks, lease, time, homeKeeper: keeper } = options;
    this.swarmId = swarmId;
    this.registry = registry;
    this.claim = options.claim;
    this.providers = providers;
    this.masks = masks;
    this.#options = options;
    this.ownership = new InstanceOwnership(options, (...of) => this.refresh(...of));
    this.access = new InstanceAccess(registry, providers, vault, masks);
    this.strayHomes = new StrayHomes({ swarmId, registry, providers, locks, vault, book: options.migrationBook });
    const forgetElsewhere: ForgetElsewhere = async (instanceId, ctx) => {
      await this.snapshots.forgetInstance(instanceId, ctx);
      await this.migrations.forgetInstance(instanceId, ctx);
    };
    this.#lifecycle = new InstanceLifecycle(registry, providers, vault, sources, masks, forgetElsewhere);
    this.#names = new InstanceNames(registry, locks);
    this.updates = new InstanceUpdates({ registry, providers, vault, lifecycle: this.#lifecycle, names: this.#names });
    this.#reconciler = new Reconciler({
      ...{ swarmId, registry, providers, locks },
      isRemoved: instanceId => this.migrations.isRemoved(instanceId),
      finish: async (record, step, ctx) => {
        await this.migrations.settle(record.id, ctx);
        if (step === 'bring-back') await this.snapshots.finish(await registry.readInstance(record.id), ctx);
        else await this.#lifecycle.finish(record, step, ctx);
      },
    });
    this.#removals = new BegunRemovals(
      { ...{ swarmId, registry, locks }, lease: options.lease },
      this.#reconciler.onDidObserve,
    );
    this.migrations = new MigrationManager({
      ...{ registry, providers, locks, vault, masks, lifecycle: this.#lifecycle, lease, time },
      ...{ book: options.migrationBook, carrier: options.homes },
      config: () => options.migrationConfig(),
    });
    this.#reconciler.onDidObserve(({ provider, seen }) => {
      void this.migrations.settleAll();
      void this.snapshots.settle();
      if (seen) void this.migrations.settleStrays(provider, seen);
    });
    this.snapshots = new SnapshotManager({
      ...{ registry, providers, vault, lifecycle: this.#lifecycle, carrier: options.homes, keeper },
      book: new SnapshotBook({ records: options.snapshotBook, keeper, locks, lease, time, masks }),
      ...{ migrationBook: options.migrationBook, time },
      create: (...asked) => this.createInstance(...asked),
      locked: (instanceId, ctx, work) => this.#locked(instanceId, ctx, work),
    });
    this.health = new HealthMonitor({
      ...{ registry, providers, locks, reconciler: this.#reconciler },
      ...{ book: options.healthBook, lease: options.lease, recover: options.recover },
      canMigrate: record => this.migrations.canMigrate(record),
      config: () => options.healthConfig(),
    });
    const { health } = this;
    this.conditions = new SharedConditions({
      ...{ book: options.providerBook, lease: options.lease, providers, reconciler: this.#reconciler, health },
    });
    for (const event of [
      registry.onDidChange,
      options.claim.onDidChange,
      providers.onDidChange,
      this.#reconciler.onDidChange,
      health.onDidChange,
      this.conditions.onDidChange,
      this.migrations.onDidChange,
    ]) {
      event(() => this.#changed.fire());
    }
  }

  /**
   * Reads the state, and shows it. Once it is this window's turn to observe it asks the providers, and settles what a
   * crash left half done; until then it asks none.
   */
  async initialize(): Promise<void> {
    if (!this.#options.loadStateOnStartup) return;
    await this.registry.load();
    await this.conditions.load();
    await this.migrations.load();
    await this.snapshots.load();
    await this.health.start();
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

  /** `restoring`: the snapshot that its home is to become then. Without `consent` nobody is asked for a credential. */
  async createInstance(
    input: InstanceConfigInput,
    providerType?: string,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
    { consent, ...beside }: Partial<AskedBeside> & { consent?: SetupConsent | undefined } = {},
  ): Promise<InstanceRecord> {
    const { registry } = this;
    const { vault } = this.#options;
    const asGiven = checkedConfig(input, secrets);
    const provider = place(asGiven, providerType || this.#defaultProvider(), this.providers, registry);
    const { config, outside } = await admittedSource(asGiven, provider.id, this.#options.sources, ctx, consent);
    const id = randomId(12);
    const making = new AbortController();
    const own = withSignal(ctx, making.signal);
    this.#options.creations.set(id, making);
    try {
      return await this.#options.locks.run(id, own, async ctx => {
        const record = await this.#names.give(config.name, ctx, async ctx => {
          const first = asked(id, this.swarmId, this.#options.owner, provider.id, config, {
            ...{ byPerson: consent?.isLasting ?? false, outside, personsImages: chosenImages(ctx, config), ...beside },
          });
          return registry.registerInstance(first, ctx);
        });
        await keepGiven(registry, vault, record, secrets, ctx);
        return this.#lifecycle.create(record, ctx, consent);
      });
    } finally {
      this.#options.creations.delete(id);
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
    return filtered(this.registry, this.providers, filter);
  }

  startInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.snapshots.whole(instanceId, ctx, (record, ctx) => {
      refuseInTrash(record, 'restore it before starting it');
      return this.#lifecycle.start(record, ctx);
    });
  }

  /** Of a first start that is under way the rest is given up. */
  async stopInstance(instanceId: string, force = false, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    await this.#lifecycle.giveUpSetup(instanceId);
    return this.#locked(instanceId, ctx, async (record, ctx) =>
      record.desired === 'trashed' || record.desired === 'absent' ? record : this.#lifecycle.stop(record, force, ctx),
    );
  }

  restartInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.snapshots.whole(instanceId, ctx, async (record, ctx) => {
      refuseInTrash(record, 'restore it before starting it');
      return this.#lifecycle.restart(record, false, ctx);
    });
  }

  /** `secrets` holds values to set; those of variables that are no longer secret are forgotten. */
  updateInstance(
    instanceId: string,
    update: InstanceUpdate,
    ctx: OperationContext = quietContext,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<InstanceRecord> {
    return this.snapshots.whole(instanceId, ctx, (record, ctx) => this.updates.update(record, update, secrets, ctx));
  }

  /** Makes it again what it would be had only persons changed it; their later changes hold (semantics 45). */
  undoAgentChanges(
    instanceId: string,
    ctx: OperationContext = quietContext,
    agreed?: InstanceConfig,
  ): Promise<InstanceRecord> {
    return this.snapshots.whole(instanceId, ctx, (record, own) => this.updates.undoAgents(record, own, agreed));
  }

  /** To the trash, from where `restoreInstance` brings it back (semantics 22). Ends a create that is under way. */
  async deleteInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    this.getInstance(instanceId);
    this.#options.creations.get(instanceId)?.abort();
    await this.#lifecycle.giveUpSetup(instanceId);
    return this.#locked(instanceId, ctx, async (record, ctx) =>
      record.status === 'trashed' || record.desired === 'absent' ? record : this.#lifecycle.trash(record, ctx),
    );
  }

  restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceRecord> {
    return this.#locked(instanceId, ctx, async (record, ctx) => {
      if (record.desired !== 'trashed')
        throw wrongState(instanceId, record.status, 'only what is in the trash can be restored');
      const hint = 'Give that one another name, then restore this one.';
      const wanted = (current: InstanceRecord): InstanceRecord => ({ ...notKept(current), desired: 'stopped' });
      const toRestore = (ctx: LockedContext) => this.registry.updateInstance(instanceId, underLock(ctx, wanted));
      const intended = await this.#names.give(record.config.name, ctx, toRestore, instanceId, hint);
      return this.#lifecycle.restore(intended, ctx);
    });
  }

  /** Removes the instance and its home for good. Refused when it is more alive than `seen`, when a person agreed to it. */
  async purgeInstance(instanceId: string, ctx: OperationContext = quietContext, seen?: Condition): Promise<void> {
    refuseRevived(this.getInstance(instanceId), seen);
    this.#options.creations.get(instanceId)?.abort();
    await this.#lifecycle.giveUpSetup(instanceId);
    // Both ends of a migration go: none is settled before, as its target may never answer again.
    return this.#options.locks.run(instanceId, ctx, async ctx => {
      const record = refuseOverruled(await this.registry.readInstance(instanceId));
      refuseRevived(refuseElsewhere(record), seen);
      await this.ownership.prove(record, ctx);
      return this.#lifecycle.remove(record, ctx);
    });
  }

  /** All four checks, now (seed). Throws `wrongState` for an instance that is not wanted running. */
  checkInstanceHealth(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceHealth> {
    this.getInstance(instanceId);
    return this.health.check(instanceId, ctx);
  }

  /**
   * One act of recovery, the mildest that may help unless `rung` is named; no budget binds it (seed; semantics 14). What
   * is made anew is kept as a snapshot before, unless `unkept`. Throws `recoveryRefused`, `homeNotKept`.
   */
  async recoverInstance(
    instanceId: string,
    rung?: RecoveryRung,
    ctx: OperationContext = quietContext,
    unkept = false,
  ): Promise<InstanceRecord> {
    if (rung === 'migrate') {
      refuseInTrash(refuseOverruled(this.getInstance(instanceId)), 'restore it before recovering it');
      // It takes the lock itself.
      return this.migrations.migrate(instanceId, ctx);
    }
    const { statusSince } = this.getInstance(instanceId);
    return this.snapshots.whole(instanceId, ctx, async (record, ctx) => {
      refuseInTrash(record, 'restore it before recovering it');
      const hasHome = await this.providers.get(record.providerId).abilities.hasHome(instanceId, ctx);
      const wanted = rung ?? mildestRung(record);
      const why = refusal(wanted, { record, hasHome, canMigrate: false, statusSince });
      if (why !== undefined) throw recoveryRefused(instanceId, why);
      if (wanted === 'restart') return this.#lifecycle.restart(record, true, ctx);
      if (!unkept) await this.snapshots.keepBefore(record, ctx);
      return this.#lifecycle.recreate(record, ctx);
    });
  }

  async resetCrashLoop(instanceId: string): Promise<void> {
    await this.health.resetCrashLoop(this.getInstance(instanceId).id);
  }

  async pauseMonitoring(instanceId: string, paused: boolean): Promise<void> {
    await this.health.pause(this.getInstance(instanceId).id, paused);
  }

  listFound(): FoundInstance[] {
    return this.#reconciler.found();
  }

  /** Makes a found instance this swarm's, as it is (semantics 1, 40), and as {@link FoundAsShown} a person agreed to. */
  async adoptInstance(
    providerId: string,
    instanceId: string,
    ctx: OperationContext = quietContext,
    agreed?: FoundAsShown,
  ): Promise<InstanceRecord> {
    const found = this.listFound().find(each => each.providerId === providerId && each.observation.id === instanceId);
    const record = await this.ownership.adopt(providerId, instanceId, found?.observation, ctx, agreed);
    this.#changed.fire();
    return record;
  }

  getSwarmStatus(): SwarmStatus {
    const facts = [this.registry.listInstances(), this.providers.conditions(), this.listFound().length] as const;
    return swarmStatusOf(this.swarmId, ...facts, this.#unreadable);
  }

  /** Ends what runs in this window. Instances go on running. */
  async dispose(): Promise<void> {
    await this.#options.time.dispose();
    this.#removals.dispose();
    await this.migrations.dispose();
    this.snapshots.dispose();
    await this.health.dispose();
    this.conditions.dispose();
    this.access.endpoints.dispose();
    this.#reconciler.dispose();
    await this.registry.dispose();
    await this.providers.dispose();
    this.#changed.dispose();
  }

  /** `work` gets the record as it is on disk: another window may have changed it while this one waited. */
  #locked<R>(
    instanceId: string,
    ctx: OperationContext,
    work: (record: InstanceRecord, ctx: LockedContext) => Promise<R>,
  ): Promise<R> {
    this.getInstance(instanceId);
    return this.#options.locks.run(instanceId, ctx, async ctx => {
      refuseOverruled(await this.registry.readInstance(instanceId));
      await this.migrations.settle(instanceId, ctx);
      await ctx.permit?.(instanceId);
      return work(refuseElsewhere(await this.registry.readInstance(instanceId)), ctx);
    });
  }

  /** An id or a type, or empty. Throws `unknownDefaultProvider`. */
  #defaultProvider(): string {
    const wanted = this.#options.defaultProviderType();
    if (wanted && !this.providers.knows(wanted)) throw unknownDefaultProvider(wanted, this.providers.ids());
    return wanted;
  }
}
