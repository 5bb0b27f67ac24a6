import * as os from 'node:os';
import * as vscode from 'vscode';
import { messageOf } from '../../model/errors.ts';
import { diagnosticsText } from '../diagnosticsText.ts';
import type { Face } from '../face.ts';
import { settingsTable } from '../settingsTable.ts';

const logLines = 200;

/** Opens a document with what a bug report needs, without secrets. It works also when the swarm does not. */
export async function collectDiagnostics(face: Face): Promise<void> {
  const core = await face.host.core().catch(() => undefined);
  const configuration = vscode.workspace.getConfiguration();
  const { packageJSON } = face.context.extension;
  const text = diagnosticsText({
    versions: {
      'Remote Swarm': String(packageJSON.version),
      'VS Code': `${vscode.version} (${vscode.env.appName}, ${vscode.env.remoteName ? 'remote' : 'local'})`,
      Node: process.versions.node,
      system: `${os.type()} ${os.release()} ${os.arch()}`,
    },
    settings: Object.fromEntries(settingsTable.map(({ key }) => [key, configuration.get(key)])),
    status: core?.controller.getSwarmStatus(),
    records: core?.controller.listInstances() ?? [],
    problem: core ? undefined : messageOf(face.host.problem),
    log: await lastLogLines(face),
  });
  const document = await vscode.workspace.openTextDocument({ language: 'markdown', content: text });
  await vscode.window.showTextDocument(document);
}

async function lastLogLines({ context, log }: Face): Promise<string> {
  try {
    const file = vscode.Uri.joinPath(context.logUri, `${log.name}.log`);
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
    return text.split('\n').slice(-logLines).join('\n');
  } catch {
    return '';
  }
}
