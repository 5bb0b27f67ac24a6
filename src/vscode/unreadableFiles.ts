import * as vscode from 'vscode';
import type { Quarantined } from '../model/stateStore.ts';
import { plain } from './showError.ts';
import { t } from './translate.ts';

/** Tells a person of state files that could not be read (semantics 29): the log of each, a message of the first. */
export class UnreadableFiles {
  readonly #log: vscode.LogOutputChannel;
  #open = false;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  async tell({ file, reason }: Quarantined): Promise<void> {
    this.#log.warn(`${file} cannot be read: ${reason}`);
    if (this.#open) return;
    this.#open = true;
    try {
      const show = t('Show Log');
      const text = t(
        'A state file cannot be read, and was kept as it is: {0} ({1}). The rest was loaded.',
        file,
        reason,
      );
      if ((await vscode.window.showWarningMessage(plain(text), show)) === show) this.#log.show();
    } finally {
      this.#open = false;
    }
  }
}
