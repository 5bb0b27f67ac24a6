import type { HealthStatus, InstanceHealth, RecoveryAttempt } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { rungTitle } from '../operations/recoveryTexts.ts';
import type { Translate } from '../operations/translate.ts';
import {
  checkTitle,
  faceIcon,
  faceText,
  type HealthWording,
  latencyText,
  nextText,
  outcomeIcon,
  reasonOf,
  timeText,
} from './healthRows.ts';
import { availability, spansOf, worstOfParts } from './healthTimeline.ts';
import { faceOf, type HealthNode } from './healthTree.ts';
import { ago, escapeMarkdown } from './rowTexts.ts';

/** How many attempts a tooltip lists; the document that explains has all of them. */
const mostAttempts = 3;
const sparks = 40;

/** Height and colour say the same, so that either is enough. */
const looks: Readonly<Record<HealthStatus, { readonly glyph: string; readonly color: string }>> = {
  healthy: { glyph: '▇', color: 'testing-iconPassed' },
  degraded: { glyph: '▅', color: 'list-warningForeground' },
  recovering: { glyph: '▃', color: 'charts-blue' },
  unknown: { glyph: '▂', color: 'disabledForeground' },
  unhealthy: { glyph: '▁', color: 'testing-iconFailed' },
};
const nothing = { glyph: '▁', color: 'widget-border' };

/** The tooltip of a row, as Markdown with theme icons and coloured spans; undefined where the row says everything. */
export function healthTooltip(node: HealthNode, life: number, wording: HealthWording): string | undefined {
  const { t } = wording;
  switch (node.kind) {
    case 'instance':
      return instanceTooltip(node.record, node.health, life, wording);
    case 'check':
      return node.check && escapeMarkdown(`${node.check.seen} ${ago(node.check.at, wording.now, wording.locale)}.`);
    case 'next':
      return escapeMarkdown(node.next.act);
    case 'suspect':
      return escapeMarkdown(
        t('{0} So many at once say that the provider itself is in trouble: nothing is recovered there.', node.reason),
      );
  }
}

function instanceTooltip(
  { config }: InstanceRecord,
  health: InstanceHealth | undefined,
  life: number,
  wording: HealthWording,
): string {
  const { t, now, locale } = wording;
  const face = faceOf(health);
  const since = health?.recovery.crashLoop?.since ?? health?.pausedSince ?? health?.since;
  const head = [
    `$(${faceIcon(face).id}) **${escapeMarkdown(faceText(face, t))}**`,
    ...(since === undefined ? [] : [escapeMarkdown(ago(since, now, locale))]),
  ].join(' · ');
  const lines = [`### ${escapeMarkdown(config.name)}`, head];
  const reason = reasonOf(health, t);
  if (reason !== undefined) lines.push(escapeMarkdown(reason));
  if (health === undefined) return lines.join('\n\n');
  if (health.history.length > 0) lines.push(historyLine(health, life, wording));
  if (health.checks.length > 0) lines.push(health.checks.map(check => checkLine(check, t)).join('  \n'));
  const attempts = health.recovery.attempts.slice(-mostAttempts).toReversed();
  if (attempts.length > 0) lines.push(attempts.map(attempt => attemptLine(attempt, wording)).join('  \n'));
  if (health.next) lines.push(`$(arrow-right) ${escapeMarkdown(nextText(health.next, wording))}`);
  return lines.join('\n\n');
}

/** The sparkline, and in words what it shows. */
function historyLine({ history }: InstanceHealth, life: number, wording: HealthWording): string {
  const { t, now, locale } = wording;
  const [first] = history;
  const spans = spansOf(history, now, life);
  const share = availability(spans);
  const from = first?.at ?? new Date(now).toISOString();
  const since = timeText(from, wording);
  const percent = share?.toLocaleString(locale, { style: 'percent', maximumFractionDigits: 1 });
  const caption = percent === undefined ? t('since {0}', since) : t('{0} available since {1}', percent, since);
  const parts = worstOfParts(spans, Date.parse(from), Math.max(now, Date.parse(from) + 1), sparks);
  return `${sparkline(parts)}  \n${escapeMarkdown(caption)}`;
}

/** One glyph a part, neighbours of one colour in one span. */
export function sparkline(parts: readonly (HealthStatus | undefined)[]): string {
  const runs: { color: string; glyphs: string }[] = [];
  for (const status of parts) {
    const { glyph, color } = status === undefined ? nothing : looks[status];
    const last = runs.at(-1);
    if (last?.color === color) last.glyphs += glyph;
    else runs.push({ color, glyphs: glyph });
  }
  return runs.map(({ color, glyphs }) => `<span style="color:var(--vscode-${color});">${glyphs}</span>`).join('');
}

function checkLine({ name, outcome, seen, latencyMs }: InstanceHealth['checks'][number], t: Translate): string {
  const latency = latencyMs === undefined ? '' : ` (${latencyText(latencyMs, t)})`;
  return `$(${outcomeIcon(outcome).id}) ${escapeMarkdown(`${checkTitle(name, t)}: ${seen}${latency}`)}`;
}

const attemptIcons = { begun: 'sync', succeeded: 'check', failed: 'close' } as const;

function attemptLine(attempt: RecoveryAttempt, wording: HealthWording): string {
  return `$(${attemptIcons[attempt.outcome]}) ${escapeMarkdown(attemptText(attempt, wording))}`;
}

/** What was done, when, and what came of it. */
export function attemptText({ rung, at, outcome, note }: RecoveryAttempt, { t, now, locale }: HealthWording): string {
  const words = { begun: t('under way'), succeeded: t('succeeded'), failed: t('failed') };
  const text = `${rungTitle(t, rung)}, ${ago(at, now, locale)}: ${words[outcome]}`;
  return note === undefined ? text : `${text}. ${note}`;
}
