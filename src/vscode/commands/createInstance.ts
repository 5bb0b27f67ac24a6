import * as vscode from 'vscode';
import type { Face } from '../face.ts';
import { operate, type Secrets } from '../operate.ts';
import { plain } from '../showError.ts';
import { t } from '../translate.ts';

/** Creates an instance through the gate, shows its row, and ends with what people do next. */
export async function createInstance(face: Face, input: unknown, secrets: Secrets = {}): Promise<void> {
  const name = typeof input === 'object' && input !== null && 'name' in input ? String(input.name) : '';
  const title = t('Creating {0}', name);
  const created = await operate<{ id: string }>(face, 'create_swarm_instance', input, title, 'notification', secrets);
  await face.view.reveal(created.id);
  void announce(face, created.id);
}

/** "… is running", or what its first set-up could not do. */
async function announce(face: Face, instanceId: string): Promise<void> {
  const { controller } = await face.host.core();
  const record = controller.registry.getInstance(instanceId);
  if (!record) return;
  const { name } = record.config;
  const buttons = [
    { label: t('Open'), command: 'remoteSwarm.open' },
    { label: t('Open Terminal'), command: 'remoteSwarm.openTerminal' },
  ];
  const labels = buttons.map(({ label }) => label);
  const problems = record.setup?.status === 'failed' ? record.setup.problems : [];
  const chosen =
    problems.length > 0
      ? await vscode.window.showWarningMessage(
          plain(t('{0} is running, but not everything was set up: {1}', name, problems.join('; '))),
          ...labels,
        )
      : await vscode.window.showInformationMessage(t('{0} is running.', name), ...labels);
  const command = buttons.find(({ label }) => label === chosen)?.command;
  if (command !== undefined) await vscode.commands.executeCommand(command, `instance:${instanceId}`);
}
