import * as vscode from 'vscode';
import { auditText, verdictText } from '../auditText.ts';
import type { Face } from '../face.ts';
import { withProgress } from '../operationContext.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';

interface FilterItem extends vscode.QuickPickItem {
  readonly filter: { readonly instanceId?: string; readonly actor?: string };
}

/** The audit log as a text, of everything or of one instance or actor. On a row, of that instance. */
export async function showAuditLog(face: Face, { rows: [row] }: CommandCall): Promise<void> {
  const { audit, controller } = await face.host.core();
  const all = await withProgress('view', t('Reading the audit log…'), () => audit.entries());
  const nameOf = (id: string) => controller.registry.getInstance(id)?.config.name ?? id;
  const node = row === undefined ? undefined : face.view.node(row);
  const filter = node?.kind === 'instance' ? { instanceId: node.record.id } : (await chooseFilter(all, nameOf))?.filter;
  if (!filter) return;
  const entries = all.filter(
    ({ targets, actor }) =>
      (filter.instanceId === undefined || targets.includes(filter.instanceId)) &&
      (filter.actor === undefined || actor === filter.actor),
  );
  await face.documents.show('Audit Log', auditText(entries, nameOf, t));
}

function chooseFilter(
  entries: readonly { targets: readonly string[]; actor: string }[],
  nameOf: (id: string) => string,
): Thenable<FilterItem | undefined> {
  const heading = (label: string): FilterItem => ({ label, kind: vscode.QuickPickItemKind.Separator, filter: {} });
  const actors = [...new Set(entries.map(({ actor }) => actor))].sort();
  const ids = [...new Set(entries.flatMap(({ targets }) => targets))];
  const instances = ids.map(id => ({ label: nameOf(id), description: id, filter: { instanceId: id } }));
  const items: FilterItem[] = [
    { label: t('Everything'), description: t('{0} entries', entries.length), filter: {} },
    heading(t('By actor')),
    ...actors.map(actor => ({ label: actor, filter: { actor } })),
    heading(t('By instance')),
    ...instances.sort((a, b) => a.label.localeCompare(b.label)),
  ];
  return vscode.window.showQuickPick(items, { title: t('Show Audit Log'), matchOnDescription: true });
}

export async function verifyAuditLog(face: Face): Promise<void> {
  const { audit } = await face.host.core();
  const problems = await withProgress('view', t('Checking the audit log…'), () => audit.verify());
  for (const { writer, line, problem } of problems) face.log.warn(`audit log: line ${line} of ${writer}: ${problem}`);
  const text = verdictText(problems, t);
  if (problems.length === 0) void vscode.window.showInformationMessage(text);
  else void vscode.window.showWarningMessage(text);
}
