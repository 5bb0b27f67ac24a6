import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { SwarmError, timedOut } from '../model/errors.ts';
import type { Disposable } from '../model/event.ts';
import type { InstanceFilter, VSCodeInstance } from '../model/instance.ts';
import { type LockedContext, type OperationContext, quietContext } from '../model/operationContext.ts';
import type {
  CommandResult,
  ExecuteOptions,
  InstanceChange,
  InstanceLogs,
  InstanceSpec,
  LogOptions,
  Provider,
  ProviderAbilities,
  ProviderCapabilities,
} from '../model/provider.ts';
import { ObservationCache } from './observationCache.ts';
import { translateError } from './translateError.ts';

/**
 * How long a call may be silent before it is given up, in milliseconds. Each report of progress starts the time anew,
 * so that a pull that goes on may last, while one that hangs does not.
 */
export interface GuardTimes {
  /** Lists, gets, logs and everything else that only asks. */
  readonly read: number;
  /** Start, stop, update, trash, restore, delete. */
  readonly change: number;
  readonly create: number;
  /** How long a change that was given up may still roll back before its caller is answered. */
  readonly rollBack: number;
  /** First pause before a retry; each further one doubles, with jitter. */
  readonly retryPause: number;
}

export const defaultGuardTimes: GuardTimes = {
  read: 10_000,
  change: 60_000,
  create: 180_000,
  rollBack: 15_000,
  retryPause: 200,
};

const attempts = 3;
const isRetryable = (error: Error) => error instanceof SwarmError && error.family === 'network' && error.retryable;

/**
 * Holds any provider to its contract, whatever its engine does: a call ends in time, errors are `SwarmError`s, network
 * errors that may pass are retried with exponential back-off and jitter (all provider methods but `executeCommand` are
 * safe to repeat), and observations of the same moment are made once. The caller's abort ends a read at once, and a
 * change as soon as it is rolled back.
 */
export class GuardedProvider implements Provider {
  readonly id: string;
  readonly type: string;
  readonly abilities: ProviderAbilities;
  readonly #inner: Provider;
  readonly #times: GuardTimes;
  readonly #observations: ObservationCache;

