import * as vscode from 'vscode';
import type { InstanceRecord } from '../model/instance.ts';
import type { Migration } from '../model/migration.ts';
import { statusTexts } from '../operations/statusTexts.ts';
import { claimText } from './claimNotice.ts';
import { FoundNames } from './foundNames.ts';
import type { ProviderTalents } from './instanceActions.ts';
import { type Row, rowOf, rowTooltip, type Wording } from './instanceRows.ts';
import {
  changesBetween,
  defaultChoice,
  type FoundResource,
  type InstanceTree,
  instanceRowId,
  isFiltered,
  isTroubled,
  type Node,
  needsEditorServer,
  parentOf,
  treeOf,
  type ViewChoice,
} from './instanceTree.ts';
import { migrationFace } from './migrationRows.ts';
import type { SnapshotFacts } from './rowTexts.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';
import { TrashSizes } from './trashSizes.ts';

const viewId = 'remoteSwarm.instances';
const choiceKey = 'instances.choice';
/** A tooltip says how long ago things were; the editor asks for it anew only when its row was drawn again. */
const tooltipMs = 60_000;

/** What the view shows when it has no rows; `when` clauses of the welcome texts match it. */
type WelcomeState = 'loading' | 'problem' | 'off' | 'noProvider' | 'needsServer' | 'filtered' | 'empty' | 'rows';

const noTree: InstanceTree = treeOf({ records: [], found: [], providers: [], choice: defaultChoice });

const collapse = {
  none: vscode.TreeItemCollapsibleState.None,
  expanded: vscode.TreeItemCollapsibleState.Expanded,
  collapsed: vscode.TreeItemCollapsibleState.Collapsed,
} as const;

