import type { LockedContext } from '../model/operationContext.ts';
import type { KeyedLock } from '../model/stateStore.ts';
import { claimName } from './admission.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';

/** Gives names, one at a time in all windows, so that no two of them look alike. */
export class InstanceNames {
  readonly #registry: InstanceRegistry;
  readonly #locks: KeyedLock;

  constructor(registry: InstanceRegistry, locks: KeyedLock) {
    this.#registry = registry;
    this.#locks = locks;
  }

  /** `write` makes the record that bears the name from then on, or again; `owner`: who may have it already. Throws `nameTaken`. */
  give<R>(
    name: string,
    ctx: LockedContext,
    write: (ctx: LockedContext) => Promise<R>,
    owner?: string,
    hint?: string,
  ): Promise<R> {
    return this.#locks.run('names', ctx, async ctx => {
      claimName(await this.#registry.readAll(), name, owner, hint);
      return write(ctx);
    });
  }
}
