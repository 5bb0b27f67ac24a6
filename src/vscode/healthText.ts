import type { HealthConfig } from '../model/config.ts';
import type { HealthCheck, InstanceHealth } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { Translate } from '../operations/translate.ts';
import { noticeOf } from './healthNotices.ts';
import {
  checkTitle,
  faceText,
  type HealthWording,
  latencyText,
  looseAgo,
  nextText,
  outcomeText,
  reasonOf,
  timeText,
} from './healthRows.ts';
import { availability, lifeOf, spansOf } from './healthTimeline.ts';
import { attemptText } from './healthTooltip.ts';
import { faceOf } from './healthTree.ts';
import { capitalised, escapeMarkdown, withoutDots } from './rowTexts.ts';

/** Changes of the status that are listed, the latest of them. */
const mostChanges = 12;

/** How an instance is and why, what was done, what comes next and what a person can do: a Markdown document. */
export function healthText(
  { config }: InstanceRecord,
  health: InstanceHealth | undefined,
  settings: HealthConfig,
  wording: HealthWording,
): string {
  const { t } = wording;
  const title = `# ${escapeMarkdown(t('Health of {0}', config.name))}`;
  if (health === undefined) {
    const why = settings.enabled
      ? t('It was not looked at yet.')
      : t('Nobody watches: monitoring is off in the settings (remoteSwarm.health.enabled).');
    return `${title}\n\n${escapeMarkdown(why)}\n`;
  }
  const parts: (readonly [string, string])[] = [
    [t('What was seen'), checkTable(health.checks, wording)],
    [t('What happens next'), comingText(health, wording)],
    [t('What was done'), attemptList(health, wording)],
    [t('How it was'), historyText(health, lifeOf(settings.resourceInterval), wording)],
    [t('What you can do'), bullets(advice(health, settings, t))],
  ];
  const sections = parts.map(([heading, text]) => `## ${escapeMarkdown(heading)}\n\n${text}`);
  return [title, verdict(health, wording), ...sections, ''].join('\n\n');
}

function verdict(health: InstanceHealth, wording: HealthWording): string {
  const { t } = wording;
  const face = faceOf(health);
  const since = health.recovery.crashLoop?.since ?? health.pausedSince ?? health.since;
  const word = escapeMarkdown(capitalised(withoutDots(faceText(face, t))));
  const when = escapeMarkdown(t('since {0}', timeText(since, wording)));
  const reason = reasonOf(health, t) ?? health.reason;
  return `**${word}** ${when}\\.\n\n${escapeMarkdown(reason)}`;
}

function checkTable(checks: readonly HealthCheck[], wording: HealthWording): string {
  const { t } = wording;
  if (checks.length === 0) return escapeMarkdown(t('Nothing yet.'));
  const row = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  return [
    row([t('Check'), t('Result'), t('Seen'), t('In a row'), t('When'), t('Latency')]),
    '| --- | --- | --- | ---: | --- | ---: |',
    ...checks.map(({ name, outcome, seen, times, at, latencyMs }) =>
      row([
        checkTitle(name, t),
        outcomeText(outcome, t),
        seen,
        String(times),
        looseAgo(at, wording),
        latencyMs === undefined ? '' : latencyText(latencyMs, t),
      ]),
    ),
  ].join('\n');
}

function comingText({ next, pausedSince }: InstanceHealth, wording: HealthWording): string {
  const { t } = wording;
  if (pausedSince !== undefined) return escapeMarkdown(t('Nothing, until its monitoring is resumed.'));
  return escapeMarkdown(next ? nextText(next, wording) : t('It is looked at again and again; nothing has to be done.'));
}

function attemptList({ recovery }: InstanceHealth, wording: HealthWording): string {
  const { t } = wording;
  const lines = recovery.attempts.toReversed().map(attempt => escapeMarkdown(attemptText(attempt, wording)));
  return lines.length > 0 ? bullets(lines) : escapeMarkdown(t('Nothing was recovered lately.'));
}

function historyText({ history }: InstanceHealth, life: number, wording: HealthWording): string {
  const { t, locale } = wording;
  const spans = spansOf(history, wording.now, life);
  const [first] = history;
  const share = availability(spans);
  if (first === undefined || share === undefined) return escapeMarkdown(t('Nothing is known yet.'));
  const percent = share.toLocaleString(locale, { style: 'percent', maximumFractionDigits: 2 });
  const changes = spans.slice(-mostChanges).toReversed();
  const lines = changes.map(({ status, from }) => {
    const at = timeText(new Date(from).toISOString(), wording);
    return escapeMarkdown(t('from {0}: {1}', at, withoutDots(faceText(status, t))));
  });
  const summary = t('{0} available since {1}', percent, timeText(first.at, wording));
  return `${escapeMarkdown(summary)}\n\n${bullets(lines)}`;
}

/** The next steps of a person, the most useful first. */
function advice(health: InstanceHealth, settings: HealthConfig, t: Translate): string[] {
  const notice = noticeOf(health);
  const face = faceOf(health);
  const lines = [
    ...(notice?.needsMemory ? [t('Give it a bigger size: it runs out of memory (Edit…, Size).')] : []),
    ...(notice?.kind === 'disk-full' ? [t('Delete files in a terminal inside it, or give its place more room.')] : []),
    ...(face === 'crashLoop'
      ? [
          t('Mend the cause, which its log may tell (Show Instance Log); then use Recover… and Reset Crash Loop.'),
          t('A change of its configuration resets the crash loop too.'),
        ]
      : []),
    ...(face === 'paused' ? [t('Resume Monitoring lets it be watched and recovered again.')] : []),
    ...(face === 'unhealthy' && !settings.autoRecover
      ? [t('Recovery by itself is off in the settings (remoteSwarm.health.autoRecover): use Recover….')]
      : []),
    ...(face === 'unknown' ? [t('Look at its provider in the view Instances: nothing can be said without it.')] : []),
    ...(face === 'unhealthy' || face === 'degraded'
      ? [t('Check Health Now looks again; Recover… does not wait.')]
      : []),
  ];
  return (lines.length > 0 ? lines : [t('Nothing has to be done.')]).map(escapeMarkdown);
}

const bullets = (lines: readonly string[]) => lines.map(line => `- ${line}`).join('\n');
