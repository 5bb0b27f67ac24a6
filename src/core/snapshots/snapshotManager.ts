import { isAbort, SwarmError, wrongState } from '../../model/errors.ts';
import {
  failOverRefused,
  homeNotAsKept,
  homeNotKept,
  restoreCutOff,
  snapshotNotFound,
} from '../../model/homeErrors.ts';
import type { InstanceConfigInput, InstanceRecord } from '../../model/instance.ts';
import {
  type LockedContext,
  type OperationContext,
  uncancelled,
  underLock,
  withTimeout,
} from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';
import type { FailedSnapshot, Snapshot, SnapshotKind } from '../../model/snapshot.ts';
import type { LockedVault } from '../../model/stateStore.ts';
import { refuseInTrash } from '../admission.ts';
import { getTwice } from '../getTwice.ts';
import type { InstanceLifecycle } from '../instanceLifecycle.ts';
import type { InstanceRegistry } from '../instanceRegistry.ts';
import type { HomeCarrier } from '../migration/homeCarrier.ts';
import type { MigrationBook } from '../migration/migrationBook.ts';
import { refuseTarget, secretsLeft } from '../migration/migrationPlanner.ts';
import { aboutToChange, makeOwner } from '../migration/migrationRun.ts';
import { isCopyInRole, nextEpoch } from '../migration/migrationSteps.ts';
import { parkedBy } from '../migration/strayCopies.ts';
import type { ObservedTime } from '../observedTime.ts';
import type { ProviderDirectory } from '../providerDirectory.ts';
import { type AskedBeside, asCopied, claimed, pulling, specOf, withError, withStatus } from '../records.ts';
import { timeLeft, untilDecided } from '../retention.ts';
import { agreedSnapshot, type FailOverPlan } from './failOverPlan.ts';
import type { HomeKeeper } from './homeKeeper.ts';
import type { SnapshotBook } from './snapshotBook.ts';
import { superfluous } from './snapshotRetention.ts';

/** How long the undoing of what failed may take. */
const undoMilliseconds = 60_000;
/** How long a provider that did not answer is asked whether it does now. */
const askMilliseconds = 5_000;

export interface SnapshotManagerOptions {
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly lifecycle: InstanceLifecycle;
  readonly vault: LockedVault;
  readonly carrier: HomeCarrier;
  readonly keeper: HomeKeeper;
  readonly book: SnapshotBook;
  readonly migrationBook: MigrationBook;
  readonly time: ObservedTime;
  create(
    input: InstanceConfigInput,
    providerType: string,
    ctx: OperationContext,
    secrets: Readonly<Record<string, string>>,
    beside: AskedBeside,
  ): Promise<InstanceRecord>;
  /** Runs `work` on an instance whose lock is held, and of which nothing is left unfinished. */
  locked<R>(
    instanceId: string,
    ctx: OperationContext,
    work: (record: InstanceRecord, ctx: LockedContext) => Promise<R>,
  ): Promise<R>;
}

/** Keeps homes as they were, and brings them back, into their own instance or into a new one on any provider. */
export class SnapshotManager {
  readonly #options: SnapshotManagerOptions;

  constructor(options: SnapshotManagerOptions) {
    this.#options = options;
  }

  load(): Promise<void> {
    return this.#options.book.load();
  }

  /** The youngest first. */
  listSnapshots(instanceId?: string): Snapshot[] {
    return this.#options.book.list(instanceId);
  }

  /** What could not be kept, and why: of each instance the last try, when that failed. */
  listFailed(instanceId?: string): FailedSnapshot[] {
    return this.#options.book.failed(instanceId);
  }

  /** What the observer does now and then: of what was not kept whole, or is to be forgotten, nothing is left. Never rejects. */
  settle(): Promise<void> {
    return this.#options.book.settle();
  }

  /** Ids of instances that were not kept for so many milliseconds, have run meanwhile, and can be kept now. */
  due(milliseconds: number): string[] {
    const { registry, providers, carrier, time } = this.#options;
    const now = time.now() ?? 0;
    const latest = new Date(Date.now() - milliseconds).toISOString();
    const youngest = Map.groupBy(this.listSnapshots(), ({ instanceId }) => instanceId);
    return registry.listInstances().flatMap(record => {
      const provider = providers.find(record.providerId);
      const [last] = youngest.get(record.id) ?? [];
      const keptAt = last?.takenAt ?? record.createdAt;
      const hasRun = record.status === 'running' || (record.status === 'stopped' && record.statusSince > keptAt);
      // One of the future tells only of a clock that was wrong: then what was observed since tells.
      const isOfFuture = Date.parse(keptAt) > Date.now() + milliseconds;
      const isOld = isOfFuture ? !last || timeLeft(last.keptSince, milliseconds, now) <= 0 : keptAt <= latest;
      return hasRun && isOld && provider && carrier.reaches(provider) ? [record.id] : [];
    });
  }

