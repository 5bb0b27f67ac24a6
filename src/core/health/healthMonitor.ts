import type { HealthConfig } from '../../model/config.ts';
import { wrongState } from '../../model/errors.ts';
import { Emitter } from '../../model/event.ts';
import type { InstanceHealth } from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type { InstanceStats, Provider } from '../../model/provider.ts';
import type { KeyedLock, ObserverLease, Quarantined } from '../../model/stateStore.ts';
import type { InstanceRegistry } from '../instanceRegistry.ts';
import type { ProviderDirectory } from '../providerDirectory.ts';
import type { ProviderObservation, Reconciler } from '../reconciler.ts';
import { timestamp } from '../records.ts';
import { unsettledAt } from '../settlement.ts';
import { Examiner } from './examiner.ts';
import { forgetGone, type HealthBook } from './healthBook.ts';
import { wantsLook } from './healthChecks.ts';
import { countedAnew, isWatched, isWorthWriting, judge } from './healthRules.ts';
import { isSameStatus, placeIn, placeOf } from './places.ts';
import { type Patient, type Recover, Recoverer } from './recoverer.ts';
import { afterGoodHealth, freshRecovery } from './recoveryState.ts';
import type { Place, RoundFacts } from './roundFacts.ts';
import { guardRound, nextRoundIn } from './roundGuard.ts';
import { isTooMany, type Suspicion, suspectProviders, withoutBelieved } from './suspectProviders.ts';

export interface HealthMonitorOptions {
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly reconciler: Pick<Reconciler, 'onDidObserve' | 'refresh' | 'watch' | 'unwatch'>;
  readonly locks: KeyedLock;
  readonly book: HealthBook;
  readonly lease: ObserverLease;
  /** Whether there is another provider for it, without loss. */
  canMigrate(record: InstanceRecord): Promise<boolean>;
  /** The settings as they are now. */
  config(): HealthConfig;
  readonly recover: Recover;
}

