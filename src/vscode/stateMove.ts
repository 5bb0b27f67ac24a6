import * as vscode from 'vscode';
import { holdsState, moveState } from './moveState.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

/**
 * The state directory was changed in the settings: offers to move what lies in the old one, and builds the swarm on the
 * new one. Of several windows the one that is looked at asks.
 */
export async function followStateDirectory(host: SwarmHost, to: string, entries: readonly string[]): Promise<void> {
  await untilFocused();
  const from = host.ready?.stateDirectory;
  if (from === undefined || from === to || (await holdsState(to)) || !(await holdsState(from))) return host.reload();
  const move = t('Move');
  const leave = t('Start Empty');
  const question = t('Move the state of the swarm to the new directory?');
  const detail = t(
    'It lies in {0}, and would be moved to {1}. If it is left, the instances of this swarm are shown as found, until you go back to the old directory or adopt them.',
    from,
    to,
  );
  const chosen = await vscode.window.showWarningMessage(question, { modal: true, detail }, move, leave);
  if (chosen === move) await host.whileDown(() => moveState(entries, from, to));
  else if (chosen === leave) await host.reload();
  else await sayUnmoved();
}

/** Cancelled: the person decides, in the settings. */
async function sayUnmoved(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', 'remoteSwarm.stateDirectory');
  void vscode.window.showInformationMessage(
    t('Nothing was moved. The swarm stays where it is in this window; put the setting back, or reload the window.'),
  );
}

function untilFocused(): Promise<void> {
  if (vscode.window.state.focused) return Promise.resolve();
  return new Promise(resolve => {
    const subscription = vscode.window.onDidChangeWindowState(({ focused }) => {
      if (!focused) return;
      subscription.dispose();
      resolve();
    });
  });
}