  /** Throws `snapshotNotFound`. */
  getSnapshot(snapshotId: string): Snapshot {
    const snapshot = this.#options.book.get(snapshotId);
    if (!snapshot) throw snapshotNotFound(snapshotId);
    return snapshot;
  }

  /** Of an instance that runs or is stopped. What is at rest is compared with what was kept (semantics 16). */
  takeSnapshot(instanceId: string, ctx: OperationContext, kind: SnapshotKind = 'taken'): Promise<Snapshot> {
    return this.whole(instanceId, ctx, (record, ctx) => {
      refuseUnkept(record);
      return this.#take(record, kind, ctx);
    });
  }

  /** Makes the home of its instance what it was. What it is now is kept as a snapshot before; else nothing is done. */
  resetToSnapshot(snapshotId: string, ctx: OperationContext): Promise<InstanceRecord> {
    const { lifecycle } = this.#options;
    const snapshot = this.getSnapshot(snapshotId);
    return this.whole(snapshot.instanceId, ctx, async (record, ctx) => {
      refuseUnkept(record);
      const stopped = await lifecycle.stop(record, false, ctx);
      const goOn = async (own: LockedContext) =>
        record.desired === 'running' ? lifecycle.start(stopped, own) : stopped;
      let before: Snapshot | undefined;
      try {
        before = await this.#take(stopped, 'before', ctx, snapshotId);
        await this.#rewrite(stopped, snapshot, record.desired, ctx);
      } catch (error) {
        const undoing = uncancelled(ctx);
        // A home that is only partly what it was is not started. However long it takes: a silent end is noticed.
        if (before) await this.#rewrite(stopped, before, record.desired, undoing);
        await goOn(withTimeout(undoing, undoMilliseconds)).catch(() => {});
        throw error;
      }
      return goOn(ctx);
    });
  }

  /**
   * For whoever holds the instance's lock, before its home is used: what was cut off while it was brought back is gone on
   * with. Rejects when the snapshot can't be had now; with `restore-cut-off` when it never can, which the record says.
   */
  async finish(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const { registry, lifecycle, book } = this.#options;
    const { id, restoring, desired } = record;
    if (restoring === undefined || desired === 'trashed' || desired === 'absent') return record;
    try {
      const snapshot = book.get(restoring);
      if (!snapshot) throw snapshotNotFound(restoring);
      await this.#rewrite(await lifecycle.rest(record, ctx), snapshot, desired, ctx);
    } catch (error) {
      if (isAbort(error) || (error instanceof SwarmError && (error.retryable || error.code === 'lock-lost')))
        throw error;
      const cutOff = restoreCutOff(id, error);
      const tell = (current: InstanceRecord) => withError(withoutRestoring(current), cutOff);
      await registry.updateInstance(id, underLock(ctx, tell));
      throw cutOff;
    }
    const stopped = await registry.readInstance(id);
    return desired === 'running' ? lifecycle.start(stopped, ctx) : stopped;
  }

  /** As {@link SnapshotManagerOptions.locked}, when its home is whole: one that was being brought back is gone on with. */
  whole<R>(
    instanceId: string,
    ctx: OperationContext,
    work: (record: InstanceRecord, ctx: LockedContext) => Promise<R>,
  ): Promise<R> {
    return this.#options.locked(instanceId, ctx, async (record, ctx) => work(await this.finish(record, ctx), ctx));
  }

  /** Makes a new instance with that home. Secrets come along where their values are still known here. */
  async restoreSnapshot(
    snapshotId: string,
    name: string,
    providerType: string,
    ctx: OperationContext,
  ): Promise<InstanceRecord> {
    const { vault, lifecycle, create, locked, registry } = this.#options;
    const snapshot = this.getSnapshot(snapshotId);
    const known = await vault.read(snapshot.instanceId);
    // An agent's image is no person's choice because a person copies what is made of it.
    const { personsImages = [] } = registry.getInstance(snapshot.instanceId) ?? {};
    const secretEnv = snapshot.config.secretEnv.filter(variable => Object.hasOwn(known, variable));
    const secrets = Object.fromEntries(secretEnv.map(variable => [variable, known[variable] ?? '']));
    // What came from its source, and its extensions, are in the home.
    const source = { kind: 'empty' } as const;
    const config = { ...snapshot.config, name, secretEnv, extensions: [], source };
    const { id } = await create(config, providerType, ctx, secrets, { restoring: snapshotId, personsImages });
    return locked(id, ctx, async (record, ctx) => {
      // Whoever observes may have gone on with it already.
      if (record.restoring === undefined) return record;
      try {
        const stopped = await lifecycle.rest(record, ctx);
        await this.#rewrite(stopped, snapshot, record.desired, ctx);
        return await lifecycle.start(stopped, ctx);
      } catch (error) {
        // It was made for that home, and nobody has worked in it.
        await lifecycle.remove(record, withTimeout(uncancelled(ctx), undoMilliseconds)).catch(() => {});
        throw error;
      }
    });
  }

