import { instanceExists, instanceNotFound, wrongState } from '../model/errors.ts';
import type { InstanceRecord, InstanceStatus, Overruling, Owner, VSCodeInstance } from '../model/instance.ts';
import { runsElsewhere } from '../model/machineErrors.ts';
import { type LockedContext, type OperationContext, quietContext, underLock } from '../model/operationContext.ts';
import { generationOf, refuseUnowned, standingOf } from '../model/ownership.ts';
import type { InstanceObservation } from '../model/provider.ts';
import type { KeyedLock } from '../model/stateStore.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { isSame } from './isSame.ts';
import { overrulingOf, ownerName } from './overruling.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { adopted, claimed, withoutError, withStatus } from './records.ts';
import { proveWhole, wholeInstance } from './wholeInstance.ts';

/** How far an adoption raises the epoch: a copy that was rolled back may be one above its owner. */
const epochsBetweenSwarms = 2;

export interface InstanceOwnershipOptions {
  readonly swarmId: string;
  readonly owner: Owner;
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly locks: KeyedLock;
}

/** What persons decide about whose an instance is (semantics 40, 41). */
export class InstanceOwnership {
  readonly #options: InstanceOwnershipOptions;
  readonly #refresh: (ctx: OperationContext, providerId: string) => Promise<void>;

  /** `refresh` asks a provider now, and settles what is left to be done there. */
  constructor(
    options: InstanceOwnershipOptions,
    refresh: (ctx: OperationContext, providerId: string) => Promise<void>,
  ) {
    this.#options = options;
    this.#refresh = refresh;
  }

  /** Who this swarm's instances belong to. */
  get owner(): Owner {
    return this.#options.owner;
  }

  /**
   * Makes it this swarm's, as it is, at its provider and then here. `found` is how it was seen last, `agreed` how it was
   * when a person wanted that. Rejects with `wrong-state` when it is another's by now, or in use unlike then, and with
   * `runs-elsewhere` where nobody here can tell whether it is.
   */
  adopt(
    providerId: string,
    instanceId: string,
    found: InstanceObservation | undefined,
    ctx: OperationContext,
    agreed?: FoundAsShown,
  ): Promise<InstanceRecord> {
    const { swarmId, owner, registry, providers, locks } = this.#options;
    const provider = providers.get(providerId);
    return locks.run(instanceId, ctx, async ctx => {
      if (await registry.findInstance(instanceId)) throw instanceExists(instanceId);
      const instance = found ? await wholeInstance(provider, found, ctx) : await provider.getInstance(instanceId, ctx);
      if (!instance) throw instanceNotFound(instanceId);
      if (instance.elsewhere !== undefined) throw runsElsewhere(instanceId, instance.elsewhere);
      if (instance.status === 'unknown') throw wrongState(instanceId, 'unknown', 'adopt it when its provider can tell');
      if (agreed) refuseOther(instance, agreed);
      await proveWhole(provider, instance, ctx);
      refuseCopy(instance);
      if (instance.swarmId === swarmId) return registry.registerInstance(adopted(instance), ctx);
      const heir = { swarmId, owner, epoch: instance.epoch + epochsBetweenSwarms };
      const seen = agreed?.observation ?? found ?? instance;
      return registry.registerInstance(
        adopted(await provider.abilities.transfer(instanceId, heir, claimed(ctx, seen))),
        ctx,
      );
    });
  }

  /**
   * Before what else there is of it goes: rejects when its provider can tell that it is another's, or that it knows
   * better. When that can't tell now, only a person may let go of what never answers again; what we do by ourselves waits.
   */
  async prove(record: InstanceRecord, ctx: OperationContext): Promise<void> {
    const provider = this.#options.providers.find(record.providerId);
    const isOurs = ctx.by?.caller === 'controller';
    const there = await provider?.getInstance(record.id, ctx).catch(error => {
      ctx.signal.throwIfAborted();
      if (isOurs) throw error;
    });
    if (there?.status !== 'unknown') return void (there && refuseUnowned(there, record));
    if (isOurs) throw wrongState(record.id, 'unknown', 'it is removed when its provider can tell');
  }

