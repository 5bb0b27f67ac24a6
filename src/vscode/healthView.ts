import * as vscode from 'vscode';
import { type HealthWording, healthRowOf } from './healthRows.ts';
import { lifeOf } from './healthTimeline.ts';
import { healthTooltip } from './healthTooltip.ts';
import {
  faceOf,
  type HealthNode,
  type HealthTree,
  healthParentOf,
  healthRowId,
  healthTreeOf,
  isUnwell,
} from './healthTree.ts';
import type { Row } from './instanceRows.ts';
import { isTroubled } from './instanceTree.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

const viewId = 'remoteSwarm.health';
/** How often times that are told as "2 minutes ago" are looked at, while the view is. */
const tickMs = 30_000;

/** What the view shows when it has no rows; `when` clauses of the welcome texts match it. */
type WelcomeState = 'loading' | 'problem' | 'disabled' | 'empty' | 'rows';

const noTree: HealthTree = { roots: [], nodes: new Map(), children: new Map() };

/** The tree *Health*. Its elements are row ids; what looks as it did is not drawn again. */
export class HealthView implements vscode.TreeDataProvider<string> {
  readonly #host: SwarmHost;
  readonly #changed = new vscode.EventEmitter<string[] | undefined>();
  readonly #view: vscode.TreeView<string>;
  readonly #settings: vscode.Disposable;
  /** What VS Code was given of each row. */
  readonly #drawn = new Map<string, string>();
  /** When a tooltip was made that VS Code keeps. */
  readonly #explained = new Map<string, number>();
  #tree = noTree;
  #ticks: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(host: SwarmHost) {
    this.#host = host;
    this.#view = vscode.window.createTreeView(viewId, { treeDataProvider: this, canSelectMany: true });
    this.#settings = vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('remoteSwarm.health')) this.refresh();
    });
    this.#view.onDidChangeVisibility(() => this.#follow());
    this.#setState('loading');
    this.#follow();
  }

  /** The row ids that the person has selected. */
  get selection(): readonly string[] {
    return this.#view.selection;
  }

  /** What a row stands for; undefined when it is no longer there. */
  node(rowId: string): HealthNode | undefined {
    return this.#tree.nodes.get(rowId);
  }

  /** Selects and shows an instance's row, opened, if it has one. */
  async reveal(instanceId: string): Promise<void> {
    this.refresh();
    const id = healthRowId(instanceId);
    if (this.#tree.nodes.has(id)) await this.#view.reveal(id, { select: true, expand: true });
  }

  /** Draws what looks different, now. */
  refresh(): void {
    const before = this.#tree;
    const controller = this.#host.ready?.controller;
    const isOn = setting('enabled', true);
    this.#tree =
      controller && isOn
        ? healthTreeOf({
            records: controller.registry.listInstances(),
            healthOf: id => controller.health.get(id),
            suspects: controller.conditions.suspects(),
          })
        : noTree;
    this.#setState(this.#stateOf(isOn));
    this.#describe();
    if (before.roots.join() !== this.#tree.roots.join()) {
      this.#drawn.clear();
      this.#changed.fire(undefined);
      return;
    }
    const changed = this.#changedRows(before);
    if (changed.length > 0) this.#changed.fire(changed);
  }

  getChildren(rowId?: string): string[] {
    return [...(rowId === undefined ? this.#tree.roots : (this.#tree.children.get(rowId) ?? []))];
  }

  getParent(rowId: string): string | undefined {
    return healthParentOf(this.#tree, rowId);
  }

  getTreeItem(rowId: string): vscode.TreeItem {
    const node = this.node(rowId);
    if (!node) return new vscode.TreeItem('');
    const row = healthRowOf(node, wording());
    this.#drawn.set(rowId, JSON.stringify(row));
    this.#explained.delete(rowId);
    return itemOf(rowId, row);
  }

  resolveTreeItem(item: vscode.TreeItem, rowId: string): vscode.TreeItem {
    const node = this.node(rowId);
    const markdown = node && healthTooltip(node, lifeOf(setting('resourceInterval', 300)), wording());
    if (markdown === undefined) return item;
    const tooltip = new vscode.MarkdownString(markdown, true);
    // For the colours of the sparkline; every text from elsewhere is escaped.
    tooltip.supportHtml = true;
    item.tooltip = tooltip;
    this.#explained.set(rowId, Date.now());
    return item;
  }

  dispose(): void {
    clearInterval(this.#ticks);
    this.#settings.dispose();
    this.#view.dispose();
    this.#changed.dispose();
  }

  /** Loads the swarm when the view is first seen, and lets its times go on while it is. */
  #follow(): void {
    clearInterval(this.#ticks);
    if (!this.#view.visible) return;
    this.#ticks = setInterval(() => this.#tick(), tickMs);
    this.#host.core().then(
      () => this.refresh(),
      () => this.refresh(),
    );
  }

  /** Told of rows while it is about to show a view, VS Code may never ask for them: then it is told again. */
  #tick(): void {
    if (this.#tree.roots.length > 0 && this.#drawn.size === 0) this.#changed.fire(undefined);
    else this.refresh();
  }

  /** The drawn rows that would look different now, have other rows below them, or a tooltip that has grown old. */
  #changedRows(before: HealthTree): string[] {
    const words = wording();
    const isOld = (id: string) => words.now - (this.#explained.get(id) ?? words.now) >= tickMs;
    const changed: string[] = [];
    for (const [id, drawn] of this.#drawn) {
      const node = this.node(id);
      if (!node) {
        this.#drawn.delete(id);
        continue;
      }
      const regrouped = before.children.get(id)?.join() !== this.#tree.children.get(id)?.join();
      if (regrouped || isOld(id) || JSON.stringify(healthRowOf(node, words)) !== drawn) changed.push(id);
    }
    return changed;
  }

  #stateOf(isOn: boolean): WelcomeState {
    if (!isOn) return 'disabled';
    if (!this.#host.ready) return this.#host.problem === undefined ? 'loading' : 'problem';
    return this.#tree.roots.length > 0 ? 'rows' : 'empty';
  }

  #setState(state: WelcomeState): void {
    void vscode.commands.executeCommand('setContext', 'remoteSwarm.healthState', state);
  }

  /** The badge counts what is unwell and not counted by the view *Instances* already. */
  #describe(): void {
    const unwell = [...this.#tree.nodes.values()].filter(
      node => node.kind === 'instance' && isUnwell(faceOf(node.health)) && !isTroubled(node.record),
    ).length;
    const tooltip = unwell === 1 ? t('1 instance is not well') : t('{0} instances are not well', unwell);
    this.#view.badge = unwell > 0 ? { value: unwell, tooltip } : undefined;
  }
}

const wording = (): HealthWording => ({ t, locale: vscode.env.language, now: Date.now() });

const setting = <T>(name: string, fallback: T): T =>
  vscode.workspace.getConfiguration('remoteSwarm.health').get<T>(name, fallback);

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
