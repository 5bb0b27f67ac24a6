import * as vscode from 'vscode';
import type { InstanceRecord } from '../../model/instance.ts';
import { visible } from '../../model/textCut.ts';
import { statusTexts } from '../../operations/statusTexts.ts';
import type { Face } from '../face.ts';
import { actionsOf, type InstanceAction } from '../instanceActions.ts';
import { descriptionOf, recordIcon } from '../rowTexts.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';

/**
 * The instances a command is about: of the rows it was called on those that fit, else those that the person picks.
 * Empty when nothing was picked; then there is nothing to say.
 */
export async function pickInstances(
  face: Face,
  { rows }: CommandCall,
  action: InstanceAction | 'any',
  title: string,
): Promise<InstanceRecord[]> {
  if (rows.length > 0) {
    return rows.flatMap(row => recordOf(face, row) ?? []).filter(record => fits(face, record, action));
  }
  return (await choose(face, action, title, true)) ?? [];
}

/** The instance that a row of any view stands for, or that somebody names by its id. */
export function recordOf({ host, view, health, migrations }: Face, row: string): InstanceRecord | undefined {
  const node = view.node(row) ?? health.node(row);
  if (node) return node.kind === 'instance' ? node.record : undefined;
  return host.ready?.controller.registry.getInstance(migrations.migration(row)?.instanceId ?? row);
}

/** The one instance a command is about. */
export async function pickInstance(
  face: Face,
  call: CommandCall,
  action: InstanceAction | 'any',
  title: string,
): Promise<InstanceRecord | undefined> {
  if (call.rows.length > 0) return (await pickInstances(face, call, action, title))[0];
  return (await choose(face, action, title, false))?.[0];
}

const fits = ({ view }: Face, record: InstanceRecord, action: InstanceAction | 'any') =>
  action === 'any' || actionsOf(record, view).includes(action);

async function choose(
  face: Face,
  action: InstanceAction | 'any',
  title: string,
  many: boolean,
): Promise<InstanceRecord[] | undefined> {
  const { controller } = await face.host.core();
  const records = controller.listInstances().filter(record => fits(face, record, action));
  if (records.length === 0) {
    void offerCreate();
    return undefined;
  }
  const texts = statusTexts(t);
  const items = records
    .sort((a, b) => a.config.name.localeCompare(b.config.name))
    .map(record => ({
      label: `$(${recordIcon(record).id}) ${visible(record.config.name)}`,
      description: descriptionOf(record, texts, true, t),
      record,
    }));
  const options = { title, placeHolder: t('Type to search by name, state or provider'), matchOnDescription: true };
  if (many) {
    const picked = await vscode.window.showQuickPick(items, { ...options, canPickMany: true });
    return picked?.map(({ record }) => record);
  }
  const picked = await vscode.window.showQuickPick(items, options);
  return picked && [picked.record];
}

async function offerCreate(): Promise<void> {
  const create = t('Create Instance');
  const chosen = await vscode.window.showInformationMessage(t('No instance is in a state that fits.'), create);
  if (chosen === create) await vscode.commands.executeCommand('remoteSwarm.create');
}
