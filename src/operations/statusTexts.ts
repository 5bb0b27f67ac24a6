import type { InstanceRecord, InstanceStatus } from '../model/instance.ts';
import type { Translate } from './translate.ts';

/** The statuses in the user's language, as they are shown on rows. */
export type StatusTexts = Readonly<Record<InstanceStatus, string>>;

export const statusTexts = (t: Translate): StatusTexts => ({
  creating: t('creating…'),
  starting: t('starting…'),
  running: t('running'),
  stopping: t('stopping…'),
  stopped: t('stopped'),
  failed: t('failed'),
  deleting: t('deleting…'),
  trashed: t('in the trash'),
  lost: t('lost'),
  unknown: t('unknown'),
});

/** What is wanted of an instance, in words for its state once it is so. */
export const desiredText = (desired: InstanceRecord['desired'], t: Translate): string =>
  desired === 'absent' ? t('deleted for good') : statusTexts(t)[desired];
