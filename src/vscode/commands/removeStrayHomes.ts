import * as vscode from 'vscode';
import type { Face } from '../face.ts';
import { operateOnAll } from '../operate.ts';
import { withProgress } from '../operationContext.ts';
import { t } from '../translate.ts';

/** Shows homes that cost something and that no instance has any more, and removes the chosen ones. The gate asks first. */
export async function removeStrayHomes(face: Face): Promise<void> {
  const { controller } = await face.host.core();
  const found = await withProgress('view', t('Looking for homes without an instance'), ctx =>
    controller.strayHomes.list(ctx),
  );
  if (found.length === 0) {
    void vscode.window.showInformationMessage(t('Every home at the providers belongs to an instance.'));
    return;
  }
  const items = found.map(({ id, providerId, sizeGb }) => ({
    label: id,
    description: t('{0} · {1} GB', providerId, sizeGb),
    home: { providerId, instanceId: id, sizeGb },
  }));
  const title = t('Homes Without an Instance');
  const picked = await vscode.window.showQuickPick(items, { title, canPickMany: true });
  if (!picked || picked.length === 0) return;
  const homes = picked.map(({ home }) => home);
  await operateOnAll(face, 'remove_stray_home', { homes }, t('Removing homes without an instance'), 'notification');
}
