import * as vscode from 'vscode';
import type { Face } from '../face.ts';
import { operateOnAll } from '../operate.ts';
import { t } from '../translate.ts';

/** Removes every instance of this swarm for good. The gate lists them all and asks first. */
export async function removeSwarm(face: Face): Promise<void> {
  const { controller } = await face.host.core();
  if (controller.listInstances().length === 0) {
    void vscode.window.showInformationMessage(t('This swarm has no instances; there is nothing to remove.'));
    return;
  }
  await operateOnAll(face, 'remove_swarm', {}, t('Removing everything of this swarm'), 'notification');
}
