import { isAbort, SwarmError, unsupported } from '../model/errors.ts';
import { homeMissing } from '../model/homeErrors.ts';
import type { InstanceRecord, InstanceStatus, VSCodeInstance } from '../model/instance.ts';
import {
  type Claim,
  type LockedContext,
  quietContext,
  uncancelled,
  underLock,
  withSignal,
  withTimeout,
} from '../model/operationContext.ts';
import { generationOf, nextGeneration } from '../model/ownership.ts';
import type { SetupConsent } from '../model/setupConsent.ts';
import type { LockedVault } from '../model/stateStore.ts';
import { secretNames } from './changesOf.ts';
import { getTwice } from './getTwice.ts';
import { givenTo } from './givenSecrets.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { isSame } from './isSame.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import {
  beforeChange,
  claimed,
  notKept,
  pulling,
  specOf,
  timestamp,
  withError,
  withoutError,
  withoutSetup,
  withoutWanted,
  withPin,
  withStatus,
} from './records.ts';
import type { SecretMasks } from './secretMasks.ts';
import type { Settlement } from './settlement.ts';
import { type SetupSources, setUpWorkspace } from './workspaceSetup.ts';

/** How long the undoing of a cancelled create may take. */
const rollBackMilliseconds = 60_000;

/** Removes what other places have of an instance that goes for good, or sees to it that it is removed later. */
export type ForgetElsewhere = (instanceId: string, ctx: LockedContext) => Promise<void>;

/**
 * The steps of one instance's life, each run while its lock is held: what is wanted is written first, then the provider
 * is called, then what came of it is written. Every step may be repeated after a crash (semantics 4, 18, 23, 28).
 */
export class InstanceLifecycle {
  readonly #registry: InstanceRegistry;
  readonly #providers: ProviderDirectory;
  readonly #vault: LockedVault;
  readonly #sources: SetupSources;
  readonly #masks: SecretMasks;
  readonly #forgetElsewhere: ForgetElsewhere;

  constructor(
    registry: InstanceRegistry,
    providers: ProviderDirectory,
    vault: LockedVault,
    sources: SetupSources,
    masks: SecretMasks,
    forgetElsewhere: ForgetElsewhere,
  ) {
    this.#registry = registry;
    this.#providers = providers;
    this.#vault = vault;
    this.#sources = sources;
    this.#masks = masks;
    this.#forgetElsewhere = forgetElsewhere;
  }

