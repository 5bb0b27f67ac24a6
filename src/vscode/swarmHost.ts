import type { AuditLog } from '../core/auditLog.ts';
import type { SwarmController } from '../core/swarmController.ts';
import type { ProviderConfig, SwarmConfig } from '../model/config.ts';
import { swarmBusy } from '../model/errors.ts';
import { type Disposable, Emitter, type Event } from '../model/event.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { Operation } from '../operations/operation.ts';
import type { OperationGate } from '../operations/operationGate.ts';
import type { ProviderField } from './providerFields.ts';

/** A kind of place the wizard can add, as the composition root knows it. */
export interface ProviderTypeInfo {
  readonly type: string;
  readonly title: string;
  /** Where it is told how to make the token with which it is reached; undefined when it needs none. */
  readonly tokenUrl?: string | undefined;
  readonly fields: readonly ProviderField[];
}

/** Everything behind the face. Heavy, so it is built at first need. */
export interface SwarmCore {
  readonly controller: SwarmController;
  readonly gate: OperationGate;
  /** Those that a chat gets as tools. */
  readonly operations: readonly Operation[];
  readonly audit: AuditLog;
  /** The settings in effect. */
  readonly config: SwarmConfig;
  readonly stateDirectory: string;
  readonly providerTypes: readonly ProviderTypeInfo[];
  /** Reaches a place that is configured so, and lets go of it. Rejects with the reason and its fix. */
  testProvider(config: ProviderConfig, ctx: OperationContext): Promise<void>;
  /** Keeps the token with which a provider is reached in the secret storage, in the place of the one before. */
  writeToken(providerId: string, token: string): Promise<void>;
  installEditorServer(ctx: OperationContext): Promise<void>;
  /** Leaves to another core what nobody asked for: to observe, to recover, to empty the trash. What runs goes on. */
  rest(): void;
  dispose(): Promise<void>;
}

/** Milliseconds for which a core that another one replaces waits for what runs on it. */
const longestFarewell = 3_600_000;
/** Milliseconds for which what needs that there is no core waits for what runs. */
const usualPatience = 60_000;

/** A core, and what runs on it. */
class CoreInUse {
  readonly core: SwarmCore;
  readonly #changes: Disposable;
  readonly #waiting = new Set<() => void>();
  #running = 0;
  #isLeft = false;
  #ended: Promise<void> | undefined;

  constructor(core: SwarmCore, changed: () => void) {
    this.core = core;
    this.#changes = core.controller.onDidChange(changed);
  }

  /** Nothing is begun on it any more. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  get isIdle(): boolean {
    return this.#running === 0 || this.#ended !== undefined;
  }

  async run<T>(work: (core: SwarmCore) => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work(this.core);
    } finally {
      this.#running--;
      this.#wake();
    }
  }

  /** Resolves when it is idle, or after that long, and tells which. */
  async untilIdle(milliseconds: number): Promise<boolean> {
    if (this.isIdle) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    this.#waiting.add(resolve);
    await promise;
    this.#waiting.delete(resolve);
    clearTimeout(timer);
    return this.isIdle;
  }

  /** Another one replaces it: it ends when nothing runs on it any more. */
  async leave(): Promise<void> {
    this.#isLeft = true;
    this.#changes.dispose();
    this.core.rest();
    await this.untilIdle(longestFarewell);
    await this.end();
  }

  end(): Promise<void> {
    this.#isLeft = true;
    this.#changes.dispose();
    this.#ended ??= this.core.dispose();
    this.#wake();
    return this.#ended;
  }

  #wake(): void {
    if (!this.isIdle) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/**
 * Holds the core of this window: built when first asked for, built anew when a setting wants it. What runs on the one
 * before is carried on there, as in another window, while all that is asked from then on goes to the new one.
 */
export class SwarmHost {
  readonly #build: () => Promise<SwarmCore>;
  readonly #changed = new Emitter<void>();
  #current: Promise<CoreInUse> | undefined;
  #ready: CoreInUse | undefined;
  #problem: unknown;
  /** Those that were replaced, and their ends. */
  readonly #leaving = new Map<CoreInUse, Promise<void>>();
  /** Rebuilds never overlap. */
  #last: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  /** Something that a view shows has changed, or the core itself came or went. */
  readonly onDidChange: Event<void> = this.#changed.event;

  constructor(build: () => Promise<SwarmCore>) {
    this.#build = build;
  }

  /** The core if it is there; never builds it. */
  get ready(): SwarmCore | undefined {
    return this.#ready?.core;
  }

  /** Why the last attempt to build it failed. */
  get problem(): unknown {
    return this.#problem;
  }

  /** The core, built if need be. After a failure the next call tries again. */
  async core(): Promise<SwarmCore> {
    return (await this.#inUse()).core;
  }

  /** Runs `work` with a core that is not taken away meanwhile. */
  async use<T>(work: (core: SwarmCore) => Promise<T>): Promise<T> {
    for (;;) {
      const inUse = await this.#inUse();
      if (!inUse.isLeft) return inUse.run(work);
    }
  }

  /** Builds the core anew, of the settings as they are now, if it was there. Nothing waits for that. */
  async reload(): Promise<void> {
    if (this.#current === undefined) return;
    await this.#inTurn(async () => {
      const before = this.#ready;
      // What was not built before it came to this is built at the next call.
      if (!before) return;
      try {
        this.#current = Promise.resolve(await this.#make());
      } finally {
        const end = before.leave().catch(() => {});
        this.#leaving.set(
          before,
          end.finally(() => this.#leaving.delete(before)),
        );
      }
    });
  }

  /**
   * Lets `work` be done while there is no core, and builds it again if it was there. Commands go on until nothing runs;
   * throws `swarmBusy`, with nothing done, when it does not come to that.
   */
  async whileDown(
    work: (last: SwarmCore | undefined) => Promise<void>,
    milliseconds: number = usualPatience,
  ): Promise<void> {
    const wasThere = this.#current !== undefined;
    await this.#inTurn(async () => {
      const last = this.#ready;
      const deadline = performance.now() + milliseconds;
      for (const one of [...this.#leaving.keys(), ...(last ? [last] : [])]) {
        while (!one.isIdle) {
          if (performance.now() >= deadline) throw swarmBusy();
          await one.untilIdle(deadline - performance.now());
        }
      }
      this.#current = undefined;
      this.#ready = undefined;
      await Promise.all([last?.end(), ...this.#leaving.values()]);
      await work(last?.core);
    }).finally(async () => {
      this.#changed.fire();
      if (wasThere) await this.core();
    });
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#changed.dispose();
    const current = this.#current;
    this.#current = Promise.reject(new Error('The extension was deactivated.'));
    this.#current.catch(() => {});
    const last = await current?.catch(() => undefined);
    await Promise.all([last, ...this.#leaving.keys()].map(one => one?.end()));
  }

  #inUse(): Promise<CoreInUse> {
    this.#current ??= this.#inTurn(() => this.#make());
    return this.#current;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #make(): Promise<CoreInUse> {
    try {
      const made = new CoreInUse(await this.#build(), () => this.#changed.fire());
      if (this.#isDisposed) {
        await made.end();
        throw new Error('The extension was deactivated.');
      }
      this.#ready = made;
      this.#problem = undefined;
      return made;
    } catch (error) {
      if (!this.#isDisposed) this.#current = undefined;
      this.#ready = undefined;
      this.#problem = error;
      throw error;
    } finally {
      this.#changed.fire();
    }
  }
}
