import type * as vscode from 'vscode';
import type { HealthPanels } from './healthPanels.ts';
import type { HealthView } from './healthView.ts';
import type { InstanceLogChannels } from './instanceLogChannels.ts';
import type { InstancesView } from './instancesView.ts';
import type { MigrationsView } from './migrationsView.ts';
import type { SwarmHost } from './swarmHost.ts';
import type { TextDocuments } from './textDocuments.ts';

/** What commands work with. */
export interface Face {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly host: SwarmHost;
  readonly view: InstancesView;
  readonly health: HealthView;
  readonly healthPanels: HealthPanels;
  readonly migrations: MigrationsView;
  readonly logChannels: InstanceLogChannels;
  readonly documents: TextDocuments;
}
