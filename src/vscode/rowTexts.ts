import { restorableUntil } from '../core/trashExpiry.ts';
import type { InstanceConfig, InstanceRecord, InstanceStatus, Owner, WorkspaceSource } from '../model/instance.ts';
import type { FailedSnapshot, Snapshot } from '../model/snapshot.ts';
import type { ProviderState } from '../model/swarmStatus.ts';
import { visible } from '../model/textCut.ts';
import { desiredText, type StatusTexts } from '../operations/statusTexts.ts';
import type { Translate } from '../operations/translate.ts';
import type { FoundResource } from './instanceTree.ts';

/** A codicon, and the theme color that paints it; the shape alone tells the state. */
export interface RowIcon {
  readonly id: string;
  readonly color?: string;
}

const icons: Readonly<Record<InstanceStatus, RowIcon>> = {
  creating: { id: 'loading~spin' },
  starting: { id: 'sync~spin' },
  running: { id: 'vm-running', color: 'testing.iconPassed' },
  stopping: { id: 'loading~spin' },
  stopped: { id: 'debug-stop', color: 'disabledForeground' },
  failed: { id: 'error', color: 'testing.iconFailed' },
  deleting: { id: 'loading~spin' },
  trashed: { id: 'trash', color: 'disabledForeground' },
  lost: { id: 'warning', color: 'list.warningForeground' },
  unknown: { id: 'question', color: 'list.warningForeground' },
};

/** The icon of a status. Every status at rest has a shape of its own; the passing ones spin. */
export const iconOf = (status: InstanceStatus): RowIcon => icons[status];

/** True of what is deleted for good, and does not go. */
export const isStuck = ({ status, error }: InstanceRecord) => status === 'deleting' && error !== undefined;

/** The icon of an instance: one that runs though its set-up failed is painted as a warning, as is one that does not go. */
export function recordIcon(record: InstanceRecord): RowIcon {
  const { status, setup, overruled, elsewhere } = record;
  if (isStuck(record)) return { id: 'circle-slash', color: 'list.warningForeground' };
  if (overruled?.by === 'another') return { id: 'account', color: 'disabledForeground' };
  if (overruled) return { id: 'history', color: 'list.warningForeground' };
  if (elsewhere !== undefined) return { id: 'vm-outline', color: 'list.warningForeground' };
  const icon = iconOf(status);
  return status === 'running' && setup?.status === 'failed' ? { ...icon, color: 'list.warningForeground' } : icon;
}

/** The last part of a repository's URL or of a folder's path; undefined for an empty workspace. */
export function sourceName(source: WorkspaceSource): string | undefined {
  if (source.kind === 'empty') return undefined;
  const place = source.kind === 'git' ? source.url.replace(/\.git$/, '') : source.path;
  return place.split(/[\\/:]/).findLast(part => part !== '');
}

/** What it is made of; of a digest so much that it can be told from others. */
function imageText({ config: { image }, pinnedImage }: InstanceRecord): string | undefined {
  const made = pinnedImage?.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1');
  if (made === undefined) return image;
  return image === undefined || made.includes('@') ? made : `${image} (${made})`;
}

