import { homeMissing, removalBegun } from '../model/homeErrors.ts';
import type { VSCodeInstance } from '../model/instance.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { InstanceObservation, Provider } from '../model/provider.ts';

/**
 * All of an instance that was observed. A place that can is asked only for what its list does not tell; so a fleet is
 * found again with one list call. Null when there is no such instance any more.
 */
export async function wholeInstance(
  provider: Provider,
  seen: InstanceObservation,
  ctx: OperationContext,
): Promise<VSCodeInstance | null> {
  // What can't be read, or has moved since, is told by a get.
  const told = await provider.abilities.describe?.(seen, ctx).catch(() => undefined);
  return told ?? provider.getInstance(seen.id, ctx);
}

/** Rejects with `removal-begun` or `home-missing` unless what is there has its home, as far as its place can tell. */
export async function proveWhole(
  provider: Provider,
  { id, role }: VSCodeInstance,
  ctx: OperationContext,
): Promise<void> {
  if (role === 'removing') throw removalBegun(id, provider.id);
  if (!(await provider.abilities.hasHome(id, ctx))) throw homeMissing(id, provider.id);
}
