import { instanceNotFound } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { Swarm } from './swarm.ts';
import type { Translate } from './translate.ts';

/** An instance that an operation is about, as a person would recognise it. */
export interface Target {
  readonly id: string;
  readonly name: string;
  /** Where it is and how it is: `docker, running`. */
  readonly facts: string;
  /** How it was when it was named; of a registered instance. */
  readonly seen?: Pick<InstanceRecord, 'desired' | 'status'>;
}

const mostNames = 10;

export const targetOf = ({ id, config, providerId, desired, status }: InstanceRecord): Target => ({
  id,
  name: config.name,
  facts: `${providerId}, ${status}`,
  seen: { desired, status },
});

/** The known ones among `ids`, each once. Throws `instanceNotFound` when there is none. */
export function registered(swarm: Swarm, ids: readonly string[]): Target[] {
  const unique = [...new Set(ids)];
  const targets = unique.flatMap(id => swarm.registry.getInstance(id) ?? []).map(targetOf);
  if (targets.length === 0 && unique[0] !== undefined) throw instanceNotFound(unique[0]);
  return targets;
}

/** Names what goes: one line an instance, the first ten, then how many more. */
export function nameLines(translate: Translate, targets: readonly Target[]): string {
  const lines = targets.slice(0, mostNames).map(({ name, facts }) => `• ${name} (${facts})`);
  const more = targets.length - mostNames;
  return [...lines, ...(more > 0 ? [translate('… and {0} more', more)] : [])].join('\n');
}