/**
 * Watches the instances that are wanted running, and has them recovered (seed, Health Monitor). One window does so, the
 * observer; the others show what it writes (semantics 30). It costs one list call a provider and one request a running
 * instance each round; between the rounds the providers' events wake it.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #examiner = new Examiner();
  readonly #recoverer: Recoverer;
  readonly #disposed = new AbortController();
  readonly #changed = new Emitter<void>();
  /** Providers of which every instance is to be asked at the next look. */
  readonly #due = new Set<string>();
  readonly #looks = new Set<Promise<void>>();
  /** What each instance was seen as that is being looked at. */
  readonly #lookedAt = new Map<string, Place>();
  readonly #measuredAt = new Map<string, number>();
  /** For how many rounds each provider has been suspect without a break. */
  readonly #suspectRounds = new Map<string, number>();
  readonly #configs = new Map<string, string>();
  /** Undefined until this window, as the observer, has judged them. */
  #suspicion: Suspicion | undefined;
  #hold = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the clocks were last compared: also over a turn that was lost in a sleep. */
  #judged = { wall: Date.now(), mono: performance.now() };
  /** When the last round began. */
  #roundAt = Number.NEGATIVE_INFINITY;
  /** Something that a view shows has changed. */
  readonly onDidChange = this.#changed.event;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    const { registry, reconciler, book, lease, recover } = options;
    this.#recoverer = new Recoverer(
      book,
      recover,
      record => options.canMigrate(record),
      provider => void this.#ask(provider.id),
    );
    reconciler.onDidObserve(observation => this.#observe(observation));
    registry.onDidChange(({ id, record }) => this.#follow(id, record));
    book.onDidChange(() => this.#changed.fire());
    lease.onDidChange(() => this.#takeTurn());
  }

  /** Reads what was known, and waits for this window's turn to observe. */
  async start(): Promise<Quarantined[]> {
    const quarantined = await this.#options.book.load();
    this.#options.lease.start();
    return quarantined;
  }

  /** Whether this window observes. */
  get isObserver(): boolean {
    return this.#options.lease.epoch !== undefined;
  }

  /** Undefined when it was not looked at yet, when it is not wanted running, and while nobody watches. */
  get(instanceId: string): InstanceHealth | undefined {
    const { registry, book, config } = this.#options;
    const record = registry.getInstance(instanceId);
    return record && config().enabled && isWatched(record, undefined) ? book.get(instanceId) : undefined;
  }

  list(): InstanceHealth[] {
    return this.#options.registry.listInstances().flatMap(({ id }) => this.get(id) ?? []);
  }

  /**
   * Providers whose instances fail so many at once that nothing is recovered there now (semantics 10). Undefined when
   * that is not for this window to say, or not yet.
   */
  suspects(): Suspicion['suspects'] | undefined {
    return this.#options.config().enabled ? this.#suspicion?.suspects : [];
  }

  /** To be called when the settings have changed: the next round comes when they say, and at once where none was made. */
  followSettings(): void {
    const { enabled, checkInterval } = this.#options.config();
    if (!enabled) this.#roundAt = Number.NEGATIVE_INFINITY;
    if (this.isObserver) this.#schedule(this.#roundAt + checkInterval * 1000 - performance.now());
    this.#changed.fire();
  }

  /** All four checks, now. Throws `wrongState` for an instance that is not wanted running. */
  async check(instanceId: string, ctx: OperationContext = quietContext): Promise<InstanceHealth> {
    const { registry, providers, book, lease } = this.#options;
    const record = registry.getInstance(instanceId);
    if (!record || !isWatched(record, undefined))
      throw wrongState(instanceId, record?.status ?? 'lost', 'start it first');
    const provider = providers.get(record.providerId);
    const place = await placeOf(provider, record, ctx);
    const stats = await this.#examiner.measure(provider, [instanceId], ctx);
    const patient = await this.#examine(provider, record, place, stats.get(instanceId), ctx);
    const health = judge(patient.record, book.get(instanceId), patient.facts, this.#options.config());
    const seen = ({ recovery, pausedSince }: InstanceHealth) => ({ ...health, recovery, pausedSince });
    await (lease.isHeld() ? book.put(health, 'later') : book.amend(instanceId, seen).catch(() => {}));
    return health;
  }

  /** Lets the ladder begin anew. */
  async resetCrashLoop(instanceId: string): Promise<void> {
    await this.#options.book.amend(instanceId, health => ({ ...health, recovery: freshRecovery }));
  }

  /** While it is paused, an instance is neither checked nor recovered. */
  async pause(instanceId: string, paused: boolean): Promise<void> {
    await this.#options.book.amend(instanceId, ({ pausedSince: _pausedSince, ...health }) =>
      paused ? { ...health, pausedSince: timestamp() } : health,
    );
  }

  async dispose(): Promise<void> {
    this.#disposed.abort();
    this.#rest();
    this.#options.lease.dispose();
    await Promise.all(this.#looks);
    await this.#options.book.dispose();
    this.#changed.dispose();
  }

  #ctx(): OperationContext {
    return { signal: this.#hold.signal, report: () => {} };
  }

  /** This window has become the observer, or is it no more. */
  #takeTurn(): void {
    this.#rest();
    if (this.#options.lease.epoch !== undefined && !this.#disposed.signal.aborted) {
      this.#hold = new AbortController();
      this.#options.reconciler.watch(providerId => void this.#ask(providerId));
      this.#schedule(0, true);
    }
    this.#changed.fire();
  }

  #rest(): void {
    this.#hold.abort();
    clearTimeout(this.#timer);
    this.#recoverer.dispose();
    this.#options.reconciler.unwatch();
    this.#suspicion = undefined;
  }

  /** Plans the next round, in place of one that was planned. */
  #schedule(milliseconds: number, isFirst = false): void {
    const wait = Math.max(0, milliseconds);
    const planned = performance.now() + wait;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#round(planned, isFirst), wait);
  }

  /** Observes a provider, or all; never rejects. One who slept may not have heard yet that another observes now. */
  async #ask(providerId?: string): Promise<void> {
    const { lease, reconciler } = this.#options;
    const { epoch } = lease;
    const isWanted = () => lease.isHeld() && lease.epoch === epoch;
    if (isWanted()) await reconciler.refresh(this.#ctx(), providerId, isWanted).catch(() => {});
  }

  /** One round; never rejects, and plans the next one. The first is for all that is shown; unwatched, for what is left. */
  async #round(planned: number, isFirst: boolean): Promise<void> {
    const { signal } = this.#hold;
    const { registry, book, providers, config, lease } = this.#options;
    if (!lease.isHeld()) return;
    if (isFirst) await forgetGone(registry, book);
    const period = config().checkInterval * 1000;
    const now = { wall: Date.now(), mono: performance.now() };
    const verdict = guardRound(
      { wallBefore: this.#judged.wall, monoBefore: this.#judged.mono, wallNow: now.wall, monoNow: now.mono, planned },
      period,
    );
    this.#judged = now;
    if (config().enabled) {
      this.#roundAt = now.mono;
      if (verdict.do === 'throw-away') await this.#countAnew(verdict.reason);
      else for (const { id } of providers.all()) this.#due.add(id);
    }
    const asked = config().enabled || isFirst ? [undefined] : unsettledAt(registry.listInstances());
    await Promise.all(asked.map(id => this.#ask(id)));
    await Promise.all(this.#looks);
    if (signal.aborted) return;
    if (config().enabled) await this.#noteUnprovided();
    this.#schedule(nextRoundIn(config().checkInterval * 1000, Math.random()));
  }

  /** Nothing that was seen up to now counts as a failure in a row (semantics 9). */
  async #countAnew(reason: string): Promise<void> {
    const { book } = this.#options;
    const anew = this.list().map(health => ({ health, counted: countedAnew(health, Date.now(), reason) }));
    const changed = anew.filter(({ health, counted }) => counted !== health);
    await Promise.all(changed.map(({ counted }) => book.put(counted, 'later')));
  }

  /** Nobody can say how instances are whose provider is in use no more. */
  async #noteUnprovided(): Promise<void> {
    const { registry, providers, lease } = this.#options;
    for (const record of registry.listInstances()) {
      const { id, providerId } = record;
      if (providers.find(providerId) || !this.#isWatched(id) || !lease.isHeld()) continue;
      const reason = providers.condition(providerId)?.problem ?? 'it is not among the providers in use';
      const facts = { at: Date.now(), place: { kind: 'failed', reason }, observerEpoch: lease.epoch ?? 0 } as const;
      await this.#note({ record, facts });
    }
  }

  /** Looks at what a provider was seen to have. Looks may overlap: an instance that hangs holds up no other one. */
  #observe(observation: ProviderObservation): void {
    if (this.#options.lease.epoch === undefined || !this.#options.config().enabled) return;
    // A look is given up only with the lease; then another window looks.
    const look = this.#look(observation)
      .catch(() => {})
      .finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  async #look({ provider, seen, problem }: ProviderObservation): Promise<void> {
    const { registry, book, config, lease } = this.#options;
    const ctx = this.#ctx();
    const everyone = this.#due.delete(provider.id);
    const lookedAt = registry.listInstances(provider.id).flatMap(record => {
      const before = book.get(record.id);
      const place = placeIn(record, seen, problem);
      const isFree = isWatched(record, before) && !this.#recoverer.isBusyWith(record.id);
      // A look that is under way answers for this one too, unless the instance is seen as something else now.
      const isUnderWay = isSameStatus(this.#lookedAt.get(record.id), place);
      return isFree && !isUnderWay && (everyone || wantsLook(before, place)) ? [{ record, place }] : [];
    });
    for (const { record, place } of lookedAt) this.#lookedAt.set(record.id, place);
    try {
      const stats = everyone ? await this.#measure(provider, lookedAt, ctx) : undefined;
      const examined = await Promise.all(
        lookedAt.map(async ({ record, place }) => {
          // Somebody is at work on it, and says itself what came of that.
          if (await this.#options.locks.isHeld(record.id)) return [];
          const patient = await this.#examine(provider, record, place, stats?.get(record.id), ctx);
          return [{ patient, place }];
        }),
      );
      if (!lease.isHeld() || ctx.signal.aborted) return;
      const judged = examined.flat().flatMap(({ patient, place }) => {
        const { id } = patient.record;
        const isLatest = this.#lookedAt.get(id) === place && !this.#recoverer.isBusyWith(id);
        return isLatest && this.#isWatched(id) ? [patient] : [];
      });
      for (const patient of judged) await this.#note(patient);
      this.#suspect(everyone ? provider.id : undefined);
      const { epoch } = lease;
      const mayAct = () => lease.isHeld() && lease.epoch === epoch;
      for (const { facts, record } of judged) {
        // What is done about one takes its time, in which persons act on the others.
        const now = registry.getInstance(record.id);
        if (!now || !this.#isWatched(now.id)) continue;
        const patient = { provider, facts, record: now };
        const ward = () => ({ fleet: this.list().length, frozen: this.#frozen(patient, seen), config: config() });
        await this.#recoverer.consider(patient, ward, mayAct, ctx);
      }
    } finally {
      for (const { record, place } of lookedAt) {
        if (this.#lookedAt.get(record.id) === place) this.#lookedAt.delete(record.id);
      }
    }
  }

  async #examine(
    provider: Provider,
    record: InstanceRecord,
    place: Place,
    stats: InstanceStats | undefined,
    ctx: OperationContext,
  ): Promise<Patient> {
    const { registry, book, lease, config } = this.#options;
    const first: RoundFacts = { at: Date.now(), place, stats, observerEpoch: lease.epoch ?? 0 };
    const facts = await this.#examiner.examine(provider, record, book.get(record.id), first, config(), ctx);
    return { provider, record: registry.getInstance(record.id) ?? record, facts: { ...facts, at: Date.now() } };
  }

  #isWatched(instanceId: string): boolean {
    const { registry, book } = this.#options;
    const record = registry.getInstance(instanceId);
    return record !== undefined && isWatched(record, book.get(instanceId));
  }

  async #note({ record, facts }: Pick<Patient, 'record' | 'facts'>): Promise<void> {
    const { book, config } = this.#options;
    const before = book.get(record.id);
    const judged = judge(record, before, facts, config());
    const healthySince = judged.status === 'healthy' ? Date.parse(judged.since) : undefined;
    const after = { ...judged, recovery: afterGoodHealth(judged.recovery, healthySince, facts.at, config()) };
    await book.put(after, isWorthWriting(before, after) ? 'later' : 'with-the-next');
  }

  /** What the instances that run use, when it is time to measure again. */
  async #measure(
    provider: Provider,
    looked: readonly { readonly record: InstanceRecord }[],
    ctx: OperationContext,
  ): Promise<ReadonlyMap<string, InstanceStats> | undefined> {
    const now = performance.now();
    const last = this.#measuredAt.get(provider.id);
    if (last !== undefined && now - last < this.#options.config().resourceInterval * 1000) return undefined;
    this.#measuredAt.set(provider.id, now);
    const running = looked.filter(({ record }) => record.status === 'running').map(({ record }) => record.id);
    return running.length === 0 ? undefined : this.#examiner.measure(provider, running, ctx);
  }

  /** Judges the providers by their instances; `rounded` names one whose round this is. */
  #suspect(rounded: string | undefined): void {
    const { registry, providers, config } = this.#options;
    const rows = this.list().flatMap(health => {
      const providerId = this.#isWatched(health.id) ? registry.getInstance(health.id)?.providerId : undefined;
      return providerId !== undefined && providers.find(providerId) ? [{ providerId, health }] : [];
    });
    const suspicion = suspectProviders(rows, config());
    const suspect = new Set(suspicion.suspects.map(({ providerId }) => providerId));
    for (const id of this.#suspectRounds.keys()) if (!suspect.has(id)) this.#suspectRounds.delete(id);
    if (rounded !== undefined && suspect.has(rounded)) {
      this.#suspectRounds.set(rounded, (this.#suspectRounds.get(rounded) ?? 0) + 1);
    }
    this.#suspicion = withoutBelieved(suspicion, rows, this.#suspectRounds, config());
  }

  /**
   * A provider that says the same in round after round means it, also when every provider does, as after a restart of
   * this machine: then its instances are recovered, a few at a time. But for what it does not list: an engine may go on
   * listing nothing for as long as its disk is full (semantics 24).
   */
  #frozen({ provider, facts }: Patient, seen: ProviderObservation['seen']): string | undefined {
    const suspect = this.#suspicion?.suspects.find(({ providerId }) => providerId === provider.id);
    if (facts.place.kind === 'absent') {
      const { registry, config } = this.#options;
      const watched = registry.listInstances(provider.id).filter(({ id }) => this.#isWatched(id));
      // By the list itself: the others' absence may not be confirmed yet.
      const unlisted = watched.filter(({ id }) => !seen?.has(id)).length;
      if (isTooMany(unlisted, watched.length, config()))
        return `"${provider.id}" does not list ${unlisted} of ${watched.length} instances. That is no proof that they are gone: nothing is made in their place.`;
    }
    const needed = this.#options.config().failureThreshold;
    if ((this.#suspectRounds.get(provider.id) ?? 0) > needed) return undefined;
    const until = `until ${needed} more rounds have said the same.`;
    if (this.#suspicion?.ownNetwork)
      return `Every provider fails at once: that may be this machine. Nothing is recovered ${until}`;
    return suspect && `${suspect.reason} The provider itself is suspect: nothing is recovered there ${until}`;
  }

  /** Keeps what is known of an instance in step with its record: a changed config ends a crash loop (semantics 12). */
  #follow(id: string, record: InstanceRecord | undefined): void {
    const { book, lease } = this.#options;
    const before = this.#configs.get(id);
    const config = record && JSON.stringify(record.config);
    if (config === undefined) this.#configs.delete(id);
    else this.#configs.set(id, config);
    const health = book.get(id);
    if (!health || !lease.isHeld()) return;
    if (!record) void book.forget(id).catch(() => {});
    else if (before !== undefined && before !== config && health.recovery.crashLoop) {
      void book.put({ ...health, recovery: freshRecovery }, 'now').catch(() => {});
    }
  }
}
