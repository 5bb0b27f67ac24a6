import type { MigrationConfig } from '../../model/config.ts';
import {
  instanceNotFound,
  isAbort,
  migrationRefused,
  migrationsOff,
  recoveryRefused,
  timedOut,
} from '../../model/errors.ts';
import type { Event } from '../../model/event.ts';
import type { HomeDifference } from '../../model/homeArchive.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { Migration, MigrationStrategy } from '../../model/migration.ts';
import {
  type LockedContext,
  type OperationContext,
  quietContext,
  uncancelled,
  underLock,
  withSignal,
  withTimeout,
} from '../../model/operationContext.ts';
import type { InstanceObservation, Provider } from '../../model/provider.ts';
import type { KeyedLock, ObserverLease } from '../../model/stateStore.ts';
import { Backoff } from '../backoff.ts';
import { randomId } from '../instanceId.ts';
import type { ObservedTime } from '../observedTime.ts';
import { refuseForgetting } from '../onlyThere.ts';
import { instanceError, timestamp } from '../records.ts';
import {
  planOf,
  refugeOf,
  refuseLossy,
  refuseTarget,
  refuseUnmovable,
  roomAt,
  secretsLeft,
} from './migrationPlanner.ts';
import { interrupted, MigrationRun, type MigrationWorld } from './migrationRun.ts';
import {
  awaitsOther,
  freshSteps,
  isKeptAt,
  isOverdue,
  isOvertaken,
  isToClear,
  isToSettle,
  nextAct,
  overtaken,
} from './migrationSteps.ts';
import { beginTimes, ParkedCopies } from './parkedCopies.ts';
import { clearEnds, forgetCopies, isStrayCopy, settleStray } from './strayCopies.ts';

export interface MigrationManagerOptions extends MigrationWorld {
  readonly locks: KeyedLock;
  readonly lease: ObserverLease;
  readonly time: ObservedTime;
  /** Asked at each use. */
  config(): MigrationConfig;
}

/**
 * Moves instances, with every byte of their homes, between providers (seed, Migration Manager; semantics 15 to 21). The
 * window that starts a migration carries it out; what it leaves unfinished the observer ends, one way or the other.
 */
export class MigrationManager {
  readonly #options: MigrationManagerOptions;
  readonly #disposed = new AbortController();
  /** Those that this window carries out now, and how to stop them. */
  readonly #running = new Map<string, AbortController>();
  readonly #parked: ParkedCopies;
  readonly #backoff = new Backoff();
  #settling: Promise<void> | undefined;
  /** A migration, whose id this is, has changed in any window. */
  readonly onDidChange: Event<string>;

  constructor(options: MigrationManagerOptions) {
    this.#options = options;
    this.#parked = new ParkedCopies(options);
    this.onDidChange = options.book.onDidChange;
    this.onDidChange(id => {
      const { cancelRequested, pivotedAt } = options.book.get(id) ?? {};
      if (cancelRequested && pivotedAt === undefined) this.#running.get(id)?.abort();
    });
    options.lease.onDidChange(() => void this.settleAll());
  }

  /** Reads what there is, and follows other windows. */
  async load(): Promise<void> {
    await this.#options.book.load();
  }

