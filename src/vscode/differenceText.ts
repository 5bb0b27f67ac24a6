import type { HomeChange, HomeDifference } from '../model/homeArchive.ts';
import type { Migration } from '../model/migration.ts';
import { visible } from '../model/textCut.ts';
import { bytesText } from '../operations/bytesText.ts';
import type { Translate } from '../operations/translate.ts';
import type { HealthWording } from './healthRows.ts';
import { escapeMarkdown } from './rowTexts.ts';

/** In what a parked copy differs from the instance, and what can be done with it: a Markdown document. */
export function differenceText(
  { instanceName }: Pick<Migration, 'instanceName'>,
  { count, changes }: HomeDifference,
  wording: HealthWording,
): string {
  const { t } = wording;
  const left = count - changes.length;
  const facts =
    count === 0
      ? [t('Nothing differs: the old copy has what the instance has.')]
      : [
          t('The old copy differs in {0} places.', count),
          changes.map(change => lineOf(change, wording)).join('\n'),
          ...(left > 0 ? [t('…and in {0} more.', left)] : []),
        ];
  const choices = t(
    'Roll Back makes the old copy the instance again, and keeps the other one. Clean Up Source removes the old copy for good.',
  );
  const title = `# ${escapeMarkdown(t('What Differs in {0}', instanceName))}`;
  return [title, ...facts, escapeMarkdown(choices), ''].join('\n\n');
}

function lineOf({ path, what, bytes }: HomeChange, { t, locale }: HealthWording): string {
  const parts = [whatText(what, t), ...(bytes > 0 ? [bytesText(bytes, locale)] : [])];
  return `- ${escapeMarkdown(visible(path).replaceAll('\n', '\\n'))}: ${escapeMarkdown(parts.join(', '))}`;
}

function whatText(what: HomeChange['what'], t: Translate): string {
  switch (what) {
    case 'only-there':
      return t('only in the old copy');
    case 'only-here':
      return t('not in the old copy');
    case 'changed':
      return t('another one in the old copy');
  }
}
