import { migrationRefused, SwarmError } from '../../model/errors.ts';
import { homesDiffer } from '../../model/homeErrors.ts';
import type { InstanceError, InstanceIdentity, InstanceRecord, InstanceRole } from '../../model/instance.ts';
import type { Migration, MigrationStep, MigrationStepState } from '../../model/migration.ts';
import { type LockedContext, underLock, withTimeout } from '../../model/operationContext.ts';
import { generationOf, refuseUnowned } from '../../model/ownership.ts';
import type { Provider } from '../../model/provider.ts';
import type { LockedVault } from '../../model/stateStore.ts';
import { getTwice } from '../getTwice.ts';
import type { InstanceLifecycle } from '../instanceLifecycle.ts';
import type { InstanceRegistry } from '../instanceRegistry.ts';
import type { ProviderDirectory } from '../providerDirectory.ts';
import {
  asCopied,
  beforeChange,
  claimed,
  instanceError,
  pulling,
  specOf,
  timestamp,
  withoutPin,
  withStatus,
} from '../records.ts';
import type { SecretMasks } from '../secretMasks.ts';
import type { HomeCarrier } from './homeCarrier.ts';
import type { MigrationBook } from './migrationBook.ts';
import { refuseTarget, refuseUnmovable } from './migrationPlanner.ts';
import {
  awaitsOther,
  begun,
  claimOf,
  downtimeOf,
  endOf,
  isCopyInRole,
  isCopyOf,
  leftCopy,
  ownerOf,
  parkedAt,
  parkedUntil,
  unfinishedEnding,
  withStep,
} from './migrationSteps.ts';

/** Milliseconds that a step may take which does not read the home; what does has as long as the whole migration. */
const stepTimeout = 300_000;

export interface MigrationWorld {
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly lifecycle: InstanceLifecycle;
  readonly vault: LockedVault;
  readonly masks: SecretMasks;
  readonly carrier: HomeCarrier;
  readonly book: MigrationBook;
}

/** What a step knows of the migration when it has ended. */
type Outcome = Partial<Migration> & { readonly note?: string; readonly bytes?: number; readonly files?: number };

/**
 * One migration, while its instance's lock is held: each step is written before it is begun and after it has ended
 * (semantics 18). Everything after the pivot, and everything that takes back, may be done again and again.
 */
export class MigrationRun {
  readonly #world: MigrationWorld;
  readonly #id: string;

  constructor(world: MigrationWorld, id: string) {
    this.#world = world;
    this.#id = id;
  }

  /** Up to the pivot. Rejects with why it did not come to that; then {@link undo} is to be called. */
  async reachPivot(ctx: LockedContext): Promise<void> {
    let migration = await this.#write(ctx, current => ({ ...current, status: 'in-progress', startedAt: timestamp() }));
    for (const { step } of migration.steps) {
      if (migration.pivotedAt !== undefined) return;
      migration = await this.#take(step, ctx);
    }
  }

  /** After the pivot, to the end. Rejects when a provider fails; it is to be called again then. */
  async goOn(ctx: LockedContext): Promise<Migration> {
    let migration = await this.#world.book.read(this.#id);
    if (migration.rolledBackAt !== undefined) return this.#settleRollBack(migration, ctx);
    for (let next = unfinishedEnding(migration); next; next = unfinishedEnding(migration)) {
      migration = await this.#take(next.step, ctx);
    }
    return migration;
  }

  /**
   * Takes back what was done before the pivot, the last first, each part whatever became of the others. Rejects when
   * one of them failed; it is to be called again then.
   */
  async undo(ctx: LockedContext): Promise<Migration> {
    const migration = await this.#write(ctx, current => ({ ...current, leftovers: [] }));
    const taken = ({ status }: MigrationStepState) => status !== 'pending' && status !== 'undone';
    let failure: { readonly error: unknown } | undefined;
    for (const { step } of [...migration.steps].reverse().filter(taken)) {
      try {
        if (step === 'create-target') await this.#removeTarget(migration, ctx);
        if (step === 'stop-source') await this.#startSource(migration, ctx);
        await this.#write(ctx, current => withStep(current, step, { status: 'undone' }));
      } catch (error) {
        failure ??= { error };
        if (step === 'create-target') {
          const left = leftCopy(migration.instanceName, migration.instanceId, migration.targetProviderId);
          await this.#write(ctx, current => ({ ...current, leftovers: [left] }));
        }
      }
    }
    if (failure) throw failure.error;
    return this.#write(ctx, current => ({ ...current, status: endOf(current), endedAt: timestamp() }));
  }

