import * as vscode from 'vscode';
import { claimText } from '../claimNotice.ts';
import type { Face } from '../face.ts';
import { operate } from '../operate.ts';
import { t } from '../translate.ts';

/** Makes this machine the one that changes the state. The gate names the other one and asks first. */
export async function takeOver(face: Face): Promise<void> {
  const { controller } = await face.host.core();
  const { hindrance } = controller.claim;
  if (hindrance?.why !== 'elsewhere') {
    void vscode.window.showInformationMessage(
      claimText(hindrance, vscode.env.language) ?? t('The state of this swarm is in use on this machine already.'),
    );
    return;
  }
  await operate(face, 'take_over_state', {}, t('Taking over the state of the swarm'));
  // What the other machine has written is read anew.
  await face.host.reload();
}
