import { isAbort } from '../model/errors.ts';
import type { InstanceRecord, InstanceUpdate } from '../model/instance.ts';
import { type LockedContext, underLock } from '../model/operationContext.ts';
import type { SecretVault } from '../model/stateStore.ts';
import { checkFit, checkNewName, checkSecrets, merged, refuseInTrash } from './admission.ts';
import type { InstanceLifecycle } from './instanceLifecycle.ts';
import type { InstanceNames } from './instanceNames.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderDirectory } from './providerDirectory.ts';

export interface InstanceUpdatesOptions {
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly vault: SecretVault;
  readonly lifecycle: InstanceLifecycle;
  readonly names: InstanceNames;
}

/** Changes what instances are asked to be. */
export class InstanceUpdates {
  readonly #options: InstanceUpdatesOptions;

  constructor(options: InstanceUpdatesOptions) {
    this.#options = options;
  }

  /** While its lock is held. `secrets` holds values to set; those of variables that are no longer secret are forgotten. */
  async update(
    record: InstanceRecord,
    update: InstanceUpdate,
    secrets: Readonly<Record<string, string>>,
    ctx: LockedContext,
  ): Promise<InstanceRecord> {
    const { registry, providers, vault, lifecycle, names } = this.#options;
    const { id } = record;
    refuseInTrash(record, 'restore it before changing it');
    if (update.name !== undefined && update.name !== record.config.name) checkNewName(update.name);
    const wanted = merged(record.wanted ?? record.config, update);
    checkFit(wanted, record.providerId, providers);
    const before = await vault.read(id);
    const known = { ...before, ...secrets };
    // Of those it had, only its provider may know the value, as when it was adopted; it keeps it.
    checkSecrets(
      wanted.secretEnv.filter(name => !record.config.secretEnv.includes(name)),
      known,
    );
    const intend = () =>
      registry.updateInstance(
        id,
        underLock(ctx, current => ({ ...current, wanted })),
      );
    const intended = await (update.name === undefined ? intend() : names.give(update.name, ctx, intend, id));
    await vault.store(id, known);
    try {
      return await lifecycle.update(intended, ctx);
    } catch (error) {
      await vault.store(id, before);
      if (isAbort(error)) await lifecycle.takeBack(intended, error, ctx);
      throw error;
    }
  }
}