  constructor(inner: Provider, times: GuardTimes = defaultGuardTimes) {
    this.id = inner.id;
    this.type = inner.type;
    this.#inner = inner;
    this.#times = times;
    this.#observations = new ObservationCache(() =>
      this.#read('The list of instances', quietContext, ctx => inner.abilities.observe(ctx)),
    );
    this.abilities = this.#guardAbilities(inner.abilities);
  }

  getCapabilities(): ProviderCapabilities {
    return this.#inner.getCapabilities();
  }

  initialize(ctx: OperationContext = quietContext): Promise<void> {
    return this.#call('Reaching the provider', this.#times.change, 0, ctx, inner => this.#inner.initialize(inner));
  }

  createInstance(spec: InstanceSpec, ctx: LockedContext): Promise<VSCodeInstance> {
    return this.#change('The creation', ctx, inner => this.#inner.createInstance(spec, inner), this.#times.create);
  }

  getInstance(instanceId: string, ctx?: OperationContext): Promise<VSCodeInstance | null> {
    return this.#read('The look at the instance', ctx, inner => this.#inner.getInstance(instanceId, inner));
  }

  listInstances(filter?: InstanceFilter, ctx?: OperationContext): Promise<VSCodeInstance[]> {
    return this.#read('The list of instances', ctx, inner => this.#inner.listInstances(filter, inner));
  }

  startInstance(instanceId: string, ctx: LockedContext): Promise<VSCodeInstance> {
    return this.#change('The start', ctx, inner => this.#inner.startInstance(instanceId, inner));
  }

  stopInstance(instanceId: string, force: boolean, ctx: LockedContext): Promise<VSCodeInstance> {
    return this.#change('The stop', ctx, inner => this.#inner.stopInstance(instanceId, force, inner));
  }

  deleteInstance(instanceId: string, ctx: LockedContext): Promise<boolean> {
    return this.#change('The deletion', ctx, inner => this.#inner.deleteInstance(instanceId, inner));
  }

  updateInstance(
    instanceId: string,
    config: InstanceChange,
    ctx: LockedContext,
    secrets?: Readonly<Record<string, string>>,
  ): Promise<VSCodeInstance> {
    return this.#change('The update', ctx, inner => this.#inner.updateInstance(instanceId, config, inner, secrets));
  }

  getInstanceLogs(instanceId: string, options?: LogOptions, ctx?: OperationContext): Promise<InstanceLogs> {
    return this.#read('Reading the logs', ctx, inner => this.#inner.getInstanceLogs(instanceId, options, inner));
  }

  /** Never repeated, and as long as the command takes: only the caller's signal ends it. */
  executeCommand(instanceId: string, command: string, options: ExecuteOptions = quietContext): Promise<CommandResult> {
    return this.#call('The command', undefined, this.#times.rollBack, options, ctx =>
      this.#inner.executeCommand(instanceId, command, { ...options, ...ctx }),
    );
  }

  async dispose(): Promise<void> {
    await this.#inner.dispose();
  }

  #guardAbilities(inner: ProviderAbilities): ProviderAbilities {
    const { remakes, describe, heard, giveUpServer, openHome, freeBytes, homeBytes, strayHomes, watch, stats } = inner;
    const { terminal, followLogs, listPorts, attachUri } = inner;
    return {
      images: inner.images,
      limits: inner.limits,
      ...(inner.costsAtRest !== undefined && { costsAtRest: inner.costsAtRest }),
      ...(remakes && { remakes: remakes.bind(inner) }),
      observe: ctx => this.#observations.get(ctx ?? quietContext),
      ...(describe && {
        describe: (seen, ctx) => this.#read('Reading its record', ctx, c => describe.call(inner, seen, c)),
      }),
      readToken: (id, ctx) => this.#read('Reading the token', ctx, c => inner.readToken(id, c)),
      workspacePath: id => inner.workspacePath(id),
      installExtensionCommand: (id, extension) => inner.installExtensionCommand(id, extension),
      connect: (id, port, ctx) => this.#read('The connection', ctx, c => inner.connect(id, port, c)),
      // As long as its caller allows, and once: a probe that fails is a finding, and whoever counts them asks again.
      probe: (id, port, ctx) =>
        this.#call('The probe', undefined, this.#times.rollBack, ctx, c => inner.probe(id, port, c)),
      ...(heard && { heard: heard.bind(inner) }),
      hasHome: (id, ctx) => this.#read('Looking for the home', ctx, c => inner.hasHome(id, c)),
      recreateInstance: (spec, ctx) =>
        this.#change('Making it anew', ctx, c => inner.recreateInstance(spec, c), this.#times.create),
      trashInstance: (id, ctx) => this.#change('Moving to the trash', ctx, c => inner.trashInstance(id, c)),
      restoreInstance: (id, ctx) => this.#change('The restore', ctx, c => inner.restoreInstance(id, c)),
      prepareIncoming: (spec, ctx) =>
        this.#change('Making the target', ctx, c => inner.prepareIncoming(spec, c), this.#times.create),
      setRole: (id, role, ctx) => this.#change('The change of role', ctx, c => inner.setRole(id, role, c)),
      transfer: (id, heir, ctx) => this.#change('The adoption', ctx, c => inner.transfer(id, heir, c)),
      ...(giveUpServer && {
        giveUpServer: (id, ctx) => this.#change('Taking it over', ctx, c => giveUpServer.call(inner, id, c)),
      }),
      ...(openHome && {
        openHome: (id, task, ctx) =>
          this.#call('Reaching the home', this.#times.change, this.#times.rollBack, ctx ?? quietContext, c =>
            openHome.call(inner, id, task, c),
          ),
      }),
      ...(freeBytes && { freeBytes: ctx => this.#read('Looking for room', ctx, c => freeBytes.call(inner, c)) }),
      // A disk may have to be walked for it.
      ...(homeBytes && {
        homeBytes: (ids, ctx) =>
          this.#call('Measuring homes', this.#times.change, 0, ctx ?? quietContext, c => homeBytes.call(inner, ids, c)),
      }),
      ...(strayHomes && {
        strayHomes: (swarmId, ctx) => this.#read('Looking for homes', ctx, c => strayHomes.call(inner, swarmId, c)),
      }),
      ...(watch && { watch: wake => this.#watch(watch.bind(inner), wake) }),
      ...(stats && { stats: (ids, ctx) => this.#read('Measuring', ctx, c => stats.call(inner, ids, c)) }),
      ...(terminal && { terminal: (id, ctx) => this.#read('The terminal', ctx, c => terminal.call(inner, id, c)) }),
      ...(followLogs && {
        followLogs: (id, sink, ctx) =>
          this.#call('Following the logs', undefined, 0, ctx, c => followLogs.call(inner, id, sink, c)),
      }),
      ...(listPorts && {
        listPorts: (id, ctx) => this.#read('The list of ports', ctx, c => listPorts.call(inner, id, c)),
      }),
      ...(attachUri && {
        attachUri: id => this.#read('The address', quietContext, () => attachUri.call(inner, id)),
      }),
    };
  }

  #watch(watch: NonNullable<ProviderAbilities['watch']>, wake: (instanceId: string | undefined) => void): Disposable {
    return watch(instanceId => {
      this.#observations.forget();
      wake(instanceId);
    });
  }

  #read<T>(what: string, ctx: OperationContext = quietContext, work: (ctx: OperationContext) => Promise<T>) {
    return this.#call(what, this.#times.read, 0, ctx, inner => this.#retried(inner, work));
  }

  /** Each try of it is made only while the lock is held (semantics 44). */
  async #change<T>(
    what: string,
    ctx: LockedContext,
    work: (ctx: LockedContext) => Promise<T>,
    silence = this.#times.change,
  ): Promise<T> {
    this.#observations.forget();
    const proven = async (own: LockedContext) => {
      own.lock.assertHeld();
      return work(own);
    };
    try {
      return await this.#call(what, silence, this.#times.rollBack, ctx, inner => this.#retried(inner, proven));
    } finally {
      this.#observations.forget();
    }
  }

  #retried<T, C extends OperationContext>(ctx: C, work: (ctx: C) => Promise<T>): Promise<T> {
    const backoff = new ExponentialBackoff({ initialDelay: this.#times.retryPause, maxDelay: 5_000 });
    return retry(handleWhen(isRetryable), { maxAttempts: attempts - 1, backoff }).execute(
      () => work(ctx).catch((error: unknown) => Promise.reject(translateError(this.id, error, ctx.signal))),
      ctx.signal,
    );
  }

  /**
   * Settles with `work`, or at the latest `rollBack` after the signal was aborted or `silence` passed without a report.
   * The provider sees a signal that is aborted in both cases.
   */
  async #call<T, C extends OperationContext>(
    what: string,
    silence: number | undefined,
    rollBack: number,
    ctx: C,
    work: (ctx: C) => Promise<T>,
  ): Promise<T> {
    ctx.signal.throwIfAborted();
    const end = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const listen = () => {
      clearTimeout(timer);
      if (silence === undefined || end.signal.aborted) return;
      timer = setTimeout(() => end.abort(timedOut(`${what} at "${this.id}"`, silence)), silence);
    };
    const givenUp = new Promise<never>((_, reject) => {
      end.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        timer = setTimeout(() => reject(end.signal.reason), rollBack);
      });
    });
    const abort = () => end.abort(ctx.signal.reason);
    ctx.signal.addEventListener('abort', abort, { once: true });
    listen();
    const report = (message: string, fraction?: number) => {
      listen();
      ctx.report(message, fraction);
    };
    try {
      return await Promise.race([work({ ...ctx, signal: end.signal, report }), givenUp]);
    } catch (error) {
      throw translateError(this.id, error, end.signal);
    } finally {
      clearTimeout(timer);
      ctx.signal.removeEventListener('abort', abort);
    }
  }
}
