import type { Snapshot } from '../model/snapshot.ts';
import { visible } from '../model/textCut.ts';
import { bytesText } from './bytesText.ts';
import type { Translate } from './translate.ts';

/** When it was taken, in the time of this computer. */
export const takenText = ({ takenAt }: Snapshot, { locale }: Translate): string =>
  new Date(takenAt).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });

/** What made the controller take it; undefined when a person did. */
export function kindText({ kind }: Snapshot, t: Translate): string | undefined {
  if (kind === 'scheduled') return t('by schedule');
  return kind === 'before' ? t('before a reset, fork or recreation') : undefined;
}

/** "1.27 MB in 83 files". */
export function sizeLine({ bytes, files }: Pick<Snapshot, 'bytes' | 'files'>, t: Translate): string {
  const size = bytesText(bytes, t.locale);
  return files === 1 ? t('{0} in 1 file', size) : t('{0} in {1} files', size, files);
}

/** Which snapshot it is, as the pick shows it. */
export function snapshotLine(snapshot: Snapshot, t: Translate): string {
  const facts = [takenText(snapshot, t), kindText(snapshot, t), sizeLine(snapshot, t)];
  return t('Snapshot of "{0}": {1}', visible(snapshot.config.name), facts.filter(Boolean).join(' · '));
}
