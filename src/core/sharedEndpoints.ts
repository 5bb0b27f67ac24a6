import { wrongState } from '../model/errors.ts';
import type { Disposable } from '../model/event.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { type OperationContext, quietContext } from '../model/operationContext.ts';
import type { Endpoint } from '../model/provider.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';

/** A way into an instance, and how many use it. */
interface Way {
  readonly endpoint: Promise<Endpoint>;
  /** Where it begins, once it is there. */
  localPort: number | undefined;
  /** The instance as it was last seen with it. */
  seen: InstanceRecord;
  users: number;
}

/** A port inside an instance, or its editor server. */
type Port = number | undefined;

/**
 * The ways into instances that are open in this window: one for each port, shared by all who ask for it. It ends with
 * the last of them, and whatever they do when the instance no longer runs where and as it did.
 */
export class SharedEndpoints implements Disposable {
  readonly #ways = new Map<string, Map<Port, Way>>();
  readonly #subscription: Disposable;

  constructor(registry: InstanceRegistry) {
    this.#subscription = registry.onDidChange(({ id, record }) => this.#follow(id, record));
  }

  /** The port here that leads there, when there is one. */
  localPortOf(instanceId: string, port: Port): number | undefined {
    return this.#ways.get(instanceId)?.get(port)?.localPort;
  }

  /** Made by `connect` when there is none. What it gives is for its caller to dispose of. */
  async open(
    record: InstanceRecord,
    port: Port,
    connect: (ctx: OperationContext) => Promise<Endpoint>,
    ctx: OperationContext,
  ): Promise<Endpoint> {
    ctx.signal.throwIfAborted();
    const { id } = record;
    const ways = this.#ways.get(id) ?? new Map<Port, Way>();
    this.#ways.set(id, ways);
    // It is not only the first one's: who gives up ends it for nobody else.
    const way = ways.get(port) ?? { endpoint: connect(quietContext), localPort: undefined, seen: record, users: 0 };
    ways.set(port, way);
    way.users += 1;
    const leave = once(() => {
      way.users -= 1;
      if (way.users === 0) this.#end(id, port, way);
    });
    const gone = Promise.withResolvers<never>();
    const abort = () => gone.reject(ctx.signal.reason);
    ctx.signal.addEventListener('abort', abort, { once: true });
    try {
      const endpoint = await Promise.race([way.endpoint, gone.promise]);
      if (this.#ways.get(id)?.get(port) !== way) throw wrongState(id, 'stopped', 'start it first');
      way.localPort = endpoint.port;
      return { host: endpoint.host, port: endpoint.port, dispose: leave };
    } catch (error) {
      leave();
      throw error;
    } finally {
      ctx.signal.removeEventListener('abort', abort);
    }
  }

  /** Ends one, whoever uses it. */
  close(instanceId: string, port: Port): void {
    const way = this.#ways.get(instanceId)?.get(port);
    if (way) this.#end(instanceId, port, way);
  }

  dispose(): void {
    this.#subscription.dispose();
    for (const id of [...this.#ways.keys()]) this.#follow(id, undefined);
  }

  #follow(id: string, now: InstanceRecord | undefined): void {
    for (const [port, way] of [...(this.#ways.get(id) ?? [])]) {
      if (now && isSameRun(way.seen, now)) way.seen = now;
      else this.#end(id, port, way);
    }
  }

  #end(id: string, port: Port, way: Way): void {
    const ways = this.#ways.get(id);
    if (ways?.get(port) !== way) return;
    ways.delete(port);
    if (ways.size === 0) this.#ways.delete(id);
    void way.endpoint.then(
      endpoint => endpoint.dispose(),
      () => {},
    );
  }
}

/** Whether a way that led into it still does. That its provider is silent for a while ends none. */
export const isSameRun = (before: InstanceRecord, now: InstanceRecord): boolean =>
  now.providerId === before.providerId &&
  now.epoch === before.epoch &&
  (now.status === 'unknown' ||
    (now.status === 'running' && (before.status === 'unknown' || now.statusSince === before.statusSince)));

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
