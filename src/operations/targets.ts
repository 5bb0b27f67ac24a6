import { lastRename } from '../core/changesOf.ts';
import { instanceNotFound } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { visible } from '../model/textCut.ts';
import { statusTexts } from './statusTexts.ts';
import type { Swarm } from './swarm.ts';
import type { Translate } from './translate.ts';

/** An instance that an operation is about, as a person would recognise it. */
export interface Target {
  readonly id: string;
  /** What a screen would hide in it is made visible. */
  readonly name: string;
  /** Names it had within the last day, the oldest first, and who gave it the one it has. */
  readonly renamed?: InstanceRecord['renamed'];
  /** Where it is and how it is: `docker, running`. */
  facts(translate: Translate): string;
  /** How it was when it was named; of a registered instance. */
  readonly seen?: Pick<InstanceRecord, 'desired' | 'status'>;
}

const mostNames = 10;

export const targetOf = (record: InstanceRecord): Target => ({
  id: record.id,
  name: visible(record.config.name),
  renamed: lastRename(record),
  facts: t => `${record.providerId}, ${statusTexts(t)[record.status]}`,
  seen: { desired: record.desired, status: record.status },
});

/** The known ones among `ids`, each once. Throws `instanceNotFound` when there is none. */
export function registered(swarm: Swarm, ids: readonly string[]): Target[] {
  const unique = [...new Set(ids)];
  const targets = unique.flatMap(id => swarm.registry.getInstance(id) ?? []).map(targetOf);
  if (targets.length === 0 && unique[0] !== undefined) throw instanceNotFound(unique[0]);
  return targets;
}

/** Names what goes: one line an instance, the first ten and those that were renamed lately, then how many more. */
export function nameLines(translate: Translate, targets: readonly Target[]): string {
  const shown = targets.filter(({ renamed }, index) => index < mostNames || renamed);
  const lines = shown.map(({ id, name, facts, renamed }) => {
    const line = name === id ? `• ${id} (${facts(translate)})` : `• ${name} (${id}, ${facts(translate)})`;
    return renamed ? `${line}\n   ${renameText(translate, renamed)}` : line;
  });
  const more = targets.length - shown.length;
  return [...lines, ...(more > 0 ? [translate('… and {0} more', more)] : [])].join('\n');
}

function renameText(translate: Translate, { from, at, by }: NonNullable<Target['renamed']>): string {
  const names = from.map(name => `"${visible(name)}"`).join(', ');
  const when = new Date(at).toTimeString().slice(0, 5);
  return translate('Until {0} it was called {1}; it was renamed by {2}.', when, names, visible(by.actor));
}

/** What goes with instances that are deleted for good. */
export function lostForGood(t: Translate, { snapshots }: Swarm, targets: readonly Target[]): string {
  const kept = targets.reduce((count, { id }) => count + snapshots.listSnapshots(id).length, 0);
  if (kept === 0) return t('All files are lost, and nothing brings them back.');
  return kept === 1
    ? t('All files and 1 snapshot are lost, and nothing brings them back.')
    : t('All files and {0} snapshots are lost, and nothing brings them back.', kept);
}
