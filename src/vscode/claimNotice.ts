import * as vscode from 'vscode';
import type { StateHindrance } from '../model/stateHindrance.ts';
import { t } from './translate.ts';

/** What stands against changing anything here, in one line for a person; undefined when nothing does. */
export function claimText(hindrance: StateHindrance | undefined, locale: string): string | undefined {
  if (!hindrance) return undefined;
  if (hindrance.why !== 'elsewhere') return t('The state of this swarm is moved to {0}.', hindrance.to);
  const since = new Date(hindrance.since);
  const time = Number.isNaN(since.getTime())
    ? '?'
    : since.toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
  return t('This swarm is in use on {0} since {1}. Here it can only be read.', hindrance.host, time);
}

/** Tells a person once that another machine has the state of the swarm, with the step that takes it over. */
export class ClaimNotice {
  #told: string | undefined;

  tell(hindrance: StateHindrance | undefined): void {
    const text = hindrance?.why === 'elsewhere' ? claimText(hindrance, vscode.env.language) : undefined;
    if (text === this.#told) return;
    this.#told = text;
    if (text !== undefined) void this.#show(text);
  }

  async #show(text: string): Promise<void> {
    const takeOver = t('Take Over');
    const chosen = await vscode.window.showWarningMessage(t('Remote Swarm: {0}', text), takeOver);
    if (chosen === takeOver) await vscode.commands.executeCommand('remoteSwarm.takeOver');
  }
}
