import { parkedAt } from '../core/migration/migrationSteps.ts';
import { untilDecided } from '../core/retention.ts';
import type { Migration, MigrationPlan, MigrationStrategy } from '../model/migration.ts';
import { bytesText } from '../operations/bytesText.ts';
import type { Translate } from '../operations/translate.ts';
import { type HealthWording, timeText } from './healthRows.ts';
import { migrationFace, migrationIcon, spanText, stateText } from './migrationRows.ts';
import { escapeMarkdown } from './rowTexts.ts';

const digestShown = 12;

export const strategyTitle = (strategy: MigrationStrategy, t: Translate): string =>
  strategy === 'stop-and-recreate' ? t('Stop, then copy') : t('Copy, then stop');

export const strategyEffect = (strategy: MigrationStrategy, t: Translate): string =>
  strategy === 'stop-and-recreate'
    ? t('The instance stops first. Simple, with a longer downtime.')
    : t('Its home is copied while it runs; it stops only for what has changed since.');

/** What a person agrees to before anything is done, one fact a line. */
export function planLines(
  { bytes, files, estimatedDowntime, freeBytes, losses }: MigrationPlan,
  wording: HealthWording,
): string[] {
  const { t, locale } = wording;
  return [
    t('{0} in {1} files will be copied and compared.', bytesText(bytes, locale), files),
    ...(freeBytes === undefined ? [] : [t('The target has {0} free.', bytesText(freeBytes, locale))]),
    estimatedDowntime === 0
      ? t('It does not run now, so there is no downtime.')
      : t('It will not run for about {0}.', spanText(estimatedDowntime * 1000, locale)),
    ...(losses.length > 0 ? losses : [t('Nothing is lost.')]),
  ];
}

function keptText(parkedAt: string, until: string, wording: HealthWording): string {
  const { t } = wording;
  if (until === untilDecided) return t('kept on {0} until you decide', parkedAt);
  return t('kept on {0} until {1}', parkedAt, timeText(until, wording));
}

/** Everything about a migration, as Markdown with theme icons; nothing is printed where there is nothing. */
export function migrationTooltip(migration: Migration, wording: HealthWording): string {
  const { t, locale } = wording;
  const { strategy, plan, downtimeMs, digest, parkedUntil, leftovers, error } = migration;
  const face = migrationFace(migration) ?? 'running';
  const way = `${migration.sourceProviderId} → ${migration.targetProviderId}`;
  const facts: [string, string | undefined][] = [
    [t('Strategy'), strategyTitle(strategy, t)],
    [t('Home'), plan.files > 0 ? t('{0} in {1} files', bytesText(plan.bytes, locale), plan.files) : undefined],
    [t('Expected downtime'), plan.estimatedDowntime > 0 ? spanText(plan.estimatedDowntime * 1000, locale) : undefined],
    [t('Downtime'), downtimeMs === undefined ? undefined : spanText(downtimeMs, locale)],
    [t('Digest'), digest?.slice(0, digestShown)],
    [t('Old copy'), parkedUntil && keptText(parkedAt(migration), parkedUntil, wording)],
    [t('Left over'), leftovers.length > 0 ? leftovers.join(', ') : undefined],
  ];
  return [
    `### ${escapeMarkdown(migration.instanceName)}`,
    `$(${migrationIcon(face).id}) **${escapeMarkdown(stateText(migration, wording))}** · ${escapeMarkdown(way)}`,
    ...(error ? [`$(error) ${escapeMarkdown(error.message)} ${escapeMarkdown(error.hint ?? '')}`] : []),
    ...plan.losses.map(loss => `$(warning) ${escapeMarkdown(loss)}`),
    facts
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${escapeMarkdown(name)}: ${escapeMarkdown(value ?? '')}`)
      .join('  \n'),
  ].join('\n\n');
}