  /** The registry's record says what the migration says: who the owner is, and whether it is to run. Asks no provider. */
  async follow(ctx: LockedContext): Promise<void> {
    const migration = await this.#world.book.read(this.#id);
    const desired = migration.wasRunning ? 'running' : 'stopped';
    await makeOwner(this.#world.registry, migration.instanceId, { ...ownerOf(migration), desired }, ctx);
  }

  async #take(step: MigrationStep, ctx: LockedContext): Promise<Migration> {
    ctx.signal.throwIfAborted();
    ctx.lock.assertHeld();
    const migration = await this.#write(ctx, current => {
      if (current.cancelRequested && current.pivotedAt === undefined)
        throw new DOMException('Cancelled.', 'AbortError');
      return begun(current, step);
    });
    try {
      const { note, bytes, files, ...outcome } = await this.#steps[step](migration, ctx);
      ctx.lock.assertHeld();
      const ended = {
        ...({ status: 'done', endedAt: timestamp() } as const),
        ...(note !== undefined && { note }),
        ...(bytes !== undefined && { bytes }),
        ...(files !== undefined && { files }),
      };
      return await this.#write(ctx, current => {
        if (current.cancelRequested && migration.pivotedAt === undefined)
          throw new DOMException('Cancelled.', 'AbortError');
        return withStep({ ...current, ...outcome }, step, ended);
      });
    } catch (failure) {
      // A place may say what was given to it.
      const error = this.#world.masks.of(migration.instanceId).error(failure);
      if (migration.pivotedAt === undefined) {
        const { message } = instanceError(error);
        await this.#write(ctx, current =>
          withStep(current, step, { status: 'failed', endedAt: timestamp(), note: message }),
        );
      }
      throw error;
    }
  }

  readonly #steps: Readonly<Record<MigrationStep, (migration: Migration, ctx: LockedContext) => Promise<Outcome>>> = {
    prepare: async migration => {
      const record = await this.#record(migration);
      if (record.providerId === migration.sourceProviderId && record.epoch === migration.sourceEpoch) {
        return { wasRunning: record.desired === 'running', instanceName: record.config.name };
      }
      throw migrationRefused(
        `The migration of "${record.id}"`,
        'The instance has been moved since it was planned.',
        'Plan it again.',
      );
    },
    'validate-source': async migration => {
      refuseUnmovable(await this.#record(migration));
      return {};
    },
    'validate-target-provider': async (migration, ctx) => {
      const { registry, carrier } = this.#world;
      const [source, target] = this.#places(migration);
      const instances = registry.getInstanceCount(target.id);
      const limited = withTimeout(ctx, stepTimeout);
      await refuseTarget(await this.#record(migration), source, target, instances, carrier, limited);
      return {};
    },
    'export-source-config': async migration => {
      const { config } = await this.#record(migration);
      const secrets = config.secretEnv.length;
      return { note: `Name, limits, ports and ${Object.keys(config.env).length + secrets} variables go along.` };
    },
    'stop-source': async (migration, ctx) => {
      ctx.report('Stopping the instance');
      const { lifecycle, carrier } = this.#world;
      const [source] = this.#places(migration);
      await lifecycle.stop(await this.#record(migration), false, withTimeout(ctx, stepTimeout));
      ctx.report('Reading the home at the source');
      const { digest, bytes, files } = await carrier.look(source, migration.instanceId, ctx);
      return { digest, bytes, files };
    },
    'create-target': async (migration, ctx) => {
      const { carrier, vault } = this.#world;
      const record = await this.#record(migration);
      const [source, target] = this.#places(migration);
      ctx.report('Making the target');
      const spec = { ...specOf(asCopied(record), await vault.read(record.id)), identity: targetIdentity(record) };
      await target.abilities.prepareIncoming(spec, pulling(ctx, record));
      ctx.report('Copying the home');
      const copied = await carrier.copy(source, target, record.id, ctx, this.#telling('create-target'));
      if (migration.strategy === 'create-then-stop') {
        ctx.report('Reading both homes, so that little is left to be read while the instance is stopped');
        await Promise.all([source, target].map(place => carrier.look(place, record.id, ctx)));
      }
      return copied;
    },
    'verify-target': async (migration, ctx) => {
      const { carrier } = this.#world;
      const [source, target] = this.#places(migration);
      if (migration.strategy === 'create-then-stop') {
        ctx.report('Copying what has changed');
        await carrier.copy(source, target, migration.instanceId, ctx, this.#telling('verify-target'));
      }
      ctx.report('Comparing the two homes');
      const { digest, bytes, files } = await carrier.look(target, migration.instanceId, ctx);
      if (digest !== migration.digest) throw homesDiffer(migration.instanceId);
      const there = await source.getInstance(migration.instanceId, ctx);
      if (there) refuseUnowned(there, await this.#record(migration));
      return { pivotedAt: timestamp(), bytes, files };
    },
    'clean-up-source': async (migration, ctx) => {
      await this.follow(ctx);
      const { sourceProviderId } = migration;
      await this.#setRole(migration, migration.targetProviderId, 'owner', ctx);
      const isParked = await this.#park(migration, sourceProviderId, ctx);
      const parked = { parkedUntil: parkedUntil() };
      if (isParked) return parked;
      // Whoever sees it again puts it aside, by its epoch.
      return { ...parked, note: `"${sourceProviderId}" does not answer: what it has is put aside once it does.` };
    },
    'start-target': async (migration, ctx) => {
      const record = await this.#record(migration);
      if (record.desired !== 'running') return { note: 'It is not wanted running, and does not run.' };
      ctx.report('Starting the instance');
      const error = await this.#start(record, ctx);
      return error
        ? { error, note: `It does not start: ${error.message}` }
        : { downtimeMs: downtimeOf(migration, Date.now()) };
    },
    // The time of what is parked begins with the end.
    complete: async () => ({ status: 'completed', endedAt: timestamp(), parkedUntil: parkedUntil() }),
  };

  /** What a cut-off step left at the target. What is not a copy on its way is not ours to remove. */
  async #removeTarget(migration: Migration, ctx: LockedContext): Promise<void> {
    const target = this.#world.providers.find(migration.targetProviderId);
    // Where it is in use again, what is no owner is removed.
    if (!target) return;
    const there = await getTwice(target, migration.instanceId, ctx);
    const isCopy =
      there &&
      isCopyInRole(there, 'incoming') &&
      there.epoch === migration.sourceEpoch + 1 &&
      isCopyOf(migration, there);
    if (there && !isCopy) return;
    ctx.lock.assertHeld();
    await target.deleteInstance(migration.instanceId, claimed(ctx, there ?? claimOf(migration)));
  }

  async #startSource(migration: Migration, ctx: LockedContext): Promise<void> {
    const { registry } = this.#world;
    // Deleted, or failed over, in the meantime, by somebody who had the lock.
    const record = await registry.findInstance(migration.instanceId);
    if (!record || !migration.wasRunning || record.desired === 'trashed' || record.desired === 'absent') return;
    if (record.epoch === migration.sourceEpoch) await this.#start(record, ctx);
  }

  /**
   * Starts it where it lives now; answers with why it does not start. Whoever watches over it recovers it there: this
   * rejects only when its provider does not answer, or the lock is lost.
   */
  async #start(record: InstanceRecord, ctx: LockedContext): Promise<InstanceError | undefined> {
    try {
      await this.#world.lifecycle.start(record, ctx);
      return undefined;
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (error instanceof SwarmError && ['provider-unreachable', 'lock-lost'].includes(error.code)) throw error;
      return instanceError(error);
    }
  }

  /** The parked copy is the owner again, and the other one is parked: where that is away, once it answers. */
  async #settleRollBack(migration: Migration, ctx: LockedContext): Promise<Migration> {
    const { instanceId, instanceName } = migration;
    const other = parkedAt(migration);
    const isOwnerSeenTo = awaitsOther(migration);
    if (!isOwnerSeenTo) await this.follow(ctx);
    const isParked = await this.#park(migration, other, ctx);
    if (!isOwnerSeenTo) {
      await this.#setRole(migration, ownerOf(migration).providerId, 'owner', ctx);
      const record = await this.#record(migration);
      if (migration.wasRunning) await this.#start(record, ctx);
    }
    const ended = { endedAt: timestamp(), parkedUntil: parkedUntil(), leftovers: [] };
    const waiting = { leftovers: [leftCopy(instanceName, instanceId, other)] };
    return this.#write(ctx, current => ({ ...current, ...(isParked ? ended : waiting) }));
  }

  /** False while the provider does not answer, in whatever way, or is in use no more. */
  async #park(migration: Migration, providerId: string, ctx: LockedContext): Promise<boolean> {
    try {
      await this.#setRole(migration, providerId, 'parked', ctx);
      return true;
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (error instanceof SwarmError && (error.family === 'network' || error.code === 'unknown-provider'))
        return false;
      throw error;
    }
  }

  /** Of either copy: which of them owns is the migration's to say. */
  async #setRole(
    { instanceId, sourceEpoch, parkedGeneration }: Migration,
    providerId: string,
    role: InstanceRole,
    ctx: LockedContext,
  ): Promise<void> {
    const provider = this.#world.providers.get(providerId);
    const record = await aboutToChange(this.#world.registry, instanceId, ctx, parkedGeneration);
    const epoch = Math.max(record.epoch, sourceEpoch + 1);
    await provider.abilities.setRole(instanceId, role, claimed(ctx, { ...record, epoch }));
  }

  #telling(step: MigrationStep): (bytes: number) => void {
    let sum = 0;
    return bytes => {
      sum += bytes;
      this.#world.book.tell(this.#id, step, sum);
    };
  }

  #write(ctx: LockedContext, change: (current: Migration) => Migration): Promise<Migration> {
    return this.#world.book.update(this.#id, underLock(ctx, change));
  }

  #record({ instanceId }: Migration): Promise<InstanceRecord> {
    return this.#world.registry.readInstance(instanceId);
  }

  #places({ sourceProviderId, targetProviderId }: Migration): [Provider, Provider] {
    const { providers } = this.#world;
    return [providers.get(sourceProviderId), providers.get(targetProviderId)];
  }
}