  /** Makes another instance whose home is as that of the instance now. The snapshot in between is none that a person took. */
  async forkInstance(
    instanceId: string,
    name: string,
    providerType: string,
    ctx: OperationContext,
  ): Promise<InstanceRecord> {
    const { id } = await this.takeSnapshot(instanceId, ctx, 'before');
    return this.restoreSnapshot(id, name, providerType, ctx);
  }

  /** What becomes of an instance that is failed over now, for whoever agrees to that. */
  async failOverPlan(instanceId: string): Promise<FailOverPlan> {
    const { registry, vault } = this.#options;
    const lost = await secretsLeft(await registry.readInstance(instanceId), vault);
    return { snapshot: this.listSnapshots(instanceId)[0], lost };
  }

  /**
   * Lets an instance whose provider does not answer live on another one, as its youngest snapshot kept it (semantics
   * 27). The old copy is stopped and parked once its provider answers again, and kept until a person decides. Refused when
   * it would be less than `agreed` says, to which a person agreed.
   */
  failOver(
    instanceId: string,
    providerType: string,
    ctx: OperationContext,
    agreed?: FailOverPlan,
  ): Promise<InstanceRecord> {
    const { registry, providers, vault, lifecycle, carrier, migrationBook } = this.#options;
    return this.#options.locked(instanceId, ctx, async (record, ctx) => {
      const source = providers.get(record.providerId);
      if (providers.condition(source.id)?.reachable !== false || (await answers(source, instanceId, ctx)))
        throw failOverRefused(instanceId, `"${source.id}" answers.`, 'Migrate it instead.');
      const snapshot = agreedSnapshot(instanceId, await this.failOverPlan(instanceId), agreed);
      refuseInTrash(record, 'restore it before');
      const target = providers.resolve(providerType);
      const instances = registry.getInstanceCount(target.id);
      await removeIncoming(target, record, ctx);
      await refuseTarget(record, source, target, instances, carrier, ctx);
      const owner = { providerId: target.id, epoch: nextEpoch(record, migrationBook.list()) };
      const { id, swarmId, createdAt } = record;
      const identity = { id, swarmId, createdAt, owner: record.owner, epoch: owner.epoch };
      ctx.report('Making the instance there');
      ctx.lock.assertHeld();
      try {
        const spec = { ...specOf(asCopied(record), await vault.read(id)), identity };
        await target.abilities.prepareIncoming(spec, pulling(ctx, record));
        await this.#bringBack({ ...record, providerId: target.id }, snapshot, ctx);
      } catch (error) {
        // What cannot be removed now is when it is tried again.
        await removeIncoming(target, record, withTimeout(uncancelled(ctx), undoMilliseconds)).catch(() => {});
        throw error;
      }
      ctx.lock.assertHeld();
      // Whoever finds it after a crash in between knows by the epoch that it is the owner.
      const claim = await aboutToChange(registry, id, ctx);
      await target.abilities.setRole(id, 'owner', claimed(ctx, { ...claim, ...owner }));
      ctx.lock.assertHeld();
      await migrationBook.add(parkedBy({ ...record, ...owner }, record.providerId, untilDecided));
      await makeOwner(registry, id, owner, ctx);
      const moved = await registry.readInstance(id);
      return record.desired === 'running' ? lifecycle.start(moved, ctx) : moved;
    });
  }

  /** Throws `wrongState` while a home is brought back from it. */
  async deleteSnapshot(snapshotId: string, ctx: OperationContext): Promise<void> {
    const { registry, book } = this.#options;
    const { id } = this.getSnapshot(snapshotId);
    const half = (await registry.readAll()).find(({ restoring }) => restoring === id);
    if (half) throw wrongState(half.id, 'being brought back', 'delete the snapshot when its home is whole');
    await book.forget([id], ctx);
  }

  /**
   * For whoever holds the lock of an instance, and is going to end what is there of it. What is not there, as its provider
   * says now, or cannot be read there at all, is not kept. Throws `homeNotKept`.
   */
  async keepBefore(record: InstanceRecord, ctx: OperationContext): Promise<void> {
    const { providers, carrier } = this.#options;
    const provider = providers.get(record.providerId);
    if (!carrier.reaches(provider)) return;
    try {
      // What was lost may be there again, in use.
      const there = record.status === 'lost' ? await getTwice(provider, record.id, ctx) : record;
      if (there) await this.#take({ ...record, status: there.status }, 'before', ctx);
    } catch (error) {
      ctx.signal.throwIfAborted();
      throw homeNotKept(record.id, error);
    }
  }

  /** Of an instance that goes for good, nothing is kept. */
  forgetInstance(instanceId: string, ctx: OperationContext): Promise<void> {
    return this.#options.book.forgetInstance(instanceId, ctx);
  }

  dispose(): void {
    this.#options.book.dispose();
  }

  /** `spared` stays, however old. */
  async #take(record: InstanceRecord, kind: SnapshotKind, ctx: OperationContext, spared?: string): Promise<Snapshot> {
    const { providers, carrier, keeper, book } = this.#options;
    const provider = providers.get(record.providerId);
    ctx.report('Keeping the home');
    const snapshot = await book.keep(record, kind, ctx, async (asked, ctx) => {
      const facts = await keeper.keep(provider, record.id, asked, ctx);
      if (record.status === 'running') return facts;
      const { digest } = await carrier.look(provider, record.id, ctx);
      if (digest !== facts.digest) throw homeNotAsKept(record.id);
      return facts;
    });
    const gone = superfluous(this.listSnapshots(record.id)).filter(id => id !== spared && id !== snapshot.id);
    if (gone.length > 0) await book.forget(gone, ctx);
    return snapshot;
  }

  /** Brings a home back where its instance lives. Should this be cut off, whoever comes next goes on with it. */
  async #rewrite(
    record: InstanceRecord,
    snapshot: Snapshot,
    desired: InstanceRecord['desired'],
    ctx: LockedContext,
  ): Promise<void> {
    const { registry } = this.#options;
    const begin = (current: InstanceRecord) => ({ ...current, restoring: snapshot.id, desired });
    await registry.updateInstance(record.id, underLock(ctx, begin));
    await this.#bringBack(record, snapshot, ctx);
    // Its start begins with the same write, so that it is gone on with should it be cut off.
    const end = (current: InstanceRecord) => {
      const whole = withoutRestoring(current);
      return desired === 'running' ? withStatus(whole, { status: 'starting' }) : whole;
    };
    await registry.updateInstance(record.id, underLock(ctx, end));
  }

  async #bringBack(record: InstanceRecord, snapshot: Snapshot, ctx: LockedContext): Promise<void> {
    const { providers, carrier, keeper } = this.#options;
    const provider = providers.get(record.providerId);
    ctx.report('Bringing the home back');
    ctx.lock.assertHeld();
    await keeper.bringBack(provider, record.id, snapshot.id, ctx);
    const { digest } = await carrier.look(provider, record.id, ctx);
    if (digest !== snapshot.digest) throw homeNotAsKept(record.id);
  }
}

const withoutRestoring = ({ restoring: _restoring, ...record }: InstanceRecord): InstanceRecord => record;

/** Whether it answers now: since it was last looked at it may have come back. */
async function answers(provider: Provider, instanceId: string, ctx: OperationContext): Promise<boolean> {
  const own = withTimeout(ctx, askMilliseconds);
  try {
    await provider.initialize(own);
    await provider.getInstance(instanceId, own);
    return true;
  } catch {
    ctx.signal.throwIfAborted();
    return false;
  }
}

/** What an earlier try has left there. */
async function removeIncoming(target: Provider, record: InstanceRecord, ctx: LockedContext) {
  const there = await getTwice(target, record.id, ctx);
  if (!there || !isCopyInRole(there, 'incoming') || there.swarmId !== record.swarmId) return;
  ctx.lock.assertHeld();
  await target.deleteInstance(record.id, claimed(ctx, there));
}

/** Throws `wrongState` unless its home is there to be read. */
function refuseUnkept({ id, status, setup }: InstanceRecord): void {
  if (status !== 'running' && status !== 'stopped')
    throw wrongState(id, status, 'only the home of what runs or is stopped can be kept');
  if (setup?.status === 'pending') throw wrongState(id, 'being set up', 'let its first start end before');
}
