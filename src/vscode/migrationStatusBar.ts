import * as vscode from 'vscode';
import { migrationFace, stateText } from './migrationRows.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

/** One item while something moves; hidden else. A click shows the view. */
export class MigrationStatusBar {
  readonly #item: vscode.StatusBarItem;
  readonly #host: SwarmHost;

  constructor(host: SwarmHost) {
    this.#host = host;
    this.#item = vscode.window.createStatusBarItem('remoteSwarm.migration', vscode.StatusBarAlignment.Left);
    this.#item.name = t('Remote Swarm Migrations');
    this.#item.command = 'remoteSwarm.migrations.focus';
  }

  /** Shows what is so now. */
  refresh(): void {
    const wording = { t, locale: vscode.env.language, now: Date.now() };
    const lines = (this.#host.ready?.controller.migrations.listMigrations() ?? []).flatMap(migration => {
      const face = migrationFace(migration);
      if (face !== 'running' && face !== 'undoing') return [];
      return [`${migration.instanceName}: ${stateText(migration, wording)}`];
    });
    if (lines.length === 0) {
      this.#item.hide();
      return;
    }
    const text = lines.length === 1 ? t('Migrating 1 instance') : t('Migrating {0} instances', lines.length);
    this.#item.text = `$(sync~spin) ${text}`;
    this.#item.tooltip = lines.join('\n');
    this.#item.accessibilityInformation = { label: [text, ...lines].join('. ') };
    this.#item.show();
  }

  dispose(): void {
    this.#item.dispose();
  }
}