  /**
   * A first create. Cancelled before its provider has handed the instance over, it leaves nothing; after that the
   * instance may be in use, and only the rest of its first start is given up.
   */
  async create(record: InstanceRecord, ctx: LockedContext, consent?: SetupConsent): Promise<InstanceRecord> {
    let made: InstanceRecord;
    try {
      made = await this.#make(record, ctx);
    } catch (error) {
      if (ctx.signal.aborted) await this.remove(record, withTimeout(uncancelled(ctx), rollBackMilliseconds));
      throw error;
    }
    return this.#setUp(made, ctx, consent).catch(error => {
      if (!ctx.signal.aborted) throw error;
      return this.#write(ctx, record.id, withoutSetup);
    });
  }

  /**
   * Gives up the rest of a first start, whoever is at it and holds the lock meanwhile, in any window: who would wait for
   * the lock need not wait for a repository.
   */
  async giveUpSetup(instanceId: string): Promise<void> {
    const { setup } = await this.#registry.readInstance(instanceId);
    if (setup?.status === 'pending') await this.#registry.updateInstance(instanceId, withoutSetup);
  }

  async start(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    if (record.wanted) return this.start(await this.update(record, ctx), ctx);
    const isLost = record.status === 'lost';
    if ((isUnmade(record) || isLost) && !(await getTwice(provider, record.id, ctx))) {
      ctx.lock.assertHeld();
      // As an engine's own clean-up leaves it: all that is gone can be made anew around its home.
      if (isLost) return this.recreate(record, ctx);
      const intended = await this.#intend(ctx, record.id, 'running', 'creating');
      return this.#setUp(await this.#make(intended, ctx, 'failed'), ctx);
    }
    return this.#transition(record, 'running', 'starting', ctx, own => provider.startInstance(record.id, own));
  }

  async stop(record: InstanceRecord, force: boolean, ctx: LockedContext): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    // Nothing is there yet; its next start makes it.
    if (isUnmade(record) && !(await getTwice(provider, record.id, ctx)))
      return this.#intend(ctx, record.id, 'stopped', 'failed');
    return this.#transition(record, 'stopped', 'stopping', ctx, own => provider.stopInstance(record.id, force, own));
  }

  /** Ends its server. What is wanted of it stays so. */
  rest(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    return this.#transition(record, record.desired, 'stopping', ctx, own =>
      provider.stopInstance(record.id, false, own),
    );
  }

  /** Ends its server, unless that is known not to run, and starts it. It is wanted running all the while. */
  async restart(record: InstanceRecord, force: boolean, ctx: LockedContext): Promise<InstanceRecord> {
    if (['creating', 'stopped', 'failed', 'lost'].includes(record.status)) return this.start(record, ctx);
    const provider = this.#providers.get(record.providerId);
    return this.#transition(record, 'running', 'starting', ctx, async own => {
      await provider.stopInstance(record.id, force, own);
      own.lock.assertHeld();
      return provider.startInstance(record.id, own);
    });
  }

  /** Makes everything of it anew but its home (semantics 14: which the provider proves to be there). */
  async recreate(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    const spec = specOf(record, await this.#vault.read(record.id));
    return this.#transition(record, 'running', 'starting', pulling(ctx, record), own =>
      provider.abilities.recreateInstance(spec, own),
    );
  }

  /**
   * Makes the provider's copy equal with what the record wants, whole: nothing that was written there flows back.
   * Cancelled, it leaves `wanted` as it is, to be gone on with or taken back.
   */
  async update(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const { id, wanted: config = record.config } = record;
    const provider = this.#providers.get(record.providerId);
    const secrets = await this.#vault.read(id);
    try {
      const neverMade = isUnmade(record) && (await getTwice(provider, id, ctx)) === null;
      ctx.lock.assertHeld();
      const { source: _source, ...update } = config;
      const instance = neverMade
        ? undefined
        : await provider.updateInstance(
            id,
            { ...update, image: config.image, ...(record.renewsImage && { renewsImage: true }) },
            claimed(pulling(ctx, record, config), record),
            secrets,
          );
      ctx.lock.assertHeld();
      await this.#vault.store(id, pick(secrets, secretNames({ ...record, config })), ctx);
      return await this.#write(ctx, id, current => {
        const next = { ...withoutWanted(current), config };
        if (!instance) return next;
        const made = withPin(next, instance);
        // A correction of what failed leaves the error to be read; a stop that failed is still to be made up for, and so
        // is a start that was cut off, also when that was the update's own.
        if (current.desired === 'stopped' && instance.status === 'running') return made;
        const isToRun = current.desired === 'running' && ['starting', 'running'].includes(current.status);
        const seen = isToRun && instance.status === 'stopped' ? ({ status: 'starting' } as const) : instance;
        return withStatus(isSame(config, record.config) ? made : withoutError(made), seen);
      });
    } catch (error) {
      if (!isAbort(error)) await this.takeBack(record, error, ctx);
      throw this.#masks.of(id).error(error);
    }
  }

  /** After an update that failed: its provider, which may have part of it, is to have what it had before. */
  async takeBack(record: InstanceRecord, error: unknown, ctx: LockedContext): Promise<void> {
    if (error instanceof SwarmError && error.code === 'lock-lost') return;
    const again = !isSame(record.wanted, record.config) || (error instanceof SwarmError && error.retryable);
    await this.#write(ctx, record.id, current => {
      const next = isAbort(error) ? current : withError(current, this.#masks.of(record.id).error(error));
      return again ? { ...withoutWanted(next), wanted: next.config } : withoutWanted(next);
    });
  }

  /** To the trash (semantics 22). What its provider does not have is only noted so: its home may still be there. */
  async trash(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const intended = await this.#intend(ctx, record.id, 'trashed', 'deleting', nextGeneration);
    let hasMoved = false;
    try {
      const provider = this.#providers.get(record.providerId);
      const there = await getTwice(provider, record.id, ctx);
      ctx.lock.assertHeld();
      if (there) await provider.abilities.trashInstance(record.id, claimed(ctx, beforeChange(intended)));
      hasMoved = there !== null && there.role !== 'trash';
      ctx.lock.assertHeld();
    } catch (error) {
      throw await this.#failed(ctx, record.id, 'unknown', error);
    }
    return this.#write(ctx, record.id, current => {
      const { trashedAt = timestamp(), ...kept } = hasMoved ? notKept(current) : current;
      return withStatus({ ...withoutError(kept), role: 'trash', trashedAt }, { status: 'trashed' });
    });
  }

  async restore(record: InstanceRecord, ctx: LockedContext): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    const call = async (own: LockedContext) => {
      if (!(await provider.abilities.hasHome(record.id, own))) throw homeMissing(record.id, provider.id);
      own.lock.assertHeld();
      const restored = await provider.abilities.restoreInstance(record.id, own);
      if (restored.status !== 'running') return restored;
      // It has never come to the trash.
      own.lock.assertHeld();
      return provider.stopInstance(record.id, false, own);
    };
    const restored = await this.#transition(record, 'stopped', 'stopping', ctx, call, nextGeneration);
    return this.#write(ctx, restored.id, ({ trashedAt: _trashedAt, ...current }) => current);
  }

  /** For good: absence on the provider is confirmed before the record is forgotten (semantics 23). */
  async remove(record: InstanceRecord, ctx: LockedContext): Promise<void> {
    const intended = await this.#intend(ctx, record.id, 'absent', 'deleting');
    try {
      const provider = this.#providers.get(record.providerId);
      await this.#forgetElsewhere(record.id, ctx);
      ctx.lock.assertHeld();
      await provider.deleteInstance(record.id, claimed(ctx, intended));
      ctx.lock.assertHeld();
    } catch (error) {
      throw await this.#failed(ctx, record.id, 'deleting', error);
    }
    await this.#vault.forget(record.id, ctx);
    await this.#registry.removeInstance(record.id, ctx);
  }

  /** Finishes what was cut off, as {@link Settlement} decided. */
  async finish(record: InstanceRecord, step: Settlement['do'], ctx: LockedContext): Promise<void> {
    const now = await this.#registry.readInstance(record.id);
    // Another window has gone on with it before word of that came here; the next look decides anew.
    if (now.desired !== record.desired || now.setup?.status !== record.setup?.status) return;
    if (step === 'finish-create') await this.#setUp(await this.#make(now, ctx), ctx);
    else if (step === 'trash') await this.trash(now, ctx);
    else if (step === 'restore') await this.restore(now, ctx);
    else if (step === 'stop') await this.stop(now, false, ctx);
    else if (step === 'start' && now.status === 'starting') await this.start(now, ctx);
    else if (step === 'delete') await this.remove(now, ctx);
    else if (step === 'update' && now.wanted) await this.update(now, ctx);
  }

  /**
   * Makes what the record asks for, or adopts what an earlier try has made. Undoes nothing. Cancelled, it leaves the
   * status `cancelled`: `creating` is gone on with later, by whatever window comes next.
   */
  async #make(
    record: InstanceRecord,
    ctx: LockedContext,
    cancelled: 'creating' | 'failed' = 'creating',
  ): Promise<InstanceRecord> {
    const provider = this.#providers.get(record.providerId);
    const { id } = record;
    try {
      const spec = specOf(record, await givenTo(record, this.#vault, provider, ctx));
      ctx.lock.assertHeld();
      const instance = await provider.createInstance(spec, pulling(ctx, record));
      ctx.lock.assertHeld();
      return await this.#seen(ctx, id, instance);
    } catch (error) {
      throw await this.#failed(ctx, id, ctx.signal.aborted ? cancelled : 'failed', error);
    }
  }

  async #setUp(record: InstanceRecord, ctx: LockedContext, consent?: SetupConsent): Promise<InstanceRecord> {
    if (record.setup?.status !== 'pending') return record;
    const givenUp = new AbortController();
    const watch = this.#registry.onDidChange(({ id, record: now }) => {
      if (id === record.id && now?.setup?.status !== 'pending') givenUp.abort();
    });
    try {
      const own = withSignal(ctx, givenUp.signal);
      const provider = this.#providers.get(record.providerId);
      const said = await setUpWorkspace(provider, record, this.#sources, own, consent);
      const setup = this.#masks.of(record.id).value(said);
      return await this.#write(ctx, record.id, now => (now.setup?.status === 'pending' ? { ...now, setup } : now));
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (givenUp.signal.aborted) return this.#registry.readInstance(record.id);
      throw error;
    } finally {
      watch.dispose();
    }
  }

  async #transition(
    record: InstanceRecord,
    desired: InstanceRecord['desired'],
    pending: InstanceStatus,
    ctx: LockedContext,
    call: (own: LockedContext) => Promise<VSCodeInstance>,
    generation?: (current: InstanceRecord) => number,
  ): Promise<InstanceRecord> {
    const intended = await this.#intend(ctx, record.id, desired, pending, generation);
    try {
      ctx.lock.assertHeld();
      const instance = await call(claimed(ctx, generation ? beforeChange(intended) : intended));
      ctx.lock.assertHeld();
      return await this.#seen(ctx, record.id, instance);
    } catch (error) {
      // Cancelled, what was to be gone on with still is.
      const isLeft = ctx.signal.aborted && record.status === pending;
      throw await this.#failed(ctx, record.id, isLeft ? pending : await this.#statusNow(record), error);
    }
  }

  /** `generation`: of a change of its role, written before its provider writes it. */
  #intend(
    ctx: LockedContext,
    id: string,
    desired: InstanceRecord['desired'],
    pending: InstanceStatus,
    generation?: (current: InstanceRecord) => number,
  ): Promise<InstanceRecord> {
    return this.#write(ctx, id, current => {
      const kept = current.desired === desired ? current : notKept(current);
      const next = { ...withoutError(kept), desired, ...(generation && { generation: generation(current) }) };
      return withStatus(next, { status: pending });
    });
  }

  #seen(ctx: LockedContext, id: string, instance: VSCodeInstance): Promise<InstanceRecord> {
    return this.#write(ctx, id, current => {
      const next = { ...withoutError(current), role: instance.role, ...latest(current, instance) };
      return withStatus(withPin(next, instance), instance);
    });
  }

  #write(ctx: LockedContext, id: string, change: (current: InstanceRecord) => InstanceRecord): Promise<InstanceRecord> {
    return this.#registry.updateInstance(id, underLock(ctx, change));
  }

  /** What an instance is after a step that failed or was cancelled; `unknown` when its provider can't say. */
  async #statusNow(record: InstanceRecord): Promise<InstanceStatus> {
    try {
      const instance = await this.#providers.get(record.providerId).getInstance(record.id, quietContext);
      return instance?.status ?? 'lost';
    } catch {
      return 'unknown';
    }
  }

  /** Writes why a step failed, and answers with what to throw: neither shows a secret. A cancelled step is not a failure. */
  async #failed(ctx: LockedContext, id: string, status: InstanceStatus | undefined, error: unknown): Promise<unknown> {
    if (error instanceof SwarmError && error.code === 'lock-lost') return error;
    // What failed may have said what was given to it.
    await this.#vault.read(id).catch(() => {});
    const told = this.#masks.of(id).error(error);
    await this.#write(ctx, id, current => {
      const next = isAbort(error) ? current : withError(current, told);
      return status === undefined ? next : withStatus(next, { status });
    });
    return told;
  }
}

/** Of the changes of its role, the last one that either knows of; nothing as long as there was none. */
const latest = (current: Claim, seen: Claim) => {
  const generation = Math.max(generationOf(current), generationOf(seen));
  return generation === 0 ? {} : { generation };
};

/** A create has failed, or goes on: there may be nothing at its provider. */
const isUnmade = ({ status }: InstanceRecord) => status === 'failed' || status === 'creating';

const pick = (values: Readonly<Record<string, string>>, names: readonly string[]) =>
  Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));

/** Throws `unsupported` unless the provider has the ability. */
export function need<T>(ability: T | undefined, providerId: string, what: string): T {
  if (ability === undefined) throw unsupported(providerId, what);
  return ability;
}
