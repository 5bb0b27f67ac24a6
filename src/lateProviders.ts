import type { ProviderDirectory } from './core/providerDirectory.ts';
import { type OperationContext, withTimeout } from './model/operationContext.ts';
import type { Provider } from './model/provider.ts';

/** Milliseconds between two looks: a place that is not there is no more than a socket that can't be opened. */
const period = 15_000;
const patience = 10_000;

/** Default providers whose places were not there at the start, as an engine that is started later: each is added once it is. */
export class LateProviders {
  readonly #providers: ProviderDirectory;
  readonly #awaited: Set<Provider>;
  readonly #onFound: (providerId: string) => void;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(providers: ProviderDirectory, awaited: readonly Provider[], onFound: (providerId: string) => void) {
    this.#providers = providers;
    this.#awaited = new Set(awaited);
    this.#onFound = onFound;
    this.#plan();
  }

  async dispose(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await Promise.allSettled([...this.#awaited].map(provider => provider.dispose()));
  }

  #plan(): void {
    if (this.#awaited.size === 0 || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#plan()), period);
  }

  async #look(): Promise<void> {
    const ctx: OperationContext = { signal: this.#stop.signal, report: () => {} };
    for (const provider of this.#awaited) {
      const isThere = await provider.initialize(withTimeout(ctx, patience)).then(
        () => true,
        () => false,
      );
      if (!isThere || ctx.signal.aborted) continue;
      this.#awaited.delete(provider);
      this.#providers.add(provider);
      this.#onFound(provider.id);
    }
  }
}
