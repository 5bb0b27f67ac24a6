import * as vscode from 'vscode';
import type { SharedEndpoints } from '../../core/sharedEndpoints.ts';
import type { Face } from '../face.ts';
import { withProgress } from '../operationContext.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstance } from './pickInstances.ts';

interface PortItem extends vscode.QuickPickItem {
  /** Undefined: another one, which has to be typed. */
  readonly port: number | undefined;
}

/** Lists the ports of the applications inside, and makes the chosen one reachable. */
export async function showPorts(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'ports', t('Show the Ports of an Instance'));
  if (!record) return;
  const { id, config } = record;
  const listening = await face.host.use(core =>
    withProgress('view', t('Looking for ports…'), ctx => core.controller.access.listPorts(id, ctx)),
  );
  const ports = [...new Set([...listening, ...config.ports])].sort((a, b) => a - b);
  const { controller } = await face.host.core();
  const port = await choosePort(controller.access.endpoints, id, config.name, ports, listening);
  if (port === undefined) return;
  const endpoint = await face.host.use(core =>
    withProgress('view', t('Forwarding…'), ctx => core.controller.access.connectPort(id, port, ctx)),
  );
  const local = vscode.Uri.parse(`http://${endpoint.host}:${endpoint.port}/`, true);
  await vscode.env.openExternal(await vscode.env.asExternalUri(local));
}

/** A pick whose forwarded ports have a button that ends the forwarding. */
function choosePort(
  endpoints: SharedEndpoints,
  instanceId: string,
  name: string,
  ports: readonly number[],
  listening: readonly number[],
): Promise<number | undefined> {
  const end: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon('close'), tooltip: t('Stop Forwarding') };
  const itemOf = (port: number): PortItem => {
    const localPort = endpoints.localPortOf(instanceId, port);
    const state = listening.includes(port) ? t('an application listens') : t('nothing listens yet');
    const forwarded = localPort && t('forwarded to localhost:{0}', localPort);
    return {
      port,
      label: `$(${localPort ? 'radio-tower' : 'plug'}) ${port}`,
      description: [state, forwarded].filter(text => text !== undefined).join(' · '),
      buttons: localPort ? [end] : [],
    };
  };
  const items = (): PortItem[] => [
    ...ports.map(itemOf),
    { port: undefined, label: t('$(add) Another port…'), alwaysShow: true },
  ];
  return new Promise(resolve => {
    const pick = vscode.window.createQuickPick<PortItem>();
    pick.title = t('Ports of {0}', name);
    pick.placeholder = t('Choose a port to forward it and open it in the browser');
    pick.items = items();
    pick.onDidTriggerItemButton(({ item }) => {
      if (item.port !== undefined) endpoints.close(instanceId, item.port);
      pick.items = items();
    });
    pick.onDidAccept(() => {
      const [item] = pick.selectedItems;
      if (!item) return;
      resolve(item.port ?? askPort(name));
      pick.hide();
    });
    pick.onDidHide(() => {
      pick.dispose();
      resolve(undefined);
    });
    pick.show();
  });
}

async function askPort(name: string): Promise<number | undefined> {
  const typed = await vscode.window.showInputBox({
    title: t('Ports of {0}', name),
    prompt: t('The port on which the application listens inside the instance'),
    validateInput: text => (isPort(text) ? undefined : t('A port is a whole number from 1 to 65535.')),
  });
  return typed === undefined ? undefined : Number(typed);
}

const isPort = (text: string) => /^\d{1,5}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= 65_535;
