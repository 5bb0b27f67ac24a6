import type { InstanceRecord } from '../model/instance.ts';
import type { LockedContext } from '../model/operationContext.ts';
import type { Provider } from '../model/provider.ts';
import type { LockedVault } from '../model/stateStore.ts';
import { checkSecrets } from './admission.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';

/** Those of an instance that has its record: what is kept without one nobody would ever remove. */
export async function keepGiven(
  registry: InstanceRegistry,
  vault: LockedVault,
  { id }: InstanceRecord,
  secrets: Readonly<Record<string, string>>,
  ctx: LockedContext,
): Promise<void> {
  try {
    await vault.store(id, secrets, ctx);
  } catch (error) {
    // Where they may still be the record stays, with which they are removed.
    await vault.forget(id, ctx).then(
      () => registry.removeInstance(id, ctx),
      () => {},
    );
    throw error;
  }
}

/**
 * Those that an instance is made with. Throws `invalidInput` when it would be made without some of them: begun by a
 * window that ended before it had kept them, or kept on another machine.
 */
export async function givenTo(
  record: InstanceRecord,
  vault: LockedVault,
  provider: Provider,
  ctx: LockedContext,
): Promise<Readonly<Record<string, string>>> {
  const secrets = await vault.read(record.id);
  const isWhole = record.config.secretEnv.every(name => Object.hasOwn(secrets, name));
  if (!isWhole && !(await provider.getInstance(record.id, ctx))) checkSecrets(record.config.secretEnv, secrets);
  return secrets;
}