/** The tree *Instances*. Its elements are row ids, so that a row keeps its place whatever happens to its record. */
export class InstancesView implements vscode.TreeDataProvider<string>, ProviderTalents {
  readonly #host: SwarmHost;
  readonly #memento: vscode.Memento;
  readonly #changed = new vscode.EventEmitter<string[] | undefined>();
  readonly #view: vscode.TreeView<string>;
  readonly #statusTexts = statusTexts(t);
  #choice: ViewChoice;
  #tree = noTree;
  readonly #foundNames: FoundNames;
  readonly #trashSizes: TrashSizes;
  readonly #hovered = new Set<string>();
  #hoverTimer: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(host: SwarmHost, memento: vscode.Memento) {
    this.#host = host;
    this.#memento = memento;
    this.#foundNames = new FoundNames(async ({ providerId, observation }) => {
      const provider = host.ready?.controller.providers.find(providerId);
      return provider?.getInstance(observation.id);
    });
    this.#trashSizes = new TrashSizes(async (providerId, ids) => {
      const provider = host.ready?.controller.providers.find(providerId);
      return (await provider?.abilities.homeBytes?.(ids)) ?? new Map();
    });
    this.#choice = { ...defaultChoice, ...memento.get<Partial<ViewChoice>>(choiceKey) };
    this.#view = vscode.window.createTreeView(viewId, {
      treeDataProvider: this,
      canSelectMany: true,
      showCollapseAll: true,
    });
    this.#setState('loading');
    this.#view.onDidChangeVisibility(() => this.#view.visible && this.#load());
    if (this.#view.visible) this.#load();
  }

  get choice(): ViewChoice {
    return this.#choice;
  }

  /** The row ids that the person has selected. */
  get selection(): readonly string[] {
    return this.#view.selection;
  }

  /** Whether a desktop VS Code can attach itself to the instances of a provider. */
  canAttach(providerId: string): boolean {
    return this.#host.ready?.controller.providers.find(providerId)?.abilities.attachUri !== undefined;
  }

  /** What a row stands for; undefined when it is no longer there. */
  node(rowId: string): Node | undefined {
    return this.#tree.nodes.get(rowId);
  }

  /** The resources of other swarms that are shown now. */
  found(): FoundResource[] {
    return [...this.#tree.nodes.values()].flatMap(node => (node.kind === 'found' ? [node.found] : []));
  }

  /** With the names that their own marks tell; reads what was not read yet. */
  async nameFound(found: readonly FoundResource[]): Promise<FoundResource[]> {
    const named = await this.#foundNames.asked(found);
    this.refresh();
    return named;
  }

  async choose(change: Partial<ViewChoice>): Promise<void> {
    this.#choice = { ...this.#choice, ...change };
    this.refresh();
    await this.#memento.update(choiceKey, this.#choice);
  }

  /** Selects and shows an instance's row, if it has one. */
  async reveal(instanceId: string): Promise<void> {
    this.refresh();
    const id = instanceRowId(instanceId);
    if (this.#tree.nodes.has(id)) await this.#view.reveal(id, { select: true });
  }

  /** Unfolds the group that an instance's row has come to, while the view is looked at. */
  async follow(instanceId: string): Promise<void> {
    this.refresh();
    const id = instanceRowId(instanceId);
    if (this.#view.visible && this.#tree.nodes.has(id)) await this.#view.reveal(id, { select: false });
  }

  /** Draws what changed, now. */
  refresh(): void {
    const before = this.#tree;
    const core = this.#host.ready;
    const records = core?.controller.registry.listInstances() ?? [];
    const providers = core?.controller.getSwarmStatus().providers ?? [];
    const found = this.#foundNames.shown(core?.controller.listFound() ?? []);
    const moves = movesOf(core?.controller.migrations.listMigrations() ?? []);
    const bytesOf = (record: InstanceRecord) => this.#trashSizes.of(record);
    const costsAtRest = (id: string) => core?.controller.providers.find(id)?.abilities.costsAtRest === true;
    const facts = { records, found, providers, choice: this.#choice, moves, bytesOf, costsAtRest };
    this.#tree = core ? treeOf(facts) : noTree;
    this.#setState(this.#stateOf(records, providers, found));
    this.#describe(records);
    const changes = changesBetween(before, this.#tree);
    if (changes === 'all') this.#changed.fire(undefined);
    else if (changes.length > 0) this.#changed.fire(changes);
  }

  getChildren(rowId?: string): string[] {
    const kind = rowId === undefined ? undefined : this.node(rowId)?.kind;
    if (kind === 'foundGroup') void this.nameFound(this.found());
    if (kind === 'trashGroup') void this.#weighTrash();
    return [...(rowId === undefined ? this.#tree.roots : (this.#tree.children.get(rowId) ?? []))];
  }

  getParent(rowId: string): string | undefined {
    return parentOf(this.#tree, rowId);
  }

  getTreeItem(rowId: string): vscode.TreeItem {
    const node = this.node(rowId);
    if (!node) return new vscode.TreeItem('');
    return itemOf(rowId, rowOf(node, this.#wording()));
  }

  resolveTreeItem(item: vscode.TreeItem, rowId: string): vscode.TreeItem {
    const node = this.node(rowId);
    const markdown = node && rowTooltip(node, Date.now(), this.#wording(), this.#snapshotsOf(node));
    if (markdown !== undefined) item.tooltip = new vscode.MarkdownString(markdown, true);
    this.#hovered.add(rowId);
    this.#hoverTimer ??= setTimeout(() => this.#forgetTooltips(), tooltipMs);
    return item;
  }

  #snapshotsOf(node: Node): SnapshotFacts | undefined {
    const snapshots = this.#host.ready?.controller.snapshots;
    if (!snapshots || node.kind !== 'instance') return undefined;
    const { id } = node.record;
    return { kept: snapshots.listSnapshots(id), failed: snapshots.listFailed(id) };
  }

  dispose(): void {
    clearTimeout(this.#hoverTimer);
    this.#view.dispose();
    this.#changed.dispose();
  }

  async #weighTrash(): Promise<void> {
    const records = this.#host.ready?.controller.registry.listInstances() ?? [];
    if (await this.#trashSizes.ask(records.filter(({ status }) => status === 'trashed'))) this.refresh();
  }

  #forgetTooltips(): void {
    this.#hoverTimer = undefined;
    const rows = [...this.#hovered].filter(rowId => this.#tree.nodes.has(rowId));
    this.#hovered.clear();
    if (rows.length > 0) this.#changed.fire(rows);
  }

  #load(): void {
    this.#host.core().then(
      () => this.refresh(),
      () => this.refresh(),
    );
  }

  #wording(): Wording {
    return {
      t,
      locale: vscode.env.language,
      statusTexts: this.#statusTexts,
      showProvider: this.#choice.grouping !== 'provider',
      canAttach: id => this.canAttach(id),
    };
  }

  #stateOf(
    records: readonly InstanceRecord[],
    providers: Parameters<typeof needsEditorServer>[0],
    found: readonly FoundResource[],
  ): WelcomeState {
    const core = this.#host.ready;
    if (!core) return this.#host.problem === undefined ? 'loading' : 'problem';
    if (this.#tree.roots.length > 0) return 'rows';
    if (!core.config.loadStateOnStartup && records.length === 0) return 'off';
    if (records.length + found.length > 0 && isFiltered(this.#choice)) return 'filtered';
    if (providers.length === 0) return 'noProvider';
    return needsEditorServer(providers) ? 'needsServer' : 'empty';
  }

  #setState(state: WelcomeState): void {
    void vscode.commands.executeCommand('setContext', 'remoteSwarm.state', state);
  }

  /** The badge counts what wants a look; the line under the title says what the filter hides. */
  #describe(records: readonly InstanceRecord[]): void {
    const troubled = records.filter(isTroubled).length;
    const tooltip = troubled === 1 ? t('1 instance is in trouble') : t('{0} instances are in trouble', troubled);
    this.#view.badge = troubled > 0 ? { value: troubled, tooltip } : undefined;
    const core = this.#host.ready;
    const filtered = isFiltered(this.#choice);
    void vscode.commands.executeCommand('setContext', 'remoteSwarm.filtered', filtered);
    const hindrance = core?.controller.claim.hindrance;
    void vscode.commands.executeCommand('setContext', 'remoteSwarm.hindrance', hindrance?.why);
    this.#view.message =
      claimText(hindrance, vscode.env.language) ??
      (filtered && this.#tree.roots.length > 0
        ? t('Showing {0} of {1} instances: a filter is on.', this.#tree.shown, this.#tree.shown + this.#tree.hidden)
        : core && records.length === 0 && this.#tree.roots.length > 0
          ? t('There are no instances yet. Create one with the plus sign above.')
          : '');
  }
}

/** Where what is moving now moves to, by the instance's id. */
const movesOf = (migrations: readonly Migration[]) =>
  new Map(
    migrations
      .filter(migration => migrationFace(migration) === 'running')
      .map(({ instanceId, targetProviderId }) => [instanceId, targetProviderId]),
  );

function itemOf(rowId: string, row: Row): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label, collapse[row.collapse]);
  item.id = rowId;
  item.description = row.description;
  item.iconPath = new vscode.ThemeIcon(row.icon.id, row.icon.color ? new vscode.ThemeColor(row.icon.color) : undefined);
  item.contextValue = row.contextValue;
  item.accessibilityInformation = { label: row.spoken };
  return item;
}
