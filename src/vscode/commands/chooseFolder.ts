import * as os from 'node:os';
import * as vscode from 'vscode';
import { t } from '../translate.ts';

/** A folder of this computer, which is told when it is another's; undefined when none is chosen. */
export async function chooseFolder(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    canSelectFolders: true,
    canSelectFiles: false,
    // In a remote window it begins on the other computer otherwise.
    defaultUri: vscode.Uri.file(os.homedir()),
    title: t('Choose the folder to copy'),
    openLabel: t('Copy This Folder'),
  });
  const folder = chosen?.[0];
  if (!folder || folder.scheme === 'file') return folder?.fsPath;
  void vscode.window.showErrorMessage(
    t('{0} is not on this computer. Choose a folder that is, or clone its repository.', folder.toString(true)),
  );
  return undefined;
}
