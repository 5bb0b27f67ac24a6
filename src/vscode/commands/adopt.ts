import * as vscode from 'vscode';
import { visible } from '../../model/textCut.ts';
import { statusTexts } from '../../operations/statusTexts.ts';
import type { Face } from '../face.ts';
import { actionsOf } from '../instanceActions.ts';
import type { FoundResource } from '../instanceTree.ts';
import { operateOnAll } from '../operate.ts';
import { withProgress } from '../operationContext.ts';
import { foundDescription, foundName } from '../rowTexts.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';

/** Makes found resources part of this swarm. The gate asks first. */
export async function adopt(face: Face, { rows }: CommandCall): Promise<void> {
  const clicked = rows.flatMap(row => {
    const node = face.view.node(row);
    return node?.kind === 'found' ? [node.found] : [];
  });
  await adoptEach(face, rows.length > 0 ? clicked : await choose(face));
}

export async function adoptAll(face: Face): Promise<void> {
  const { controller } = await face.host.core();
  await adoptEach(face, await withProgress('view', t('Adopting…'), () => face.view.nameFound(controller.listFound())));
}

async function adoptEach(face: Face, resources: readonly FoundResource[]): Promise<void> {
  if (resources.length === 0) return;
  const found = resources.map(({ providerId, observation, name, owner }) => ({
    providerId,
    instanceId: observation.id,
    ...(name !== undefined && { name }),
    ...(owner !== undefined && { owner }),
  }));
  await operateOnAll(face, 'adopt_swarm_instance', { found }, t('Adopting…'));
  const [first, second] = found;
  if (!first || second) {
    void vscode.window.showInformationMessage(t('{0} instances are part of this swarm now.', found.length));
    return;
  }
  void showAdopted(face, first.instanceId);
}

/** Shows where it stands now, and what can be done with it. */
async function showAdopted(face: Face, instanceId: string): Promise<void> {
  await face.view.follow(instanceId);
  const record = face.host.ready?.controller.registry.getInstance(instanceId);
  if (!record) return;
  const open = t('Open');
  const chosen = await vscode.window.showInformationMessage(
    t('{0} is part of this swarm now.', visible(record.config.name)),
    ...(actionsOf(record, face.view).includes('open') ? [open] : []),
  );
  if (chosen === open) await vscode.commands.executeCommand('remoteSwarm.open', instanceId);
}

async function choose(face: Face): Promise<FoundResource[]> {
  const { controller } = await face.host.core();
  const texts = statusTexts(t);
  const all = controller.listFound();
  if (all.length === 0) {
    void vscode.window.showInformationMessage(t('There is nothing to adopt: no other swarm was found.'));
    return [];
  }
  // The pick is there at once, and waits with a moving bar until the names are read.
  const items = face.view.nameFound(all).then(named =>
    named.map(found => ({
      label: foundName(found),
      description: foundDescription(found, texts, vscode.env.language),
      detail: found.observation.id,
      found,
    })),
  );
  const picked = await vscode.window.showQuickPick(items, { title: t('Adopt Instances'), canPickMany: true });
  return picked?.map(({ found }) => found) ?? [];
}