/** "2 cores, 4 GB"; undefined when nothing is limited. */
export function sizeText(resources: InstanceConfig['resources'], t: Translate): string | undefined {
  const { cpuCores, memoryMb } = resources;
  const parts = [
    cpuCores === undefined ? undefined : cpuCores === 1 ? t('1 core') : t('{0} cores', cpuCores),
    memoryMb === undefined ? undefined : t('{0} GB', Math.round((memoryMb / 1024) * 10) / 10),
  ].filter(part => part !== undefined);
  return parts.length > 0 ? parts.join(', ') : undefined;
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** How long ago, in the user's language: "3 hours ago". */
export function ago(iso: string, now: number, locale: string): string {
  const passed = now - Date.parse(iso);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  for (const [unit, length] of units) {
    if (Math.abs(passed) >= length) return format.format(-Math.round(passed / length), unit);
  }
  return format.format(-Math.round(passed / 1000), 'second');
}

/** What a found resource is called: its id where nobody could say its name. */
export const foundName = ({ name, observation }: FoundResource): string => name ?? observation.id;

/** `user@machine`. */
export const ownerName = ({ user, machine }: Owner) => visible(`${user}@${machine}`);

/** What tells a found resource from others: its state, its place, and when it was made. */
export function foundDescription(
  { providerId, observation, owner }: FoundResource,
  texts: StatusTexts,
  locale: string,
): string {
  const made = new Date(observation.createdAt).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const whose = owner === undefined ? [] : [ownerName(owner)];
  const runsOn = observation.elsewhere === undefined ? [] : [observation.detail];
  return [texts[observation.status], ...runsOn, providerId, ...whose, made].join(' · ');
}

/** What stands in place of a state that can't be told here, or does not count. */
export function foreignText(
  { overruled, elsewhere, desired, providerId }: InstanceRecord,
  texts: StatusTexts,
  t: Translate,
): string | undefined {
  if (overruled?.by === 'another') return t('adopted by {0}', ownerName(overruled.owner));
  if (overruled)
    return t('outdated: here {0}, at {1} {2}', desiredText(desired, t), providerId, texts[overruled.status]);
  return elsewhere === undefined ? undefined : t('runs on {0}', elsewhere);
}

/** What a person can do about it, in whole sentences. */
function foreignHint(
  { overruled, elsewhere, providerId, desired }: InstanceRecord,
  texts: StatusTexts,
  locale: string,
  t: Translate,
) {
  if (overruled?.by === 'another') {
    const { owner, adoptedAt } = overruled;
    const who = ownerName(owner);
    return [
      adoptedAt === undefined
        ? t('{0} adopted it: nothing is done to it here.', who)
        : t('{0} adopted it on {1}: nothing is done to it here.', who, dayText(adoptedAt, locale)),
      t('Forget it here, or forget it and adopt it again. Your snapshots of it stay.'),
    ].join(' ');
  }
  if (overruled) {
    return t(
      '{0} says that it is "{1}"; here it was to be "{2}", as before a backup was brought back. Nothing is done to it until you accept what the provider says, or do what this state says.',
      ...[providerId, texts[overruled.status], desiredText(desired, t)],
    );
  }
  if (elsewhere === undefined) return undefined;
  return t('Stop it on {0}. If that is gone for good, take over the instance.', elsewhere);
}

const dayText = (iso: string, locale: string) => new Date(iso).toLocaleDateString(locale, { dateStyle: 'medium' });

/**
 * What follows the name on a row: the state first, then what tells this instance from others. What is in the trash stands
 * there in a group of that name: its row begins with what else there is to say.
 */
export function descriptionOf(
  record: InstanceRecord,
  texts: StatusTexts,
  showProvider: boolean,
  t: Translate,
  details: readonly string[] = [],
): string {
  const foreign = foreignText(record, texts, t);
  const isSaid = record.status === 'trashed' && details.length > 0;
  const parts = [...(isSaid ? [] : [foreign ?? texts[record.status]]), ...details];
  if (record.error !== undefined && (record.status === 'failed' || isStuck(record))) parts.push(record.error.message);
  else if (foreign === undefined && record.detail !== undefined && record.status !== 'running')
    parts.push(record.detail);
  if (record.setup?.status === 'failed') parts.push(t('setup failed'));
  else if (record.setup?.status === 'pending' && record.status === 'running') parts.push(t('setting up…'));
  if (record.error?.code === 'restore-cut-off') parts.push(t('its home is not whole'));
  const source = sourceName(record.config.source);
  if (source !== undefined) parts.push(source);
  if (showProvider) parts.push(record.providerId);
  return parts.join(' · ');
}

/** Why a provider can't be reached, without its name, which stands before it. */
export function problemText({ id, problem }: Pick<ProviderState, 'id' | 'problem'>, t: Translate): string {
  return problem?.replace(`The provider "${id}" does not answer: `, '') ?? t('does not answer');
}

/** What a screen reader says for the row: name, state, place, and the error. */
export function spokenOf(
  record: InstanceRecord,
  texts: StatusTexts,
  t: Translate,
  details: readonly string[] = [],
): string {
  const state = [foreignText(record, texts, t) ?? texts[record.status], ...details].map(withoutDots).join(', ');
  const spoken = [`${record.config.name}, ${state}, ${record.providerId}`];
  if (record.error !== undefined) spoken.push(record.error.message);
  if (record.setup?.status === 'failed') spoken.push(t('setup failed'));
  return spoken.join('. ');
}

export const capitalised = (text: string) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/** A passing state at rest, for headings and speech: "starting…" → "starting". */
export const withoutDots = (text: string) => text.replace('…', '');

/** The text itself, whatever it holds: nobody's name becomes a link, an image or an icon. */
export const escapeMarkdown = (text: string) =>
  text.replace(/[\\`*_{}[\]()#+\-.!|<>~$&]/g, '\\$&').replace(/[\r\n\u2028\u2029]+/g, ' ');

/** Of an instance, the youngest first; `failed` is what could not be kept since. */
export interface SnapshotFacts {
  readonly kept: readonly Snapshot[];
  readonly failed: readonly FailedSnapshot[];
}

/** Everything about an instance, as Markdown with theme icons, and nothing else. */
export function tooltipOf(
  record: InstanceRecord,
  texts: StatusTexts,
  now: number,
  locale: string,
  t: Translate,
  takes?: string,
  { kept, failed }: SnapshotFacts = { kept: [], failed: [] },
  costsAtRest = false,
): string {
  const { config } = record;
  const foreign = foreignText(record, texts, t);
  const detail = foreign === undefined ? record.detail : undefined;
  const lines = [
    `### ${escapeMarkdown(visible(config.name))}`,
    `$(${recordIcon(record).id}) **${escapeMarkdown(foreign ?? texts[record.status])}** · ${escapeMarkdown(ago(record.statusSince, now, locale))}` +
      (detail === undefined ? '' : ` · ${escapeMarkdown(detail)}`),
  ];
  const hint = foreignHint(record, texts, locale, t);
  if (hint !== undefined) lines.push(escapeMarkdown(hint));
  if (record.error !== undefined) {
    lines.push(`$(error) ${escapeMarkdown(record.error.message)} ${escapeMarkdown(record.error.hint ?? '')}`);
  }
  const until = record.overruled ? undefined : restorableUntil(record);
  if (until !== undefined) {
    const day = new Date(until).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
    lines.push(escapeMarkdown(untilText(day, kept.length, t)));
  }
  if (costsAtRest && ['stopped', 'failed', 'trashed'].includes(record.status))
    lines.push(`$(credit-card) ${escapeMarkdown(t('While it does not run its home is still paid for.'))}`);
  for (const problem of record.setup?.problems ?? []) lines.push(`$(warning) ${escapeMarkdown(problem)}`);

  for (const { error, takenAt } of failed) {
    const when = ago(takenAt, now, locale);
    lines.push(`$(warning) ${escapeMarkdown(t('No snapshot could be taken {0}: {1}', when, error.message))}`);
  }

  const [youngest] = kept;
  const facts: [string, string | undefined][] = [
    [t('Provider'), record.providerId],
    [t('Home'), takes],
    [t('Snapshots'), youngest && t('{0}, the last one {1}', kept.length, ago(youngest.takenAt, now, locale))],
    [t('Image'), imageText(record)],
    [t('Region'), config.region],
    [t('Size'), sizeText(config.resources, t)],
    [t('Workspace'), workspaceText(config.source)],
    [t('Ports'), listed(config.ports.map(String))],
    [t('Extensions'), listed(config.extensions)],
    [t('Variables'), listed([...Object.keys(config.env), ...config.secretEnv.map(name => t('{0} (secret)', name))])],
    [t('Labels'), listed(Object.entries(config.metadata).map(([key, value]) => `${key}=${value}`))],
    [t('Owner'), ownerName(record.overruled?.by === 'another' ? record.overruled.owner : record.owner)],
    [t('Created'), ago(record.createdAt, now, locale)],
    [t('Id'), record.id],
  ];
  lines.push(
    facts
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${escapeMarkdown(name)}: ${escapeMarkdown(value ?? '')}`)
      .join('  \n'),
  );
  return lines.join('\n\n');
}

function untilText(day: string, snapshots: number, t: Translate): string {
  if (snapshots === 0) return t('Restore brings it back until {0}; then it is removed for good.', day);
  return snapshots === 1
    ? t('Restore brings it back until {0}; then it is removed for good, with its snapshot.', day)
    : t('Restore brings it back until {0}; then it is removed for good, with its {1} snapshots.', day, snapshots);
}

const listed = (items: readonly string[]) => (items.length > 0 ? items.join(', ') : undefined);

function workspaceText(source: WorkspaceSource): string | undefined {
  if (source.kind === 'empty') return undefined;
  if (source.kind === 'folder') return source.path;
  return source.ref === undefined ? source.url : `${source.url} (${source.ref})`;
}
