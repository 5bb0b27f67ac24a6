import type { InstanceHealth } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { ProviderState } from '../model/swarmStatus.ts';
import { type StatusTexts, statusTexts } from '../operations/statusTexts.ts';
import type { Translate } from '../operations/translate.ts';
import { faceIcon, faceText, reasonOf } from './healthRows.ts';
import { faceOf, isListed, isUnwell } from './healthTree.ts';
import { isInTrash, isTroubled } from './instanceTree.ts';
import { escapeMarkdown, foreignText, isStuck, problemText, recordIcon } from './rowTexts.ts';

/** The swarm as the status bar tells it. */
export interface Summary {
  /** With codicons: "$(server-environment) 3/5". */
  readonly text: string;
  readonly spoken: string;
  /** Markdown with theme icons. */
  readonly tooltip: string;
  /** The worst state, where a person should look. */
  readonly level: 'calm' | 'warning' | 'error';
  /** The view that tells more. */
  readonly opens: 'instances' | 'health';
}

const mostListed = 10;

const passing = ['creating', 'starting', 'stopping', 'deleting'];

/** Counts and the worst state; undefined when there is nothing to tell. */
export function summaryOf(
  records: readonly InstanceRecord[],
  providers: readonly ProviderState[],
  healthOf: (instanceId: string) => InstanceHealth | undefined,
  t: Translate,
): Summary | undefined {
  const present = records.filter(record => !isInTrash(record));
  if (present.length === 0) return undefined;
  const running = present.filter(({ status }) => status === 'running').length;
  const unwell = present.flatMap(record => {
    const health = healthOf(record.id);
    return health && isListed(record, health) && isUnwell(faceOf(health)) ? [{ record, health }] : [];
  });
  const sick = new Set(unwell.map(({ record }) => record));
  const troubled = present.filter(record => isTroubled(record) && !sick.has(record));
  const others = present.filter(record => record.status === 'running' && !sick.has(record));
  const texts = statusTexts(t);
  const notable = [
    ...unwell.map(({ record, health }) => unwellLine(record, health, t)),
    ...[...troubled, ...others].map(record => recordLine(record, texts, t)),
  ];
  const unreachable = providers.filter(({ reachable }) => !reachable);
  const lines = [
    t('**Remote Swarm**: {0} of {1} running', running, present.length),
    ...notable.slice(0, mostListed),
    ...(notable.length > mostListed ? [t('and {0} more', notable.length - mostListed)] : []),
    ...unreachable.map(
      state => `$(debug-disconnect) ${escapeMarkdown(state.id)} · ${escapeMarkdown(problemText(state, t))}`,
    ),
  ];
  const isPassing = present.some(
    record => (passing.includes(record.status) && !isStuck(record)) || healthOf(record.id)?.status === 'recovering',
  );
  const faces = unwell.map(({ health }) => faceOf(health));
  const isBad = troubled.some(({ status }) => status === 'failed') || faces.some(face => face !== 'degraded');
  const count = troubled.length + unwell.length;
  const spoken = t('Remote Swarm: {0} of {1} instances running', running, present.length);
  return {
    text: `${isPassing ? '$(sync~spin)' : '$(server-environment)'} ${running}/${present.length}`,
    spoken: count === 0 ? spoken : `${spoken}, ${t('{0} in trouble', count)}`,
    tooltip: lines.join('\n\n'),
    level: isBad ? 'error' : count > 0 ? 'warning' : 'calm',
    opens: unwell.length > 0 ? 'health' : 'instances',
  };
}

function recordLine(record: InstanceRecord, texts: StatusTexts, t: Translate): string {
  const foreign = foreignText(record, texts, t);
  const why = record.error?.message ?? record.detail;
  const state = foreign ?? `${texts[record.status]}${isTroubled(record) && why !== undefined ? `: ${why}` : ''}`;
  return `$(${recordIcon(record).id}) ${escapeMarkdown(record.config.name)} · ${escapeMarkdown(state)}`;
}

function unwellLine({ config }: InstanceRecord, health: InstanceHealth, t: Translate): string {
  const face = faceOf(health);
  const state = `${faceText(face, t)}: ${reasonOf(health, t) ?? ''}`;
  return `$(${faceIcon(face).id}) ${escapeMarkdown(config.name)} · ${escapeMarkdown(state)}`;
}
