import pLimit, { type LimitFunction } from 'p-limit';
import { messageOf } from '../model/errors.ts';
import { type Disposable, Emitter } from '../model/event.ts';
import type { InstanceRecord, InstanceRole } from '../model/instance.ts';
import { type LockedContext, type OperationContext, underLock } from '../model/operationContext.ts';
import type { InstanceObservation, Provider } from '../model/provider.ts';
import type { KeyedLock } from '../model/stateStore.ts';
import { Backoff } from './backoff.ts';
import { getTwice } from './getTwice.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { isSame } from './isSame.ts';
import { KeyedDebounce } from './keyedDebounce.ts';
import { told } from './overruling.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { adopted, withoutError, withStatus } from './records.ts';
import { hasEnded, type Settlement, settle, tellsWhatIsLeft } from './settlement.ts';
import { wholeInstance } from './wholeInstance.ts';

/** Instances of a provider that are asked for, or have something finished, at the same time. */
const atOnce = 8;

/** A resource with our labels that no record of this swarm stands for (semantics 1). */
export interface FoundInstance {
  readonly providerId: string;
  readonly observation: InstanceObservation;
}

/** What came of asking one provider for all that it has. */
export interface ProviderObservation {
  readonly provider: Provider;
  /** Undefined when it did not answer. */
  readonly seen: ReadonlyMap<string, InstanceObservation> | undefined;
  /** Why it did not. */
  readonly problem?: string;
}

export interface ReconcilerOptions {
  readonly swarmId: string;
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly locks: KeyedLock;
  /** Whether an instance was deleted for good while a copy of it could not be reached. */
  isRemoved(instanceId: string): Promise<boolean>;
  /** Takes a step that finishes what was cut off; runs under the instance's lock. */
  finish(
    record: InstanceRecord,
    step: Exclude<Settlement['do'], 'show' | 'confirm-absence' | 'note'>,
    ctx: LockedContext,
  ): Promise<void>;
}

/**
 * Makes what is known agree with what the providers say. Level-triggered: an event only wakes it, then it reads the
 * provider and the registry anew. One provider that is down or hangs never holds up another.
 */
export class Reconciler implements Disposable {
  readonly #swarmId: string;
  readonly #registry: InstanceRegistry;
  readonly #providers: ProviderDirectory;
  readonly #locks: KeyedLock;
  readonly #isRemoved: ReconcilerOptions['isRemoved'];
  readonly #finish: ReconcilerOptions['finish'];
  /** Of removals and what brings homes back, which may need a person's hand before they can end. */
  readonly #backoff = new Backoff();
  readonly #found = new Map<string, FoundInstance[]>();
  readonly #pools = new Map<string, LimitFunction>();
  #watches: Disposable[] = [];
  readonly #stopped = new AbortController();
  readonly #changed = new Emitter<void>();
  readonly #observed = new Emitter<ProviderObservation>();
  #look: (providerId: string) => void = () => {};
  readonly #wake = new KeyedDebounce(150, providerId => this.#look(providerId));
  /** Fires when the list of found instances changed. */
  readonly onDidChange = this.#changed.event;
  /** Fires after each look at a provider, when what it saw is in the registry. */
  readonly onDidObserve = this.#observed.event;

  constructor({ swarmId, registry, providers, locks, isRemoved, finish }: ReconcilerOptions) {
    this.#swarmId = swarmId;
    this.#registry = registry;
    this.#providers = providers;
    this.#locks = locks;
    this.#isRemoved = isRemoved;
    this.#finish = finish;
  }

