import * as vscode from 'vscode';
import type { Snapshot } from '../../model/snapshot.ts';
import { bytesText } from '../../operations/bytesText.ts';
import { kindText, sizeLine, takenText } from '../../operations/snapshotTexts.ts';
import type { Face } from '../face.ts';
import { freeName } from '../freeName.ts';
import { actionsOf } from '../instanceActions.ts';
import { operate } from '../operate.ts';
import { t } from '../translate.ts';
import { askStep } from './askStep.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstance, recordOf } from './pickInstances.ts';

/** Keeps the home of an instance as it is now. */
export async function takeSnapshot(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'snapshot', t('Take a Snapshot'));
  if (!record) return;
  const { name } = record.config;
  const doing = t('Keeping the home of {0}', name);
  const { bytes, added } = await operate<Pick<Snapshot, 'bytes' | 'added'>>(
    face,
    'take_snapshot',
    { instanceId: record.id },
    doing,
    'notification',
  );
  const size = (count: number) => bytesText(count, vscode.env.language);
  void vscode.window.showInformationMessage(t('Snapshot of {0}: {1}, {2} new.', name, size(bytes), size(added)));
}

/** Asks which, and whether it becomes a new instance or its own one again. */
export async function restoreSnapshot(face: Face, call: CommandCall): Promise<void> {
  const snapshot = await pickSnapshot(face, call, t('Restore a Snapshot'));
  if (!snapshot) return;
  const { controller } = await face.host.core();
  const { name } = snapshot.config;
  const own = controller.registry.getInstance(snapshot.instanceId);
  const items = [
    {
      label: `$(add) ${t('As a New Instance')}`,
      detail: t('The instance it was taken of stays as it is.'),
      isNew: true,
    },
    ...(own && actionsOf(own, face.view).includes('snapshot')
      ? [
          {
            label: `$(discard) ${t('Into {0} Itself', own.config.name)}`,
            detail: t('What its home is now is kept as another snapshot first.'),
            isNew: false,
          },
        ]
      : []),
  ];
  const picked = await vscode.window.showQuickPick(items, { title: t('Restore a Snapshot of {0}', name) });
  if (!picked) return;
  const snapshotId = snapshot.id;
  const doing = t('Bringing the home of {0} back', name);
  if (!picked.isNew) await operate(face, 'reset_to_snapshot', { snapshotId }, doing, 'notification');
  else await makeNew(face, name, t('Restore a Snapshot of {0}', name), 'restore_snapshot', { snapshotId }, doing);
}

/** Makes another instance of this one's home. */
export async function forkInstance(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'snapshot', t('Fork an Instance'));
  if (!record) return;
  const { name } = record.config;
  await makeNew(face, name, t('Fork {0}', name), 'fork_instance', { instanceId: record.id }, t('Forking {0}', name));
}

/** For one whose provider does not answer. The gate asks first. */
export async function failOver(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'failOver', t('Fail an Instance Over'));
  if (!record) return;
  const { controller } = await face.host.core();
  const { id, providerId, config } = record;
  const [youngest] = controller.snapshots.listSnapshots(id);
  const title = t('Fail {0} Over', config.name);
  const others = controller.getSwarmStatus().providers.filter(state => state.reachable && state.id !== providerId);
  if (!youngest || others.length === 0) {
    const problem = youngest ? t('There is no other provider that answers.') : t('{0} has no snapshot.', config.name);
    void vscode.window.showInformationMessage(t('{0} It can only wait for its provider.', problem));
    return;
  }
  const items = others.map(state => ({ label: `$(server-environment) ${state.id}`, description: state.type, state }));
  const placeHolder = t('Its home will be as of {0}. Where shall it live?', takenText(youngest, t));
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder });
  if (!picked) return;
  const input = { instanceId: id, targetProvider: picked.state.id };
  await operate(
    face,
    'fail_over_instance',
    input,
    t('Failing {0} over to {1}', config.name, picked.state.id),
    'notification',
  );
}

/** The gate asks first. */
export async function deleteSnapshot(face: Face, call: CommandCall): Promise<void> {
  const snapshot = await pickSnapshot(face, call, t('Delete a Snapshot'));
  if (snapshot) await operate(face, 'delete_snapshot', { snapshotId: snapshot.id }, t('Deleting the snapshot…'));
}

/** Asks for a name, and on which provider where there are several. */
async function makeNew(
  face: Face,
  like: string,
  title: string,
  operation: string,
  input: object,
  doing: string,
): Promise<void> {
  const { controller } = await face.host.core();
  const takenNames = controller.listInstances().map(({ config }) => config.name);
  const name = await askStep('name', freeName(takenNames, like), title, { t, providers: [], takenNames });
  if (name === undefined) return;
  const providers = controller.getSwarmStatus().providers.filter(({ reachable }) => reachable);
  let provider = providers[0]?.id;
  if (providers.length > 1) {
    const items = providers.map(({ id, type }) => ({ label: `$(server-environment) ${id}`, description: type, id }));
    const picked = await vscode.window.showQuickPick(items, { title, placeHolder: t('Where shall it live?') });
    if (!picked) return;
    provider = picked.id;
  }
  const made = await operate<{ id: string }>(
    face,
    operation,
    { ...input, name, ...(provider !== undefined && { provider }) },
    doing,
    'notification',
  );
  const open = t('Open');
  void vscode.window
    .showInformationMessage(t('{0} is there, with its whole home.', name), open)
    .then(chosen => chosen === open && vscode.commands.executeCommand('remoteSwarm.open', made.id));
}

/** Of the instance that the call is about, or of all. */
async function pickSnapshot(face: Face, { rows }: CommandCall, title: string): Promise<Snapshot | undefined> {
  const { controller } = await face.host.core();
  const about = rows.map(row => recordOf(face, row)?.id)[0];
  const snapshots = controller.snapshots.listSnapshots(about);
  if (snapshots.length === 0) {
    const record = about === undefined ? undefined : controller.registry.getInstance(about);
    const canTake = record === undefined || actionsOf(record, face.view).includes('snapshot');
    const take = t('Take Snapshot');
    const chosen = await vscode.window.showInformationMessage(
      t('There is no snapshot yet.'),
      ...(canTake ? [take] : []),
    );
    if (chosen === take) await vscode.commands.executeCommand('remoteSwarm.takeSnapshot', ...(about ? [about] : []));
    return undefined;
  }
  const items = snapshots.map(snapshot => ({
    label: `$(history) ${snapshot.config.name}`,
    description: [takenText(snapshot, t), kindText(snapshot, t)].filter(Boolean).join(' · '),
    detail: sizeLine(snapshot, t),
    snapshot,
  }));
  return (await vscode.window.showQuickPick(items, { title, matchOnDescription: true }))?.snapshot;
}
