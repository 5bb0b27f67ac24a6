import * as vscode from 'vscode';
import type { HealthPanel } from './healthPanel.ts';
import type { SwarmHost } from './swarmHost.ts';

const viewType = 'remoteSwarm.healthHistory';

/** The panels with plots that are open in this window, at most one an instance. What they need is loaded with the first. */
export class HealthPanels implements vscode.WebviewPanelSerializer {
  readonly #host: SwarmHost;
  readonly #extension: vscode.Uri;
  readonly #log: vscode.LogOutputChannel;
  readonly #serializer: vscode.Disposable;
  readonly #open = new Map<string, HealthPanel>();

  constructor(host: SwarmHost, extension: vscode.Uri, log: vscode.LogOutputChannel) {
    this.#host = host;
    this.#extension = extension;
    this.#log = log;
    this.#serializer = vscode.window.registerWebviewPanelSerializer(viewType, this);
  }

  async show(instanceId: string): Promise<void> {
    const open = this.#open.get(instanceId);
    if (open) return open.reveal();
    await this.#fill(vscode.window.createWebviewPanel(viewType, '', vscode.ViewColumn.Active), instanceId);
  }

  /** Fills a panel that was open when the window was closed. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const { instanceIn } = await import('./healthPanel.ts');
    const instanceId = instanceIn(state);
    if (instanceId === undefined || this.#open.has(instanceId)) panel.dispose();
    else await this.#fill(panel, instanceId);
  }

  /** Shows what is so now. */
  refresh(): void {
    for (const panel of this.#open.values()) panel.refresh();
  }

  dispose(): void {
    this.#serializer.dispose();
    for (const panel of [...this.#open.values()]) panel.dispose();
  }

  async #fill(panel: vscode.WebviewPanel, instanceId: string): Promise<void> {
    const { HealthPanel } = await import('./healthPanel.ts');
    if (this.#open.has(instanceId)) return panel.dispose();
    this.#open.set(instanceId, new HealthPanel(panel, instanceId, this.#host, this.#extension, this.#log));
    panel.onDidDispose(() => this.#open.delete(instanceId));
  }
}