  /**
   * What it would take to move the instance to a provider, named by id or type. Changes nothing but the list of plans,
   * in which it takes the place of what was planned before.
   */
  async createMigrationPlan(
    instanceId: string,
    targetProviderType: string,
    strategy: MigrationStrategy = this.#options.config().defaultStrategy,
    ctx: OperationContext = quietContext,
  ): Promise<Migration> {
    const { book } = this.#options;
    const plan = await this.#plan(instanceId, targetProviderType, strategy, ctx);
    for (const { id } of this.#ofInstance(instanceId, 'pending')) await book.forget(id);
    return book.add(plan);
  }

  /**
   * Carries a plan out and resolves when it has ended, whatever came of it; the migration tells. Cancelling the context
   * cancels the migration, until its pivot.
   */
  async startMigration(migrationId: string, ctx: OperationContext = quietContext): Promise<Migration> {
    const { book, locks, config, registry } = this.#options;
    if (!config().enabled) throw migrationsOff();
    const { instanceId } = this.#plannedOf(this.getMigrationStatus(migrationId));
    if (this.#running.has(migrationId)) {
      const what = `Starting the migration "${migrationId}"`;
      throw migrationRefused(what, 'It has begun.', 'Wait for its end, or cancel it.');
    }
    const cancel = new AbortController();
    this.#running.set(migrationId, cancel);
    const own = withSignal(withSignal(ctx, cancel.signal), this.#disposed.signal);
    try {
      return await locks.run(instanceId, own, async ctx => {
        this.#refuseSecond(instanceId);
        this.#plannedOf(await book.read(migrationId));
        await refuseLossy(await registry.readInstance(instanceId), this.#options.vault, ctx);
        return this.#carryOut(migrationId, ctx);
      });
    } finally {
      this.#running.delete(migrationId);
    }
  }

  /** Ends a migration before its pivot; who carries it out takes everything back. Throws `migrationRefused` after it. */
  async cancelMigration(migrationId: string): Promise<Migration> {
    return this.#options.book.update(migrationId, current => {
      if (current.status === 'pending') return { ...current, status: 'cancelled', endedAt: timestamp() };
      if (current.status === 'in-progress' && current.pivotedAt === undefined)
        return { ...current, cancelRequested: true };
      const problem = current.pivotedAt === undefined ? `It is ${current.status}.` : 'The target is the owner already.';
      throw migrationRefused(`Cancelling the migration "${migrationId}"`, problem, 'To have it back, migrate back.');
    });
  }

  /** Throws `migrationNotFound`. */
  getMigrationStatus(migrationId: string): Migration {
    return this.#options.book.known(migrationId);
  }

  /** The youngest first. */
  listMigrations(): Migration[] {
    return this.#options.book.list();
  }

  /** Removes the parked copy for good, before its time. Throws `migrationRefused` when there is none, or not `place` has it. */
  cleanUp(migrationId: string, ctx: OperationContext = quietContext, place?: string): Promise<Migration> {
    return this.#parked.cleanUp(migrationId, ctx, place);
  }

  /**
   * Makes the parked copy the owner again, as it was at the pivot. The other copy is parked in its place, with what was
   * changed since. Throws `migrationRefused` when there is none.
   */
  rollBack(migrationId: string, ctx: OperationContext = quietContext): Promise<Migration> {
    return this.#parked.rollBack(migrationId, ctx);
  }

  /** In what the parked copy differs from the instance. Throws `migrationRefused` when there is none. */
  compareParked(migrationId: string, ctx: OperationContext = quietContext): Promise<HomeDifference> {
    return this.#parked.compare(migrationId, ctx);
  }

  /** Whether there is a provider that the instance can be migrated to, without loss. Rejects while it can't be told. */
  async canMigrate(record: InstanceRecord): Promise<boolean> {
    if (!this.#options.config().enabled || refugeOf(record, this.#options) === undefined) return false;
    refuseUnmovable(record);
    return (await secretsLeft(record, this.#options.vault)).length === 0;
  }

  /** Plans and carries out a migration to the provider that fits best. Rejects when it does not end there. */
  async migrate(instanceId: string, ctx: OperationContext): Promise<InstanceRecord> {
    const { registry, book, vault, config } = this.#options;
    const record = registry.getInstance(instanceId);
    if (!record) throw instanceNotFound(instanceId);
    const refuge = refugeOf(record, this.#options);
    const what = `The migration of "${instanceId}"`;
    if (refuge === undefined) throw recoveryRefused(instanceId, 'There is no provider that it can be migrated to.');
    // Nobody reads this plan, which would say so.
    const hint = 'A person may plan it in the Instances view, and agree to that.';
    refuseForgetting(what, await secretsLeft(record, vault), hint);
    // What a person reads and is about to agree to stays in the list.
    const { id } = await book.add(await this.#plan(instanceId, refuge, config().defaultStrategy, ctx));
    const now = await registry.readInstance(instanceId);
    if (now.status === 'running' && now.statusSince > record.statusSince) {
      await this.cancelMigration(id);
      throw recoveryRefused(instanceId, 'Somebody has started it meanwhile.');
    }
    const { status, error } = await this.startMigration(id, ctx);
    ctx.signal.throwIfAborted();
    if (status === 'completed') return registry.readInstance(instanceId);
    throw migrationRefused(what, error?.message ?? `It is ${status}.`, `See get_migration_status of "${id}".`);
  }

  /**
   * For whoever holds the instance's lock, before anything else is done with it: what was left unfinished is ended, but
   * not of what is deleted for good. What the owner's provider does not let it end now holds nothing up. Rejects only
   * when it is not certain who the owner is, or a copy that is rolled back to can't be had.
   */
  async settle(instanceId: string, ctx: LockedContext): Promise<void> {
    const { registry, book } = this.#options;
    const record = await registry.readInstance(instanceId);
    if (record.desired === 'absent' || record.overruled) return;
    for (const { id } of this.#ofInstance(instanceId)) {
      const migration = await book.read(id);
      const act = nextAct(migration);
      const run = new MigrationRun(this.#options, id);
      if (act === 'undo') await this.#undo(run, id, interrupted(), ctx);
      if (act !== 'go-on') continue;
      if (isOvertaken(migration, record.epoch)) await book.update(id, underLock(ctx, overtaken));
      else if (awaitsOther(migration)) continue;
      else if (migration.rolledBackAt !== undefined) await run.goOn(ctx);
      else {
        await run.follow(ctx);
        await run.goOn(ctx).catch(() => {
          ctx.signal.throwIfAborted();
          ctx.lock.assertHeld();
        });
      }
    }
  }

  /** Of an instance that goes for good nothing stays where it was: what can't be removed now the observer removes later. */
  forgetInstance(instanceId: string, ctx: LockedContext): Promise<void> {
    return forgetCopies(this.#options, instanceId, ctx);
  }

  /** Whether an instance was deleted for good, in any window, so that what is still seen of it is no instance. */
  async isRemoved(instanceId: string): Promise<boolean> {
    const migrations = await this.#options.book.readAll();
    return migrations.some(each => each.instanceId === instanceId && each.instanceRemovedAt !== undefined);
  }

  /** What the observer does now and then: ends what is unfinished, and cleans up what was parked long enough. Never rejects. */
  settleAll(): Promise<void> {
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** What the observer does about copies, on a provider, of instances that live elsewhere. Never rejects. */
  async settleStrays(provider: Provider, seen: ReadonlyMap<string, InstanceObservation>): Promise<void> {
    const { registry, locks, lease, book } = this.#options;
    const ctx = { signal: this.#disposed.signal, report: () => {} };
    for (const observation of seen.values()) {
      const isStray = isStrayCopy(observation, registry.getInstance(observation.id), provider.id);
      const isUnderWay = () =>
        this.#ofInstance(observation.id).some(
          migration => nextAct(migration) !== 'nothing' && !isOvertaken(migration, observation.epoch),
        );
      const isKnown = () =>
        observation.role === 'parked' && book.list().some(each => isKeptAt(each, observation.id, provider.id));
      if (!isStray || isKnown() || isUnderWay() || !lease.isHeld() || (await locks.isHeld(observation.id))) continue;
      try {
        await locks.run(observation.id, ctx, async ctx => {
          if (!isUnderWay()) await settleStray(this.#options, provider, observation, ctx);
        });
      } catch {
        // It is as it was, and the next look tries again.
      }
    }
  }

  async dispose(): Promise<void> {
    this.#disposed.abort();
    await this.#settling;
    this.#options.book.dispose();
  }

  async #plan(
    instanceId: string,
    targetProviderType: string,
    strategy: MigrationStrategy,
    ctx: OperationContext,
  ): Promise<Migration> {
    const { registry, providers, carrier, vault, config } = this.#options;
    if (!config().enabled) throw migrationsOff();
    const record = registry.getInstance(instanceId);
    if (!record) throw instanceNotFound(instanceId);
    this.#refuseSecond(instanceId);
    refuseUnmovable(record);
    const source = providers.get(record.providerId);
    const target = providers.resolve(targetProviderType);
    await refuseTarget(record, source, target, registry.getInstanceCount(target.id), carrier, ctx);
    const home = await carrier.look(source, instanceId, ctx);
    const free = await roomAt(target, home, instanceId, ctx);
    const unknown = await secretsLeft(record, vault);
    return {
      id: randomId(12),
      schemaVersion: 1,
      revision: 0,
      instanceId,
      swarmId: record.swarmId,
      instanceName: record.config.name,
      sourceProviderId: source.id,
      targetProviderId: target.id,
      strategy,
      status: 'pending',
      plan: planOf(record, strategy, home, source, unknown, free),
      steps: freshSteps(strategy),
      createdAt: timestamp(),
      wasRunning: record.desired === 'running',
      sourceEpoch: record.epoch,
      leftovers: [],
    };
  }

  async #settleAll(): Promise<void> {
    const { time, book, lease, locks, registry } = this.#options;
    const ctx = { signal: this.#disposed.signal, report: () => {} };
    await beginTimes(book, time.now());
    for (const { id, instanceId } of book.list().filter(each => isToSettle(each, time.now()))) {
      if (!lease.isHeld() || ctx.signal.aborted || !this.#backoff.isDue(id) || (await locks.isHeld(instanceId)))
        continue;
      const settle = () =>
        locks.run(instanceId, ctx, async ctx => {
          const record = await registry.findInstance(instanceId);
          if (record) await this.settle(instanceId, ctx);
          if (record?.overruled?.by === 'provider') return;
          const now = await book.read(id);
          if (isToClear(now)) await clearEnds(this.#options, now, ctx);
          else if (awaitsOther(now) && !record?.overruled) await new MigrationRun(this.#options, id).goOn(ctx);
          else if (isOverdue(now, time.now())) await this.#parked.remove(now, ctx);
        });
      // It is as it was, and a later look at a provider tries again.
      await this.#backoff.run(id, settle).catch(() => {});
    }
  }

  async #carryOut(migrationId: string, ctx: LockedContext): Promise<Migration> {
    const { book, config } = this.#options;
    const run = new MigrationRun(this.#options, migrationId);
    const after = withSignal({ ...uncancelled(ctx), report: ctx.report }, this.#disposed.signal);
    const most = config().timeout * 1000;
    try {
      await run.reachPivot(withTimeout(ctx, most));
    } catch (error) {
      this.#disposed.signal.throwIfAborted();
      const reason = isTimeOut(error) ? timedOut('The migration', most) : error;
      if ((await book.read(migrationId)).pivotedAt === undefined) {
        await this.#undo(run, migrationId, reason, after, ctx.signal.aborted);
        return book.read(migrationId);
      }
    }
    // A provider that fails now is asked again by the observer.
    await run.goOn(after).catch(() => {});
    return book.read(migrationId);
  }

  /** Takes everything back. What can't be taken back now is tried again by the observer. */
  async #undo(
    run: MigrationRun,
    migrationId: string,
    reason: unknown,
    ctx: LockedContext,
    cancelled = isAbort(reason),
  ): Promise<void> {
    const why = cancelled ? { cancelRequested: true } : { error: instanceError(reason) };
    const tell = (current: Migration) => (current.cancelRequested || current.error ? current : { ...current, ...why });
    await this.#options.book.update(migrationId, underLock(ctx, tell));
    await run.undo(ctx).catch(() => ctx.signal.throwIfAborted());
  }

  #ofInstance(instanceId: string, status?: Migration['status']): Migration[] {
    return this.listMigrations().filter(
      migration => migration.instanceId === instanceId && (status === undefined || migration.status === status),
    );
  }

  /** Throws `migrationRefused` while another migration of it is not at its end. */
  #refuseSecond(instanceId: string): void {
    const other = this.#ofInstance(instanceId).find(migration => nextAct(migration) !== 'nothing');
    if (!other) return;
    const hint = 'Wait for its end, or cancel it.';
    throw migrationRefused(`Another migration of "${instanceId}"`, `The migration "${other.id}" is under way.`, hint);
  }

  #plannedOf(migration: Migration): Migration {
    if (migration.status === 'pending') return migration;
    const hint = 'Make a new plan with create_migration_plan.';
    throw migrationRefused(`Starting the migration "${migration.id}"`, `It is ${migration.status}.`, hint);
  }
}

const isTimeOut = (error: unknown) => error instanceof Error && error.name === 'TimeoutError';
