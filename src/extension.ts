import * as vscode from 'vscode';
import { KeyedDebounce } from './core/keyedDebounce.ts';
import { registerCommands } from './vscode/commands/registerCommands.ts';
import type { Face } from './vscode/face.ts';
import { gitHubCredential } from './vscode/gitHubCredential.ts';
import { HealthPanels } from './vscode/healthPanels.ts';
import { HealthView } from './vscode/healthView.ts';
import { InstanceLogChannels } from './vscode/instanceLogChannels.ts';
import { InstancesView } from './vscode/instancesView.ts';
import { type ContributedTool, registerLanguageModelTools } from './vscode/languageModelTools.ts';
import { MigrationStatusBar } from './vscode/migrationStatusBar.ts';
import { MigrationsView } from './vscode/migrationsView.ts';
import { Notifier } from './vscode/notifier.ts';
import { showError } from './vscode/showError.ts';
import { StatusBar } from './vscode/statusBar.ts';
import { type SwarmCore, SwarmHost } from './vscode/swarmHost.ts';
import { TextDocuments } from './vscode/textDocuments.ts';
import { t } from './vscode/translate.ts';
import { UnreadableFiles } from './vscode/unreadableFiles.ts';

/** Changes that come together are drawn together: a round over a thousand instances is one. */
const drawMilliseconds = 50;

/** What other extensions and our own tests get. */
export interface RemoteSwarmApi {
  swarm(): Promise<SwarmCore>;
}

/** Registers and returns; the swarm itself is built when it is first looked at or asked for. */
export function activate(context: vscode.ExtensionContext): RemoteSwarmApi {
  const keep = <T extends { dispose(): unknown }>(part: T): T => {
    context.subscriptions.push(part);
    return part;
  };
  const log = keep(vscode.window.createOutputChannel('Remote Swarm', { log: true }));
  const creations = new Map<string, AbortController>();
  const host: SwarmHost = keep(new SwarmHost(() => buildCore(context, log, host, creations, keep)));
  const view = keep(new InstancesView(host, context.workspaceState));
  const health = keep(new HealthView(host));
  const healthPanels = keep(new HealthPanels(host, context.extensionUri, log));
  const migrations = keep(new MigrationsView(host));
  const statusBar = keep(new StatusBar(host));
  const migrationStatusBar = keep(new MigrationStatusBar(host));
  const logChannels = keep(new InstanceLogChannels());
  const documents = keep(new TextDocuments());
  const face: Face = { context, log, host, view, health, healthPanels, migrations, logChannels, documents };
  const notifier = keep(new Notifier(face));

  keep(registerCommands(face));
  const tools: ContributedTool[] = context.extension.packageJSON.contributes.languageModelTools;
  keep(registerLanguageModelTools(tools, host, log));
  const draw = keep(
    new KeyedDebounce(drawMilliseconds, () => {
      view.refresh();
      health.refresh();
      healthPanels.refresh();
      notifier.tell();
      migrations.refresh();
      statusBar.refresh();
      migrationStatusBar.refresh();
      const registry = host.ready?.controller.registry;
      logChannels.keepOnly(id => registry?.getInstance(id) !== undefined);
    }),
  );
  keep(host.onDidChange(() => draw.wake('all')));
  return { swarm: () => host.core() };
}

/** Loads what is heavy, reads the settings and follows them. */
async function buildCore(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  host: SwarmHost,
  creations: Map<string, AbortController>,
  keep: <T extends { dispose(): unknown }>(part: T) => T,
): Promise<SwarmCore> {
  const [
    { buildSwarm, stateDirectoryOf, assertStateMovable, moveStateDirectory },
    { Settings, readWebSettings },
    { InstanceSecrets },
    { followMove, followStateDirectory },
  ] = await Promise.all([
    import('./swarm.ts'),
    import('./vscode/settings.ts'),
    import('./vscode/instanceSecrets.ts'),
    import('./vscode/stateMove.ts'),
  ]);
  const unreadableFiles = new UnreadableFiles(log);
  const storageDirectory = context.globalStorageUri.fsPath;
  const settings: InstanceType<typeof Settings> = keep(
    new Settings(log, (keys, reload) => {
      // The swarm that is built anew follows the settings by itself.
      if (reload) settings.dispose();
      else host.ready?.controller.health.followSettings();
      const directory = stateDirectoryOf(settings.current().config, storageDirectory);
      const done = keys.includes('remoteSwarm.stateDirectory')
        ? followStateDirectory(host, directory, assertStateMovable, moveStateDirectory)
        : reload && host.reload();
      Promise.resolve(done).catch(error => showError(error, log));
    }),
  );
  const core = await buildSwarm({
    storageDirectory,
    launcher: context.asAbsolutePath('media/instance/launcher.mjs'),
    config: () => settings.current().config,
    rejectedProviders: () => settings.current().rejected,
    webSettings: readWebSettings,
    vault: new InstanceSecrets(context.secrets),
    readSecret: async name => context.secrets.get(name),
    writeSecret: async (name, value) => context.secrets.store(name, value),
    gitCredential: gitHubCredential,
    texts: { translate: t, warn: message => log.warn(message) },
    creations,
    unreadable: found => void unreadableFiles.tell(found),
  });
  followMove(host, core, error => showError(error, log));
  return core;
}
