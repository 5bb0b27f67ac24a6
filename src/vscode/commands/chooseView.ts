import * as vscode from 'vscode';
import { statusTexts } from '../../operations/statusTexts.ts';
import type { Face } from '../face.ts';
import { type Grouping, type Sorting, statusOrder } from '../instanceTree.ts';
import { iconOf, withoutDots } from '../rowTexts.ts';
import { t } from '../translate.ts';

export async function chooseGrouping(face: Face): Promise<void> {
  const grouping = await chooseOne<Grouping>(t('Group Instances By'), face.view.choice.grouping, [
    ['provider', t('Provider')],
    ['status', t('Status')],
    ['none', t('Nothing: one flat list')],
  ]);
  if (grouping) await face.view.choose({ grouping });
}

export async function chooseSorting(face: Face): Promise<void> {
  const sorting = await chooseOne<Sorting>(t('Sort Instances By'), face.view.choice.sorting, [
    ['name', t('Name')],
    ['status', t('Status: what needs a look comes first')],
    ['created', t('Age: the youngest comes first')],
  ]);
  if (sorting) await face.view.choose({ sorting });
}

/** Text first, then states; both may be left as they are. */
export async function chooseFilter(face: Face): Promise<void> {
  const { choice } = face.view;
  const title = t('Filter Instances');
  const text = await vscode.window.showInputBox({
    title,
    value: choice.text,
    prompt: t('Show only instances whose name, provider or label holds this text. Empty shows all.'),
    placeHolder: t('Part of a name'),
  });
  if (text === undefined) return;
  const texts = statusTexts(t);
  const items = statusOrder.map(status => ({
    label: `$(${iconOf(status).id.replace('~spin', '')}) ${withoutDots(texts[status])}`,
    picked: choice.statuses.includes(status),
    status,
  }));
  const placeHolder = t('Show only these states; none chosen shows all');
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder, canPickMany: true });
  if (picked) await face.view.choose({ text: text.trim(), statuses: picked.map(({ status }) => status) });
}

export const clearFilter = (face: Face) => face.view.choose({ text: '', statuses: [] });

async function chooseOne<T extends string>(
  title: string,
  current: T,
  choices: readonly (readonly [T, string])[],
): Promise<T | undefined> {
  const items = choices.map(([value, label]) => ({
    label,
    value,
    ...(value === current && { description: t('now') }),
  }));
  return (await vscode.window.showQuickPick(items, { title }))?.value;
}
