import type { AuditLog } from '../core/auditLog.ts';
import type { SwarmController } from '../core/swarmController.ts';
import type { ProviderConfig, SwarmConfig } from '../model/config.ts';
import { Emitter, type Event } from '../model/event.ts';
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
  dispose(): Promise<void>;
}

/** Holds the one core of this window: built when first asked for, built anew when a setting wants it. */
export class SwarmHost {
  readonly #build: () => Promise<SwarmCore>;
  readonly #changed = new Emitter<void>();
  #core: Promise<SwarmCore> | undefined;
  #ready: SwarmCore | undefined;
  #problem: unknown;
  /** Ends when the one before it has: rebuilds never overlap. */
  #last: Promise<void> = Promise.resolve();
  #running = 0;
  #idle: (() => void)[] = [];

  /** Something that a view shows has changed, or the core itself came or went. */
  readonly onDidChange: Event<void> = this.#changed.event;

  constructor(build: () => Promise<SwarmCore>) {
    this.#build = build;
  }

  /** The core if it is there; never builds it. */
  get ready(): SwarmCore | undefined {
    return this.#ready;
  }

  /** Why the last attempt to build it failed. */
  get problem(): unknown {
    return this.#problem;
  }

  /** The core, built if need be. After a failure the next call tries again. */
  core(): Promise<SwarmCore> {
    this.#core ??= this.#last.then(() => this.#make());
    return this.#core;
  }

  /** Runs `work` with a core that is not taken away meanwhile. */
  async use<T>(work: (core: SwarmCore) => Promise<T>): Promise<T> {
    const core = await this.core();
    this.#running++;
    try {
      return await work(core);
    } finally {
      this.#running--;
      if (this.#running === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  /** Ends the core once nothing runs on it, lets `between` work while it is down, and builds it again if it was there. */
  reload(between: (last: SwarmCore | undefined) => Promise<void> = async () => {}): Promise<void> {
    const previous = this.#core;
    const turn = this.#last.then(async () => {
      const last = await previous?.catch(() => undefined);
      await this.#untilIdle();
      this.#ready = undefined;
      await last?.dispose();
      await between(last);
    });
    this.#last = turn.catch(() => {});
    this.#core = undefined;
    return turn.finally(async () => {
      this.#changed.fire();
      if (previous !== undefined) await this.core();
    });
  }

  async dispose(): Promise<void> {
    this.#changed.dispose();
    const core = this.#core;
    this.#core = Promise.reject(new Error('The extension was deactivated.'));
    this.#core.catch(() => {});
    await (await core?.catch(() => undefined))?.dispose();
  }

  async #make(): Promise<SwarmCore> {
    try {
      const core = await this.#build();
      core.controller.onDidChange(() => this.#changed.fire());
      this.#ready = core;
      this.#problem = undefined;
      return core;
    } catch (error) {
      this.#core = undefined;
      this.#problem = error;
      throw error;
    } finally {
      this.#changed.fire();
    }
  }

  #untilIdle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise(resolve => this.#idle.push(resolve));
  }
}
