import * as vscode from 'vscode';
import type { Migration, MigrationStepState } from '../model/migration.ts';
import type { HealthWording } from './healthRows.ts';
import type { Row } from './instanceRows.ts';
import { migrationFace, migrationRowOf, migrationsShown, stepRowOf } from './migrationRows.ts';
import { migrationTooltip } from './migrationTooltip.ts';
import { escapeMarkdown } from './rowTexts.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

const viewId = 'remoteSwarm.migrations';
/** How often spans and "2 minutes ago" are looked at, while the view is. */
const tickMs = 5_000;

export const migrationRowId = (migrationId: string) => `migration/${migrationId}`;

/** What the view shows when it has no rows; `when` clauses of the welcome texts match it. */
type WelcomeState = 'loading' | 'problem' | 'empty' | 'rows';

interface MigrationNode {
  readonly migration: Migration;
  /** Absent: the row is the migration itself. */
  readonly state?: MigrationStepState;
}

/** The tree *Migrations*. Its elements are row ids; what looks as it did is not drawn again. */
export class MigrationsView implements vscode.TreeDataProvider<string> {
  readonly #host: SwarmHost;
  readonly #changed = new vscode.EventEmitter<string[] | undefined>();
  readonly #view: vscode.TreeView<string>;
  /** What VS Code was given of each row. */
  readonly #drawn = new Map<string, string>();
  #nodes = new Map<string, MigrationNode>();
  #roots: string[] = [];
  #ticks: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(host: SwarmHost) {
    this.#host = host;
    this.#view = vscode.window.createTreeView(viewId, { treeDataProvider: this });
    this.#view.onDidChangeVisibility(() => this.#follow());
    this.#setState('loading');
    this.#follow();
  }

  /** The migration that a row stands for; undefined when it is no longer there. */
  migration(rowId: string): Migration | undefined {
    return this.#nodes.get(rowId)?.migration;
  }

  /** Draws what looks different, now. */
  refresh(): void {
    const shown = migrationsShown(this.#host.ready?.controller.migrations.listMigrations() ?? []);
    const before = this.#roots.join();
    this.#roots = shown.map(({ id }) => migrationRowId(id));
    this.#nodes = new Map(
      shown.flatMap(migration => [
        [migrationRowId(migration.id), { migration }] as const,
        ...migration.steps.map(
          state => [`${migrationRowId(migration.id)}/${state.step}`, { migration, state }] as const,
        ),
      ]),
    );
    this.#setState(this.#state());
    if (before !== this.#roots.join()) {
      this.#drawn.clear();
      this.#changed.fire(undefined);
      return;
    }
    const changed = [...this.#drawn].filter(([id, drawn]) => drawn !== this.#look(id)).map(([id]) => id);
    if (changed.length > 0) this.#changed.fire(changed);
  }

  getChildren(rowId?: string): string[] {
    if (rowId === undefined) return [...this.#roots];
    const node = this.#nodes.get(rowId);
    return node && !node.state ? node.migration.steps.map(({ step }) => `${rowId}/${step}`) : [];
  }

  getParent(rowId: string): string | undefined {
    const node = this.#nodes.get(rowId);
    return node?.state && migrationRowId(node.migration.id);
  }

  getTreeItem(rowId: string): vscode.TreeItem {
    const node = this.#nodes.get(rowId);
    if (!node) return new vscode.TreeItem('');
    this.#drawn.set(rowId, this.#look(rowId));
    return itemOf(rowId, this.#rowOf(node));
  }

  resolveTreeItem(item: vscode.TreeItem, rowId: string): vscode.TreeItem {
    const node = this.#nodes.get(rowId);
    if (!node) return item;
    const { note } = node.state ?? {};
    if (!node.state) item.tooltip = new vscode.MarkdownString(migrationTooltip(node.migration, wording()), true);
    else if (note !== undefined) item.tooltip = new vscode.MarkdownString(escapeMarkdown(note));
    return item;
  }

  dispose(): void {
    clearInterval(this.#ticks);
    this.#view.dispose();
    this.#changed.dispose();
  }

  /** Loads the swarm when the view is first seen, and lets its times go on while it is. */
  #follow(): void {
    clearInterval(this.#ticks);
    if (!this.#view.visible) return;
    this.#ticks = setInterval(() => this.#tick(), tickMs);
    const refresh = () => this.refresh();
    this.#host.core().then(refresh, refresh);
  }

  /** Told of rows while it is about to show a view, VS Code may never ask for them: then it is told again. */
  #tick(): void {
    if (this.#roots.length > 0 && this.#drawn.size === 0) this.#changed.fire(undefined);
    else this.refresh();
  }

  /** What of a row would be drawn, and what its tooltip is made of. */
  #look(rowId: string): string {
    const node = this.#nodes.get(rowId);
    return node ? JSON.stringify([this.#rowOf(node), node.state ?? node.migration.revision]) : '';
  }

  #rowOf({ migration, state }: MigrationNode): Row {
    if (state) return stepRowOf(state, wording());
    const record = this.#host.ready?.controller.registry.getInstance(migration.instanceId);
    const rests = migrationFace(migration) !== 'running' && migrationFace(migration) !== 'undoing';
    return migrationRowOf(migration, rests && record?.status === 'running', wording());
  }

  #state(): WelcomeState {
    if (!this.#host.ready) return this.#host.problem === undefined ? 'loading' : 'problem';
    return this.#roots.length > 0 ? 'rows' : 'empty';
  }

  #setState(state: WelcomeState): void {
    void vscode.commands.executeCommand('setContext', 'remoteSwarm.migrationsState', state);
  }
}

const wording = (): HealthWording => ({ t, locale: vscode.env.language, now: Date.now() });

function itemOf(rowId: string, row: Row): vscode.TreeItem {
  const { None, Collapsed } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(row.label, row.collapse === 'none' ? None : Collapsed);
  item.id = rowId;
  item.description = row.description;
  item.iconPath = new vscode.ThemeIcon(row.icon.id, row.icon.color ? new vscode.ThemeColor(row.icon.color) : undefined);
  item.contextValue = row.contextValue;
  item.accessibilityInformation = { label: row.spoken };
  return item;
}
