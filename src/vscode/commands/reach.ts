import * as vscode from 'vscode';
import { unsupported } from '../../model/errors.ts';
import type { Face } from '../face.ts';
import { openTerminal } from '../instanceTerminal.ts';
import { operate } from '../operate.ts';
import { contextOf, withProgress } from '../operationContext.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstance, pickInstances } from './pickInstances.ts';

/** Opens the instance's editor in the browser, with nothing to type. */
export async function open(face: Face, call: CommandCall): Promise<void> {
  for (const { id } of await pickInstances(face, call, 'open', t('Open Instances in the Browser'))) {
    await openInstance(face, id);
  }
}

export async function openInstance(face: Face, instanceId: string): Promise<void> {
  const { url } = await operate<{ url: string }>(face, 'open_swarm_instance', { instanceId }, t('Opening…'));
  await vscode.env.openExternal(await vscode.env.asExternalUri(vscode.Uri.parse(url, true)));
}

export async function copyUrl(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'open', t('Copy the URL of an Instance'));
  if (!record) return;
  const { url } = await operate<{ url: string }>(face, 'open_swarm_instance', { instanceId: record.id }, t('Opening…'));
  await vscode.env.clipboard.writeText((await vscode.env.asExternalUri(vscode.Uri.parse(url, true))).toString(true));
  const warning = t('The URL of {0} was copied. It lets whoever has it in.', record.config.name);
  vscode.window.setStatusBarMessage(`$(copy) ${warning}`, 5000);
}

/** Opens a window of this VS Code inside the instance, by the extension that can. */
export async function attach(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'attach', t('Attach VS Code to an Instance'));
  if (!record) return;
  const target = await face.host.use(core => core.controller.access.attachUri(record.id));
  if (!target) throw unsupported(record.providerId, t('be attached to; open the instance in the browser instead'));
  if (vscode.extensions.getExtension(target.extensionId)) {
    await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.parse(target.uri, true), {
      forceNewWindow: true,
    });
    return;
  }
  const show = t('Show Extension');
  const message = t('To attach, VS Code needs the extension {0}, which is not installed here.', target.extensionId);
  const inBrowser = t('Open in Browser');
  const chosen = await vscode.window.showInformationMessage(message, show, inBrowser);
  if (chosen === show) await vscode.commands.executeCommand('workbench.extensions.search', `@id:${target.extensionId}`);
  if (chosen === inBrowser) await openInstance(face, record.id);
}

/** A real terminal inside the instance. */
export async function openInstanceTerminal(face: Face, call: CommandCall): Promise<void> {
  for (const { id, config } of await pickInstances(face, call, 'terminal', t('Open a Terminal in Instances'))) {
    const spec = await face.host.use(core =>
      withProgress('view', t('Opening a terminal…'), ctx => core.controller.access.terminal(id, ctx)),
    );
    openTerminal(config.name, spec);
  }
}

/** The instance's own log, followed. */
export async function showLogs(face: Face, call: CommandCall): Promise<void> {
  for (const record of await pickInstances(face, call, 'logs', t('Show the Logs of Instances'))) {
    const { controller } = await face.host.core();
    const read = (signal: AbortSignal) => ({ ...contextOf(), signal });
    await face.logChannels.show(record, {
      tail: async signal => (await controller.access.getInstanceLogs(record.id, { tail: 500 }, read(signal))).lines,
      follow: (sink, signal) => controller.access.followLogs(record.id, sink, read(signal)),
    });
  }
}

export async function revealStateFile(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'any', t('Reveal the State File of an Instance'));
  if (!record) return;
  const { controller } = await face.host.core();
  await vscode.window.showTextDocument(vscode.Uri.file(controller.registry.fileOf(record.id)), { preview: true });
}