  /** Listens to the providers that can tell of changes; `look` is called for one where something changed. */
  watch(look: (providerId: string) => void): void {
    this.unwatch();
    this.#look = look;
    const listen = (provider: Provider) => provider.abilities.watch?.(() => this.#wake.wake(provider.id)) ?? [];
    this.#watches = this.#providers.all().flatMap(listen);
    this.#watches.push(this.#providers.onDidAdd(provider => this.#watches.push(...[listen(provider)].flat())));
  }

  unwatch(): void {
    for (const watch of this.#watches) watch.dispose();
    this.#watches = [];
  }

  found(): FoundInstance[] {
    return [...this.#found.values()].flat().filter(({ observation }) => !this.#isOurs(observation));
  }

  /** Shows what another window has found at a provider. */
  showFound(providerId: string, observations: readonly InstanceObservation[]): void {
    this.#noteFound(providerId, observations);
  }

  /**
   * Observes one provider, or all, and settles what is found there. Failures end in the directory, never here. What is
   * no longer wanted when a provider is about to be asked, or has answered, is left.
   */
  async refresh(ctx: OperationContext, providerId?: string, isWanted: () => boolean = () => true): Promise<void> {
    const providers = providerId === undefined ? this.#providers.all() : [this.#providers.get(providerId)];
    const signal = AbortSignal.any([ctx.signal, this.#stopped.signal]);
    const own = { ...ctx, signal };
    await Promise.all(providers.map(provider => this.#refreshOne(provider, own, isWanted)));
    ctx.signal.throwIfAborted();
  }

  dispose(): void {
    this.#stopped.abort();
    this.#wake.dispose();
    this.unwatch();
    this.#changed.dispose();
    this.#observed.dispose();
  }

  async #refreshOne(provider: Provider, ctx: OperationContext, isWanted: () => boolean): Promise<void> {
    let observations: InstanceObservation[];
    const asked = new Map<string, number>();
    try {
      await this.#providers.reach(provider.id, ctx);
      if (!isWanted()) return;
      for (const { id, revision } of this.#registry.listInstances(provider.id)) asked.set(id, revision);
      observations = await provider.abilities.observe(ctx);
    } catch (error) {
      if (ctx.signal.aborted || !isWanted()) return;
      this.#unreachable(provider, error);
      this.#observed.fire({ provider, seen: undefined, problem: messageOf(error) });
      return;
    }
    if (!isWanted()) return;
    this.#providers.noteReachable(provider.id);
    const ours = observations.filter(seen => this.#isOurs(seen));
    this.#noteFound(provider.id, observations);
    const seen = new Map(byRemovalFirst(ours).map(observation => [observation.id, observation]));
    // What was written while the place was asked is newer than its answer.
    const known = this.#registry.listInstances(provider.id).filter(({ id, revision }) => asked.get(id) === revision);
    const [quick, slow] = partition(known, record => isQuick(settle(record, seen.get(record.id))));
    const strangers = ours.filter(seen => isKnown(seen) && this.#registry.getInstance(seen.id) === undefined);
    const [there, absent] = partition(quick, record => seen.has(record.id));
    await Promise.all(there.map(record => this.#settle(provider, record, seen.get(record.id), ctx)));
    await this.#confirmAbsences(provider, absent, ctx);
    if (!ctx.signal.aborted) this.#observed.fire({ provider, seen });
    await Promise.all([
      this.#pool(provider, 'acts').map(slow, record => this.#settle(provider, record, seen.get(record.id), ctx)),
      this.#pool(provider, 'looks').map(strangers, observation => this.#adoptQuietly(provider, observation, ctx)),
    ]);
  }

  /** Of our swarm, or of another and adopted by a person. */
  #isOurs({ id, swarmId }: InstanceObservation): boolean {
    return swarmId === this.#swarmId || this.#registry.getInstance(id) !== undefined;
  }

  #unreachable(provider: Provider, error: unknown): void {
    this.#providers.noteFailure(provider.id, error);
    const seen = { status: 'unknown', detail: messageOf(error) } as const;
    for (const record of this.#registry.listInstances(provider.id)) {
      if (!isChangedBySilence(record)) continue;
      this.#registry.observeInstance(record.id, current => withStatus(current, seen));
    }
  }

  #noteFound(providerId: string, observations: readonly InstanceObservation[]): void {
    const next = observations
      .filter(seen => isWhole(seen.role) && !this.#isOurs(seen))
      .map(observation => ({ providerId, observation }));
    const before = this.#found.get(providerId) ?? [];
    this.#found.set(providerId, next);
    if (!isSame(before, next)) this.#changed.fire();
  }

  async #settle(
    provider: Provider,
    record: InstanceRecord,
    seen: InstanceObservation | undefined,
    ctx: OperationContext,
  ): Promise<void> {
    const step = settle(record, seen);
    if (step.do === 'show') {
      // Somebody is at work on it: what the list call saw may be older than what that work has written.
      if (tellsWhatIsLeft(record) && (await this.#locks.isHeld(record.id))) return;
      if (step.status === 'unknown' && !isChangedBySilence(record)) return;
      this.#registry.observeInstance(record.id, current =>
        withStatus(current, { status: step.status, detail: step.detail, port: seen?.port, elsewhere: seen?.elsewhere }),
      );
      return;
    }
    if (await this.#locks.isHeld(record.id)) return;
    const act = () =>
      this.#locks.run(record.id, ctx, async ctx => {
        const current = await this.#registry.findInstance(record.id);
        if (!current) return;
        const again = settle(current, seen);
        if (again.do === 'note') await this.#note(provider, current.id, ctx);
        else if (again.do === 'confirm-absence') await this.#confirmAbsence(provider, current, ctx);
        else if (again.do !== 'show') await this.#finish(current, again.do, ctx);
      });
    const isHeavy = step.do === 'delete' || step.do === 'bring-back';
    if (isHeavy && !this.#backoff.isDue(record.id)) return;
    // What failed is in the record's error; a later refresh tries again.
    await (isHeavy ? this.#backoff.run(record.id, act) : act()).catch(() => {});
  }

  /**
   * What a list lacks is asked for, a few at a time. A list that lacks most is suspect: one that is there, or can't be
   * asked for, disproves it, and the others are left as they are. Of what is gone as far as is known one is asked for
   * again, and the others when that one is back.
   */
  async #confirmAbsences(provider: Provider, absent: readonly InstanceRecord[], ctx: OperationContext): Promise<void> {
    const ask = (record: InstanceRecord) => this.#settle(provider, record, undefined, ctx);
    const isGoneNow = ({ id }: InstanceRecord) => isGone(this.#registry.getInstance(id));
    const [gone, missing] = partition(absent, isGone);
    const present = this.#registry.listInstances(provider.id).length - gone.length;
    const one = isTooMany(missing.length, present) ? await this.#free(missing) : undefined;
    if (one) await ask(one);
    if (!one || isGoneNow(one))
      await this.#pool(provider, 'looks').map(
        missing.filter(record => record !== one),
        ask,
      );
    const [first, ...others] = gone;
    if (first) await ask(first);
    if (first && !isGoneNow(first)) await this.#pool(provider, 'looks').map(others, ask);
  }

  /** Of a provider, over all rounds; what only looks does not wait for what acts. */
  #pool({ id }: Provider, kind: 'looks' | 'acts'): LimitFunction {
    const key = `${kind} ${id}`;
    const pool = this.#pools.get(key) ?? pLimit(atOnce);
    this.#pools.set(key, pool);
    return pool;
  }

  /** One that nobody is at work on. */
  async #free(records: readonly InstanceRecord[]): Promise<InstanceRecord | undefined> {
    for (const record of records) if (!(await this.#locks.isHeld(record.id))) return record;
    return undefined;
  }

  /** By a get of its own: what the list call saw may be older than what this swarm has written since. */
  async #note(provider: Provider, instanceId: string, ctx: LockedContext): Promise<void> {
    const there = await provider.getInstance(instanceId, ctx);
    if (!there || there.status === 'unknown') return;
    await this.#registry.updateInstance(
      instanceId,
      underLock(ctx, (current: InstanceRecord) => {
        const next = told(current, there);
        return !next.overruled && hasEnded(next, there) ? withStatus(withoutError(next), there) : next;
      }),
    );
  }

  /** Absence is believed when a get says so twice (semantics 24). */
  async #confirmAbsence(provider: Provider, record: InstanceRecord, ctx: OperationContext): Promise<void> {
    const instance = await getTwice(provider, record.id, ctx);
    if (!instance && isGone(record)) return;
    this.#registry.observeInstance(record.id, current =>
      withStatus(current, instance ?? { status: 'lost', detail: `It is no longer on "${provider.id}".` }),
    );
  }

  async #adoptQuietly(provider: Provider, seen: InstanceObservation, ctx: OperationContext): Promise<void> {
    try {
      await this.#locks.run(seen.id, ctx, async ctx => {
        if ((await this.#registry.findInstance(seen.id)) || (await this.#isRemoved(seen.id))) return;
        const instance = await wholeInstance(provider, seen, ctx);
        // A list may be behind what is so.
        if (instance && isWhole(instance.role) && instance.swarmId === this.#swarmId)
          await this.#registry.registerInstance(adopted(instance), ctx);
      });
    } catch {
      // It is still on its provider, and the next refresh tries again.
    }
  }
}

/** Whether its absence is nothing new. */
const isGone = (record: InstanceRecord | undefined) =>
  record === undefined || ['failed', 'lost', 'trashed'].includes(record.status);

/** Whether a list that lacks so many of those that are there, as far as is known, is itself to be doubted. */
const isTooMany = (missing: number, present: number) => missing >= 3 && missing > present / 2;

/** So that the rest of a removal never hides another copy of the same id. */
const byRemovalFirst = (observations: readonly InstanceObservation[]) =>
  observations.toSorted((a, b) => Number(b.role === 'removing') - Number(a.role === 'removing'));

/** Whether a step only tells what is so; the others may take as long as a create. */
const isQuick = (step: Settlement) => ['show', 'confirm-absence', 'note'].includes(step.do);

/** What its place can't tell all of now may be adopted when it can. */
const isKnown = ({ role, status }: InstanceObservation) => isWhole(role) && status !== 'unknown';

/** A copy on its way, or parked, is no instance: the one that it is of lives elsewhere. */
const isWhole = (role: InstanceRole) => role === 'owner' || role === 'trash';

function partition<T>(items: readonly T[], first: (item: T) => boolean): [T[], T[]] {
  const { true: yes = [], false: no = [] } = Object.groupBy(items, item => (first(item) ? 'true' : 'false'));
  return [yes, no];
}

/**
 * Whether it is shown as unknown while its place can't tell how it is. One that failed may never have been made, and one
 * in the trash rests; what is left to be done in the others is known by their status.
 */
const isChangedBySilence = (record: InstanceRecord) =>
  !tellsWhatIsLeft(record) && record.status !== 'failed' && record.status !== 'trashed';
