import type { CheckOutcome, HealthCheck, HealthCheckName, InstanceHealth } from '../model/health.ts';
import { cut } from '../model/textCut.ts';
import type { Translate } from '../operations/translate.ts';
import { faceOf, type HealthFace, type HealthNode } from './healthTree.ts';
import { actionsOf, type InstanceAction } from './instanceActions.ts';
import type { Row } from './instanceRows.ts';
import { ago, type RowIcon, withoutDots } from './rowTexts.ts';

/** How the texts of health are worded. */
export interface HealthWording {
  readonly t: Translate;
  /** BCP 47. */
  readonly locale: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const mostReason = 120;

/** What else can be done with an instance on its row here. */
const otherActions: readonly InstanceAction[] = ['edit', 'logs'];
const noTalents = { canAttach: () => false };

const faceIcons: Readonly<Record<HealthFace, RowIcon>> = {
  healthy: { id: 'pass', color: 'testing.iconPassed' },
  degraded: { id: 'warning', color: 'list.warningForeground' },
  unhealthy: { id: 'error', color: 'testing.iconFailed' },
  crashLoop: { id: 'circle-slash', color: 'testing.iconFailed' },
  recovering: { id: 'sync~spin', color: 'charts.blue' },
  unknown: { id: 'question', color: 'list.warningForeground' },
  paused: { id: 'debug-pause', color: 'disabledForeground' },
};

const outcomeIcons: Readonly<Record<CheckOutcome, RowIcon>> = {
  passed: { id: 'check', color: 'testing.iconPassed' },
  warned: { id: 'warning', color: 'list.warningForeground' },
  failed: { id: 'close', color: 'testing.iconFailed' },
  unknown: { id: 'question', color: 'list.warningForeground' },
  skipped: { id: 'dash', color: 'disabledForeground' },
};

/** The icon of an instance's health; each has a shape of its own. */
export const faceIcon = (face: HealthFace): RowIcon => faceIcons[face];

export const outcomeIcon = (outcome: CheckOutcome): RowIcon => outcomeIcons[outcome];

/** How an instance is, in a word or two. */
export function faceText(face: HealthFace, t: Translate): string {
  switch (face) {
    case 'healthy':
      return t('healthy');
    case 'degraded':
      return t('degraded');
    case 'unhealthy':
      return t('unhealthy');
    case 'crashLoop':
      return t('crash loop');
    case 'recovering':
      return t('recovering…');
    case 'unknown':
      return t('unknown');
    case 'paused':
      return t('not watched');
  }
}

export function checkTitle(name: HealthCheckName, t: Translate): string {
  switch (name) {
    case 'provider':
      return t('Provider');
    case 'status':
      return t('Status');
    case 'connectivity':
      return t('Connectivity');
    case 'resources':
      return t('Resources');
  }
}

export function outcomeText(outcome: CheckOutcome, t: Translate): string {
  switch (outcome) {
    case 'passed':
      return t('passed');
    case 'warned':
      return t('warning');
    case 'failed':
      return t('failed');
    case 'unknown':
      return t('unknown');
    case 'skipped':
      return t('skipped');
  }
}

/** Why it is so, where that says more than the status alone; undefined when all is well. */
export function reasonOf(health: InstanceHealth | undefined, t: Translate): string | undefined {
  if (health === undefined) return t('It was not looked at yet.');
  switch (faceOf(health)) {
    case 'healthy':
      return undefined;
    case 'paused':
      return t('A person paused its monitoring.');
    case 'crashLoop':
      return health.recovery.crashLoop?.reason;
    default:
      return health.reason;
  }
}

/** How long ago, in whole minutes at the finest: a text that does not change with every round. */
export function looseAgo(iso: string, { t, locale, now }: HealthWording): string {
  return now - Date.parse(iso) < 60_000 ? t('just now') : ago(iso, now, locale);
}

/** When something will happen, as the time of day; with the date when that is another one. */
export function timeText(iso: string, { locale, now }: HealthWording): string {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date(now).toDateString();
  return at.toLocaleString(locale, isToday ? { timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'medium' });
}

/** What is going to be done, and when. */
export function nextText({ act, at }: NonNullable<InstanceHealth['next']>, wording: HealthWording): string {
  const { t } = wording;
  return at === undefined ? act : t('{0} At {1}.', act, timeText(at, wording));
}

export const latencyText = (latencyMs: number, t: Translate) => t('{0} ms', Math.round(latencyMs));

/** A row's texts, icon and tags. Pure; the tooltip is made when it is looked at. */
export function healthRowOf(node: HealthNode, wording: HealthWording): Row {
  const { t } = wording;
  switch (node.kind) {
    case 'instance':
      return instanceRow(node, t);
    case 'check':
      return checkRow(node.name, node.check, wording);
    case 'next': {
      const description = nextText(node.next, wording);
      const label = t('Next');
      const spoken = `${label}: ${description}`;
      return { label, description, icon: { id: 'arrow-right' }, collapse: 'none', contextValue: 'next', spoken };
    }
    case 'suspect': {
      const description = t('recovery is frozen · {0}', withoutStop(node.reason));
      return {
        label: node.providerId,
        description,
        icon: { id: 'server-environment', color: 'list.warningForeground' },
        collapse: 'none',
        contextValue: 'suspect',
        spoken: t('Provider {0} is suspect, so nothing is recovered there: {1}', node.providerId, node.reason),
      };
    }
  }
}

function instanceRow({ record, health }: Extract<HealthNode, { kind: 'instance' }>, t: Translate): Row {
  const face = faceOf(health);
  const reason = reasonOf(health, t);
  const short = reason === undefined ? [] : [cut(withoutStop(reason), mostReason)];
  const text = faceText(face, t);
  const { name } = record.config;
  const tags = [
    ...(health === undefined ? [] : ['known']),
    ...(face === 'crashLoop' ? ['can-reset'] : []),
    ...(face === 'paused' ? ['can-resume'] : ['can-pause']),
    ...actionsOf(record, noTalents).flatMap(action => (otherActions.includes(action) ? [`can-${action}`] : [])),
  ];
  return {
    label: name,
    description: [text, ...short].join(' · '),
    icon: faceIcon(face),
    collapse: health === undefined ? 'none' : 'collapsed',
    contextValue: ['health', face, ...tags].join('+'),
    spoken: [`${name}, ${withoutDots(text)}`, ...short].join('. '),
  };
}

function checkRow(name: HealthCheckName, check: HealthCheck | undefined, wording: HealthWording): Row {
  const { t } = wording;
  const label = checkTitle(name, t);
  const outcome = check?.outcome ?? 'skipped';
  const parts = check
    ? [
        withoutStop(check.seen),
        ...(check.times > 1 && check.outcome !== 'passed' ? [t('{0} times in a row', check.times)] : []),
        looseAgo(check.at, wording),
        ...(check.latencyMs === undefined ? [] : [latencyText(check.latencyMs, t)]),
      ]
    : [name === 'resources' ? t('not measured') : t('not looked at yet')];
  const description = parts.join(' · ');
  const spoken = `${label}, ${outcomeText(outcome, t)}. ${parts.join('. ')}`;
  return { label, description, icon: outcomeIcon(outcome), collapse: 'none', contextValue: 'check', spoken };
}

/** A sentence as a part of a row. */
export const withoutStop = (sentence: string) => sentence.replace(/\.$/, '');
