import type { Translate } from '../operations/translate.ts';

/** A next step that an error message offers: the command that does it, or `retry` for the one that failed. */
export interface ErrorButton {
  readonly label: string;
  readonly does: 'retry' | 'log' | { readonly command: string; readonly args?: readonly unknown[] };
}

/** The buttons under an error, the one that mends it first. At most three: more are not read. */
export function buttonsFor(code: string | undefined, retryable: boolean, t: Translate): ErrorButton[] {
  const log: ErrorButton = { label: t('Show Log'), does: 'log' };
  const retry: ErrorButton = { label: t('Retry'), does: 'retry' };
  const settings = (key: string): ErrorButton => ({
    label: t('Open Settings'),
    does: { command: 'workbench.action.openSettings', args: [key] },
  });
  const editProvider: ErrorButton = { label: t('Edit Provider'), does: { command: 'remoteSwarm.editProvider' } };
  const addProvider: ErrorButton = { label: t('Add Provider'), does: { command: 'remoteSwarm.addProvider' } };
  switch (code) {
    case 'editor-server-missing':
      return [{ label: t('Install Editor Server'), does: { command: 'remoteSwarm.installEditorServer' } }, retry, log];
    case 'state-elsewhere':
      return [{ label: t('Take Over'), does: { command: 'remoteSwarm.takeOver' } }];
    case 'state-moved':
    case 'state-unmovable':
      return [settings('remoteSwarm.stateDirectory')];
    case 'unknown-provider':
    case 'no-placement':
      return [addProvider, settings('remoteSwarm.providers')];
    case 'provider-unreachable':
      return [retry, settings('remoteSwarm.providers'), log];
    case 'token-missing':
    case 'token-refused':
      return [editProvider, log];
    case 'provider-unusable':
      return [settings('remoteSwarm.providers')];
    case 'invalid-setting':
      return [settings('remoteSwarm')];
    case 'instance-not-found':
      return [{ label: t('Refresh'), does: { command: 'remoteSwarm.refresh' } }];
    case 'invalid-input':
    case 'not-json':
    case 'name-taken':
    case 'unsupported':
    case 'denied':
      return [];
    default:
      // What a host or an engine refuses is mended there, or in how it is named here, and then tried again.
      if (/^(ssh|engine)-/.test(code ?? '')) return [retry, editProvider, log];
      return retryable ? [retry, log] : [log];
  }
}
