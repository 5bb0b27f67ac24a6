import type { InstanceRecord } from '../model/instance.ts';
import type { ProviderState } from '../model/swarmStatus.ts';
import type { Translate } from '../operations/translate.ts';
import { isTroubled } from './instanceTree.ts';
import { escapeMarkdown, iconOf, problemText, statusTexts } from './rowTexts.ts';

/** The swarm as the status bar tells it. */
export interface Summary {
  /** With codicons: "$(server-environment) 3/5". */
  readonly text: string;
  readonly spoken: string;
  /** Markdown with theme icons. */
  readonly tooltip: string;
  /** The worst state, where a person should look. */
  readonly level: 'calm' | 'warning' | 'error';
}

const mostListed = 10;

/** Counts and the worst state; undefined when there is nothing to tell. */
export function summaryOf(
  records: readonly InstanceRecord[],
  providers: readonly ProviderState[],
  t: Translate,
): Summary | undefined {
  const present = records.filter(({ status }) => status !== 'trashed');
  if (present.length === 0) return undefined;
  const running = present.filter(({ status }) => status === 'running').length;
  const troubled = present.filter(isTroubled);
  const passing = present.some(({ status }) => ['creating', 'starting', 'stopping', 'deleting'].includes(status));
  const unreachable = providers.filter(({ reachable }) => !reachable);

  const texts = statusTexts(t);
  const lines = [t('**Remote Swarm**: {0} of {1} running', running, present.length)];
  const notable = [...troubled, ...present.filter(record => record.status === 'running')];
  for (const record of notable.slice(0, mostListed)) {
    const why = record.error?.message ?? record.detail;
    const state = `${texts[record.status]}${isTroubled(record) && why !== undefined ? `: ${why}` : ''}`;
    lines.push(`$(${iconOf(record.status).id}) ${escapeMarkdown(record.config.name)} · ${escapeMarkdown(state)}`);
  }
  if (notable.length > mostListed) lines.push(t('and {0} more', notable.length - mostListed));
  for (const state of unreachable) {
    lines.push(`$(debug-disconnect) ${escapeMarkdown(state.id)} · ${escapeMarkdown(problemText(state, t))}`);
  }
  const icon = passing ? '$(sync~spin)' : '$(server-environment)';
  const spoken = t('Remote Swarm: {0} of {1} instances running', running, present.length);
  return {
    text: `${icon} ${running}/${present.length}`,
    spoken: troubled.length === 0 ? spoken : `${spoken}, ${t('{0} in trouble', troubled.length)}`,
    tooltip: lines.join('\n\n'),
    level: troubled.some(({ status }) => status === 'failed') ? 'error' : troubled.length > 0 ? 'warning' : 'calm',
  };
}
