import { messageOf } from '../../model/errors.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';
import { getTwice } from '../getTwice.ts';
import type { ProviderObservation } from '../reconciler.ts';
import type { Place } from './roundFacts.ts';

/** What a list call says of one instance; its absence is confirmed when the reconciler has asked twice. */
export function placeIn(record: InstanceRecord, seen: ProviderObservation['seen'], problem: string | undefined): Place {
  if (!seen) return { kind: 'failed', reason: problem ?? 'it did not answer' };
  const observation = seen.get(record.id);
  return observation ? { kind: 'seen', observation } : { kind: 'absent', confirmed: record.status === 'lost' };
}

/** Whether both say the same of how it is, but for what changes with each call. */
export function isSameStatus(one: Place | undefined, other: Place): boolean {
  if (one?.kind === 'seen' && other.kind === 'seen') {
    return one.observation.status === other.observation.status && one.observation.role === other.observation.role;
  }
  if (one?.kind === 'absent' && other.kind === 'absent') return one.confirmed === other.confirmed;
  return one?.kind === other.kind;
}

/** What the provider says of one instance when it is asked now. Rejects only with the signal's reason. */
export async function placeOf(provider: Provider, record: InstanceRecord, ctx: OperationContext): Promise<Place> {
  const began = performance.now();
  try {
    const observations = await provider.abilities.observe(ctx);
    const observation = observations.find(({ id }) => id === record.id);
    if (observation) return { kind: 'seen', observation, latencyMs: performance.now() - began };
    return { kind: 'absent', confirmed: (await getTwice(provider, record.id, ctx)) === null };
  } catch (error) {
    ctx.signal.throwIfAborted();
    return { kind: 'failed', reason: messageOf(error) };
  }
}
