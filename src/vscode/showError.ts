import * as vscode from 'vscode';
import { SwarmError } from '../model/errors.ts';
import { buttonsFor } from './errorButtons.ts';
import { forLog, forPerson } from './errorWording.ts';
import { t } from './translate.ts';

/** Says in a sentence what went wrong, with buttons for the next step; logs its causes. An abort says nothing. */
export async function showError(
  error: unknown,
  log: vscode.LogOutputChannel,
  retry?: () => Promise<unknown>,
): Promise<void> {
  const text = error instanceof vscode.CancellationError ? undefined : forPerson(error);
  if (text === undefined) return;
  log.error(forLog(error));
  const known = error instanceof SwarmError ? error : undefined;
  const buttons = buttonsFor(known?.code, known?.retryable ?? false, t).filter(
    ({ does }) => does !== 'retry' || retry !== undefined,
  );
  const chosen = await vscode.window.showErrorMessage(plain(text), ...buttons.map(({ label }) => label));
  const does = buttons.find(({ label }) => label === chosen)?.does;
  if (does === 'log') log.show();
  else if (does === 'retry') await retry?.();
  else if (does !== undefined) await vscode.commands.executeCommand(does.command, ...(does.args ?? []));
}

/** Without links: a notification would run a command named in a link, and texts may come from inside an instance. */
export const plain = (text: string) => text.replaceAll('](', '] (');
