import type { RecoveryRung } from '../model/health.ts';
import type { Translate } from './translate.ts';

/** What an act of recovery is called. */
export function rungTitle(t: Translate, rung: RecoveryRung): string {
  switch (rung) {
    case 'restart':
      return t('Restart');
    case 'recreate':
      return t('Make Anew');
    case 'migrate':
      return t('Move Elsewhere');
  }
}

/** What an act of recovery does, what it keeps and what it costs; short enough for one line. */
export function rungEffect(t: Translate, rung: RecoveryRung): string {
  switch (rung) {
    case 'restart':
      return t('Ends its processes and starts its editor server again. Files are kept.');
    case 'recreate':
      return t('Makes all but its home anew. Files are kept; what was installed outside its home is lost.');
    case 'migrate':
      return t('Moves it, with its home, to another provider. Files are kept; it is down meanwhile.');
  }
}
