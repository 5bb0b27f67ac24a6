import { messageOf, providerUnusable, SwarmError, unknownProvider } from '../model/errors.ts';
import { Emitter } from '../model/event.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { Provider, ProviderCapabilities } from '../model/provider.ts';
import type { ProviderRecord } from '../model/providerRecord.ts';
import { isSame } from './isSame.ts';

/** How a provider answered last; `undefined` reachability: it was not asked yet. */
export interface ProviderCondition {
  readonly id: string;
  readonly type: string;
  readonly reachable: boolean | undefined;
  readonly problem?: string;
  /** The problem's stable code, by which faces choose the buttons that mend it. */
  readonly code?: string;
  readonly hint?: string;
}

/** The providers in use, in the order of the settings, and how each of them answers. */
export class ProviderDirectory {
  readonly #providers = new Map<string, Provider>();
  readonly #conditions = new Map<string, ProviderCondition>();
  /** Those that this window has reached itself. */
  readonly #reached = new Set<string>();
  /** What the others can do and take, as another window has told. */
  readonly #told = new Map<string, ProviderCapabilities>();
  readonly #changed = new Emitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #added = new Emitter<Provider>();
  /** Fires for a provider that was not there from the beginning. */
  readonly onDidAdd = this.#added.event;

  /** `rejected` are providers whose configuration can't be used; they are shown with their problem and never asked. */
  constructor(providers: readonly Provider[], rejected: readonly ProviderCondition[] = []) {
    for (const provider of providers) this.#put(provider);
    for (const condition of rejected) this.#conditions.set(condition.id, condition);
  }

  /** One whose place was not there at first. */
  add(provider: Provider): void {
    this.#put(provider);
    this.#added.fire(provider);
    this.#changed.fire();
  }

  all(): Provider[] {
    return [...this.#providers.values()];
  }

  find(providerId: string): Provider | undefined {
    return this.#providers.get(providerId);
  }

  /** Throws `unknownProvider`, or `providerUnusable` for one whose configuration is wrong. */
  get(providerId: string): Provider {
    const provider = this.#providers.get(providerId);
    if (provider) return provider;
    const { problem, hint } = this.#conditions.get(providerId) ?? {};
    if (problem !== undefined) throw providerUnusable(providerId, problem, hint);
    throw unknownProvider(providerId, this.ids());
  }

  ids(): string[] {
    return [...this.#providers.keys()];
  }

  /** Whether {@link resolve} has anything to say of it. */
  knows(idOrType: string): boolean {
    return this.#conditions.has(idOrType) || this.all().some(({ type }) => type === idOrType);
  }

  /** A provider by its id, or the first one of a type. Throws as {@link get} does. */
  resolve(idOrType: string): Provider {
    return this.#providers.get(idOrType) ?? this.all().find(({ type }) => type === idOrType) ?? this.get(idOrType);
  }

  conditions(): ProviderCondition[] {
    return [...this.#conditions.values()];
  }

  condition(providerId: string): ProviderCondition | undefined {
    return this.#conditions.get(providerId);
  }

  /** What it can do and take; undefined when, as far as is known here, no window has reached it. */
  knownCapabilities(providerId: string): ProviderCapabilities | undefined {
    return this.#reached.has(providerId) ? this.get(providerId).getCapabilities() : this.#told.get(providerId);
  }

  /** What it can do and take; the least of it as long as nobody has reached it. Throws as {@link get} does. */
  capabilities(providerId: string): ProviderCapabilities {
    return this.knownCapabilities(providerId) ?? this.get(providerId).getCapabilities();
  }

  /** Reaches a provider that did not answer last, or that only another window has reached. Rejects as it does. */
  async reach(providerId: string, ctx: OperationContext): Promise<void> {
    if (this.#reached.has(providerId) && this.condition(providerId)?.reachable === true) return;
    await this.get(providerId).initialize(ctx);
    this.#reached.add(providerId);
  }

  /** Shows what another window has found out. */
  show({ id, reachable, problem, code, hint, capabilities }: ProviderRecord): void {
    if (capabilities) this.#told.set(id, capabilities);
    this.#note({
      ...{ id, type: this.get(id).type, reachable },
      ...(problem !== undefined && { problem }),
      ...(code !== undefined && { code }),
      ...(hint !== undefined && { hint }),
    });
  }

  noteReachable(providerId: string): void {
    const { id, type } = this.get(providerId);
    this.#note({ id, type, reachable: true });
  }

  noteFailure(providerId: string, error: unknown): void {
    const { id, type } = this.get(providerId);
    const told = error instanceof SwarmError ? { code: error.code, ...(error.hint ? { hint: error.hint } : {}) } : {};
    this.#note({ id, type, reachable: false, problem: messageOf(error), ...told });
  }

  async dispose(): Promise<void> {
    this.#changed.dispose();
    this.#added.dispose();
    await Promise.allSettled(this.all().map(provider => provider.dispose()));
  }

  #put(provider: Provider): void {
    this.#providers.set(provider.id, provider);
    this.#conditions.set(provider.id, { id: provider.id, type: provider.type, reachable: undefined });
  }

  #note(next: ProviderCondition): void {
    const last = this.#conditions.get(next.id);
    this.#conditions.set(next.id, next);
    if (!isSame(last, next)) this.#changed.fire();
  }
}
