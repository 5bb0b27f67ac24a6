import { isProgram } from '../model/caller.ts';
import { denied, invalidInput, isAbort, SwarmError, wrongState } from '../model/errors.ts';
import { InstanceConfig, type InstanceRecord, type InstanceUpdate } from '../model/instance.ts';
import { type LockedContext, underLock } from '../model/operationContext.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { LockedVault } from '../model/stateStore.ts';
import { checkFit, checkNewName, checkSecrets, merged, refuseInTrash } from './admission.ts';
import { configBeforeAgents, withImageNamed, withWanted } from './changesOf.ts';
import type { InstanceLifecycle } from './instanceLifecycle.ts';
import type { InstanceNames } from './instanceNames.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { isSame } from './isSame.ts';
import { onlyThere, refuseForgetting } from './onlyThere.ts';
import type { ProviderDirectory } from './providerDirectory.ts';

export interface InstanceUpdatesOptions {
  readonly registry: InstanceRegistry;
  readonly providers: ProviderDirectory;
  readonly vault: LockedVault;
  readonly lifecycle: InstanceLifecycle;
  readonly names: InstanceNames;
}

const notAgreed = 'by now it makes the instance anew, to which no person has agreed';

/** Changes what instances are asked to be. */
export class InstanceUpdates {
  readonly #options: InstanceUpdatesOptions;

  constructor(options: InstanceUpdatesOptions) {
    this.#options = options;
  }

  /**
   * While its lock is held. `secrets` holds values to set; those of variables that are no longer secret are forgotten,
   * unless a program wanted that.
   */
  update(
    record: InstanceRecord,
    update: InstanceUpdate,
    secrets: Readonly<Record<string, string>>,
    ctx: LockedContext,
  ): Promise<InstanceRecord> {
    return this.#change(record, config => merged(config, update), secrets, ctx, Object.hasOwn(update, 'image'));
  }

  /** Whether its provider makes everything of it but its home anew for the update. What is not known is. */
  remakes(instanceId: string, update: InstanceUpdate): boolean {
    const record = this.#options.registry.getInstance(instanceId);
    return record === undefined || this.#remakes(record, merged(record.wanted ?? record.config, update));
  }

  /**
   * Makes it again what it would be had only persons changed it. Throws `wrongState` when it is, and `nameTaken`, with
   * all the rest undone, when another one has its name by now. With `agreed`, which a person was shown, it becomes that
   * and nothing else.
   */
  async undoAgents(record: InstanceRecord, ctx: LockedContext, agreed?: InstanceConfig): Promise<InstanceRecord> {
    const config = configBeforeAgents(record);
    if (config === undefined) throw wrongState(record.id, record.status, 'no agent has changed it');
    if (agreed && !isSame(agreed, config))
      throw wrongState(record.id, 'changed since', 'look again at what agents have changed of it');
    try {
      return await this.#change(record, () => config, {}, ctx);
    } catch (error) {
      if (!(error instanceof SwarmError && error.code === 'name-taken')) throw error;
      await this.#change(record, ({ name }) => ({ ...config, name }), {}, ctx);
      const hint = 'All else is undone. Give that one another name, then undo the changes by agents again.';
      throw new SwarmError({ ...error, message: error.message, hint });
    }
  }

  #remakes({ providerId, config }: InstanceRecord, wanted: InstanceConfig): boolean {
    return this.#options.providers.find(providerId)?.abilities.remakes?.(config, wanted) ?? false;
  }

  async #change(
    record: InstanceRecord,
    change: (config: InstanceConfig) => InstanceConfig,
    secrets: Readonly<Record<string, string>>,
    ctx: LockedContext,
    namesImage = false,
  ): Promise<InstanceRecord> {
    const { registry, providers, vault, lifecycle, names } = this.#options;
    const { id, config, providerId } = record;
    refuseInTrash(record, 'restore it before changing it');
    const by = ctx.by ?? { caller: 'controller', actor: 'controller' };
    const { wanted, beforeAgents } = withWanted(record, change, by);
    if (beforeAgents) refuseOverfull(beforeAgents.config);
    if (wanted.name !== config.name) checkNewName(wanted.name);
    checkFit(wanted, providerId, providers);
    const before = await vault.read(id);
    if (isProgram(by.caller)) {
      const removed = config.secretEnv.filter(name => !wanted.secretEnv.includes(name));
      refuseForgetting(
        'The change',
        onlyThere(removed, before),
        'Leave secretEnv as it is, or ask a person to change it.',
      );
      // The one it was when a person was asked, or not, may have become another since.
      if (!ctx.permit && this.#remakes(record, wanted)) throw denied('The change', notAgreed, 'Ask for it again.');
    }
    const known = { ...before, ...secrets };
    // Of those it had, only its provider may know the value, as when it was adopted; it keeps it.
    checkSecrets(
      wanted.secretEnv.filter(name => !config.secretEnv.includes(name)),
      known,
    );
    const intend = (ctx: LockedContext) =>
      registry.updateInstance(
        id,
        underLock(ctx, current => {
          const next = withWanted(current, change, by);
          return namesImage && by.caller === 'person' ? withImageNamed(next) : next;
        }),
      );
    const isRenamed = wanted.name !== (record.wanted ?? config).name;
    const intended = await (isRenamed ? names.give(wanted.name, ctx, intend, id) : intend(ctx));
    await vault.store(id, known, ctx);
    try {
      return await lifecycle.update(intended, ctx);
    } catch (error) {
      await vault.store(id, before, ctx);
      if (isAbort(error)) await lifecycle.takeBack(intended, error, ctx);
      throw error;
    }
  }
}

/** What persons had and what they add now may be too much for one instance. */
function refuseOverfull(persons: InstanceConfig): void {
  const parsed = InstanceConfig.safeParse(persons, { reportInput: true });
  if (parsed.success) return;
  const why = 'with what agents have taken away; undo their changes first';
  throw invalidInput(
    'The instance',
    problemsOf(parsed.error).map(problem => `${problem}, ${why}`),
  );
}
