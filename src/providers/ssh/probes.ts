import { providerUnreachable } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Probe } from '../../model/provider.ts';

/** One instance to be asked; without a port, on the one that it has. */
export type WantedProbe = readonly [instanceId: string, port: number | null];

interface Waiting {
  readonly wanted: WantedProbe;
  readonly signal: AbortSignal;
  readonly since: number;
  resolve(probe: Probe): void;
  reject(reason: unknown): void;
}

/** How long others may join; milliseconds. */
const gathering = 20;

/** Probes that are wanted at about the same time become one call to the host, whatever their number. */
export class Probes {
  readonly #providerId: string;
  readonly #ask: (wanted: readonly WantedProbe[], ctx: OperationContext) => Promise<Probe[]>;
  #waiting: Waiting[] = [];

  constructor(providerId: string, ask: (wanted: readonly WantedProbe[], ctx: OperationContext) => Promise<Probe[]>) {
    this.#providerId = providerId;
    this.#ask = ask;
  }

  /** As `ProviderAbilities.probe`; a silence that may be the connection's is none of the editor server's. */
  async probe(wanted: WantedProbe, { signal }: OperationContext): Promise<Probe> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setTimeout(() => void this.#send(), gathering);
      this.#waiting.push({ wanted, signal, since: performance.now(), resolve, reject });
    });
  }

  async #send(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    const end = new AbortController();
    const gone = new Set<Waiting>();
    const listeners = batch.map(one => {
      const abort = () => {
        const { reason } = one.signal;
        if (isTimeout(reason)) return end.abort(reason);
        one.reject(reason);
        if (gone.add(one).size === batch.length) end.abort(reason);
      };
      one.signal.addEventListener('abort', abort, { once: true });
      if (one.signal.aborted) abort();
      return () => one.signal.removeEventListener('abort', abort);
    });
    try {
      const wanted = batch.map(one => one.wanted);
      const probes = await this.#ask(wanted, { signal: end.signal, report: () => {} });
      for (const [index, one] of batch.entries()) this.#settle(one, probes[index]);
    } catch (error) {
      const reason = isTimeout(error) ? this.#silent(error) : error;
      for (const one of batch) one.reject(reason);
    } finally {
      for (const stop of listeners) stop();
    }
  }

  /** Of an editor server that was asked for less than half of the time it is not known that it is silent. */
  #settle(one: Waiting, probe: Probe | undefined): void {
    const isOurs =
      one.signal.aborted && probe?.answered === false && probe.latencyMs * 2 < performance.now() - one.since;
    if (probe === undefined || isOurs) one.reject(this.#silent());
    else one.resolve(probe);
  }

  #silent(cause?: unknown) {
    return providerUnreachable(
      this.#providerId,
      'the connection to its host took too long',
      'Check the network and the load of the host.',
      cause,
    );
  }
}

const isTimeout = (error: unknown) => error instanceof Error && error.name === 'TimeoutError';