/**
 * The registry's record says where the owner is. Only when that changes, what is wanted of it becomes `owner`'s, too; its
 * start begins with it.
 */
export async function makeOwner(
  registry: InstanceRegistry,
  instanceId: string,
  owner: Pick<InstanceRecord, 'providerId' | 'epoch'> & Partial<Pick<InstanceRecord, 'desired'>>,
  ctx: LockedContext,
): Promise<void> {
  const change = (current: InstanceRecord): InstanceRecord => {
    if (current.providerId === owner.providerId && current.epoch === owner.epoch) return current;
    const next: InstanceRecord = { ...withoutPin(current), ...owner, role: 'owner' };
    return withStatus(next, { status: next.desired === 'running' ? 'starting' : 'stopped' });
  };
  await registry.updateInstance(instanceId, underLock(ctx, change));
}

/** What the record knew before a change of the role of a copy, which it notes (semantics 41); `known`: the last one of it. */
export const aboutToChange = async (
  registry: InstanceRegistry,
  instanceId: string,
  ctx: LockedContext,
  known = 0,
): Promise<InstanceRecord> => {
  const change = (current: InstanceRecord): InstanceRecord => ({
    ...current,
    generation: Math.max(generationOf(current), known) + 1,
  });
  return beforeChange(await registry.updateInstance(instanceId, underLock(ctx, change)));
};

const targetIdentity = ({ id, swarmId, epoch, owner, createdAt }: InstanceRecord): InstanceIdentity => ({
  ...{ id, swarmId, owner, createdAt },
  epoch: epoch + 1,
});

/** Why a migration is taken back whose window ended. */
export const interrupted = () =>
  new SwarmError({
    family: 'state',
    code: 'interrupted',
    message: 'The window that carried it out ended, and everything was taken back.',
    hint: 'Plan it again.',
  });
