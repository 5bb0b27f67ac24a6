import * as vscode from 'vscode';
import type { SwarmHost } from './swarmHost.ts';
import { summaryOf } from './swarmSummary.ts';
import { t } from './translate.ts';

const backgrounds = {
  calm: undefined,
  warning: new vscode.ThemeColor('statusBarItem.warningBackground'),
  error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};

/** One item: how many run, and whether something wants a look. Hidden while there is nothing. */
export class StatusBar {
  readonly #item: vscode.StatusBarItem;
  readonly #host: SwarmHost;

  constructor(host: SwarmHost) {
    this.#host = host;
    this.#item = vscode.window.createStatusBarItem('remoteSwarm.status', vscode.StatusBarAlignment.Left);
    this.#item.name = 'Remote Swarm';
  }

  /** Shows what is so now. */
  refresh(): void {
    const controller = this.#host.ready?.controller;
    const summary =
      controller &&
      summaryOf(controller.listInstances(), controller.getSwarmStatus().providers, id => controller.health.get(id), t);
    if (!summary) {
      this.#item.hide();
      return;
    }
    this.#item.text = summary.text;
    this.#item.tooltip = new vscode.MarkdownString(summary.tooltip, true);
    this.#item.backgroundColor = backgrounds[summary.level];
    this.#item.accessibilityInformation = { label: summary.spoken };
    this.#item.command = `remoteSwarm.${summary.opens}.focus`;
    this.#item.show();
  }

  dispose(): void {
    this.#item.dispose();
  }
}
