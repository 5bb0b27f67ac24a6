import { messageOf, providerUnusable, SwarmError, unknownProvider } from '../model/errors.ts';
import { Emitter } from '../model/event.ts';
import type { Provider } from '../model/provider.ts';

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
  readonly #changed = new Emitter<void>();
  readonly onDidChange = this.#changed.event;

  /** `rejected` are providers whose configuration can't be used; they are shown with their problem and never asked. */
  constructor(providers: readonly Provider[], rejected: readonly ProviderCondition[] = []) {
    for (const provider of providers) {
      this.#providers.set(provider.id, provider);
      this.#conditions.set(provider.id, { id: provider.id, type: provider.type, reachable: undefined });
    }
    for (const condition of rejected) this.#conditions.set(condition.id, condition);
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
    await Promise.allSettled(this.all().map(provider => provider.dispose()));
  }

  #note(next: ProviderCondition): void {
    const last = this.#conditions.get(next.id);
    this.#conditions.set(next.id, next);
    if (last?.reachable !== next.reachable || last?.problem !== next.problem) this.#changed.fire();
  }
}
