import { access } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { SwarmCore, SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

/**
 * The state directory was changed in the settings: offers to move what lies in the old one, and builds the swarm on the
 * new one. Of several windows the one that is looked at asks. Rejects where it cannot be moved to, and stays.
 */
export async function followStateDirectory(
  host: SwarmHost,
  to: string,
  assertMovable: (from: string, to: string) => Promise<void>,
  moveState: (from: string, to: string) => Promise<void>,
): Promise<void> {
  await untilFocused();
  const from = host.ready?.stateDirectory;
  if (from === undefined || from === to || (await holdsState(to)) || !(await holdsState(from))) return host.reload();
  // Else the swarm would begin anew there: it stays where it is.
  await assertMovable(from, to);
  const move = t('Move');
  const leave = t('Start Empty');
  const question = t('Move the state of the swarm to the new directory?');
  const detail = t(
    'It lies in {0}, and would be moved to {1}. If it is left, the instances of this swarm are shown as found, until you go back to the old directory or adopt them.',
    from,
    to,
  );
  const chosen = await vscode.window.showWarningMessage(question, { modal: true, detail }, move, leave);
  if (chosen === move) await host.whileDown(() => moveState(from, to));
  else if (chosen === leave) await host.reload();
  else await sayUnmoved();
}

/** Another window moves the state: this one waits for it, and goes on where the settings say. */
export function followMove(host: SwarmHost, { controller }: SwarmCore, failed: (error: unknown) => void): void {
  controller.claim.onDidChange(() => {
    const why = controller.claim.hindrance?.why;
    if (why === 'moving' || why === 'moved') host.reload().catch(failed);
  });
}

/** Whether a swarm's state lies in a directory. */
const holdsState = (directory: string) =>
  access(path.join(directory, 'swarm.json')).then(
    () => true,
    () => false,
  );

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