  /** The record becomes what its provider says. Rejects with `wrong-state` unless that knows better, and says what `agreed` does. */
  takeOver(
    instanceId: string,
    ctx: OperationContext = quietContext,
    agreed?: Overruling | undefined,
  ): Promise<InstanceRecord> {
    return this.#decide(instanceId, ctx, agreed, ({ schemaVersion, revision }, there) => ({
      ...adopted(there),
      ...{ schemaVersion, revision },
    }));
  }

  /** The record counts as the newer one: what it wants is done. Rejects as {@link takeOver} does. */
  async insist(
    instanceId: string,
    ctx: OperationContext = quietContext,
    agreed?: Overruling | undefined,
  ): Promise<InstanceRecord> {
    const { providerId } = await this.#decide(
      instanceId,
      ctx,
      agreed,
      ({ overruled: _overruled, ...current }, { epoch, ...there }) => ({
        ...withStatus(withoutError(current), { status: 'unknown' }),
        ...{ epoch, generation: generationOf(there), role: there.role },
      }),
    );
    await this.#refresh(ctx, providerId);
    return this.#options.registry.readInstance(instanceId);
  }

  /**
   * Takes the server of an instance that runs elsewhere for ended; from then on it is this machine's, and what is wanted
   * of it is done here. Rejects with `wrong-state` when it does not run elsewhere, or not on `host`, which a person knows
   * to be gone.
   */
  async takeFrom(
    instanceId: string,
    ctx: OperationContext = quietContext,
    host?: string | undefined,
  ): Promise<InstanceRecord> {
    const { registry, providers, locks } = this.#options;
    const providerId = await locks.run(instanceId, ctx, async ctx => {
      const record = await registry.readInstance(instanceId);
      const { abilities } = providers.get(record.providerId);
      if (record.elsewhere === undefined || !abilities.giveUpServer)
        throw wrongState(instanceId, record.status, 'its provider does not say that it runs elsewhere');
      if (host !== undefined && record.elsewhere !== host) throw runsElsewhere(instanceId, record.elsewhere);
      await abilities.giveUpServer(instanceId, claimed(ctx, record));
      return record.providerId;
    });
    await this.#refresh(ctx, providerId);
    return registry.readInstance(instanceId);
  }

  #decide(
    instanceId: string,
    ctx: OperationContext,
    agreed: Overruling | undefined,
    change: (current: InstanceRecord, there: VSCodeInstance) => InstanceRecord,
  ): Promise<InstanceRecord> {
    const { registry, providers, locks } = this.#options;
    return locks.run(instanceId, ctx, async (ctx: LockedContext) => {
      const record = await registry.readInstance(instanceId);
      const there = record.overruled && (await providers.get(record.providerId).getInstance(instanceId, ctx));
      if (there && standingOf(record, there) === 'another') refuseUnowned(there, record);
      if (!there || standingOf(record, there) === 'owner' || there.status === 'unknown')
        throw wrongState(instanceId, record.status, 'its provider says nothing newer of it');
      if (agreed && !isSame(agreed, overrulingOf(record, there)))
        throw wrongState(
          instanceId,
          there.status,
          `"${there.providerId}" says other things of it than a person agreed to`,
        );
      await proveWhole(providers.get(record.providerId), there, ctx);
      refuseCopy(there);
      return registry.updateInstance(
        instanceId,
        underLock(ctx, (current: InstanceRecord) => change(current, there)),
      );
    });
  }
}

/** A found instance as a person was shown it. */
export interface FoundAsShown {
  readonly observation: InstanceObservation;
  readonly owner?: Owner | undefined;
}

/** Throws `wrongState` for what is another's than a person was shown who wants it, or is in use unlike then. */
function refuseOther(there: VSCodeInstance, { observation, owner }: FoundAsShown): void {
  const { id, swarmId, status } = there;
  if (swarmId !== observation.swarmId || (owner && !isSame(owner, there.owner)))
    throw wrongState(id, `of ${ownerName(there.owner)} by now`, 'it was not when its adoption was agreed to');
  if (isAtRest(observation.status) && !isAtRest(status))
    throw wrongState(id, status, 'it was not when its adoption was agreed to, and was left as it is');
}

const isAtRest = (status: InstanceStatus) => ['stopped', 'failed', 'trashed'].includes(status);

/** Throws `wrongState` for what is not the instance itself: that lives elsewhere. */
function refuseCopy({ id, role, providerId }: VSCodeInstance): void {
  if (role === 'parked' || role === 'incoming')
    throw wrongState(id, `${role} on "${providerId}"`, 'wait until its owner was seen');
}
