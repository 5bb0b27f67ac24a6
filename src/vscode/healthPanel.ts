import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { FromPage, PageState, type PageTexts, type ToPage } from './healthPage/messages.ts';
import { checkTitle, faceText, reasonOf } from './healthRows.ts';
import { lifeOf } from './healthTimeline.ts';
import { faceOf } from './healthTree.ts';
import { capitalised, withoutDots } from './rowTexts.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

/** The instance that a panel showed, as it kept it; undefined when it kept nothing that can be used. */
export function instanceIn(state: unknown): string | undefined {
  return PageState.safeParse(state).data?.instanceId;
}

/** One panel: the history of one instance's health as plots, up to date while it is open. */
export class HealthPanel {
  readonly #panel: vscode.WebviewPanel;
  readonly #instanceId: string;
  readonly #host: SwarmHost;
  readonly #log: vscode.LogOutputChannel;
  /** What the page was sent last. */
  #sent = '';
  #name = '';

  constructor(
    panel: vscode.WebviewPanel,
    instanceId: string,
    host: SwarmHost,
    extension: vscode.Uri,
    log: vscode.LogOutputChannel,
  ) {
    this.#panel = panel;
    this.#instanceId = instanceId;
    this.#host = host;
    this.#log = log;
    const dist = vscode.Uri.joinPath(extension, 'dist');
    panel.iconPath = vscode.Uri.joinPath(extension, 'media', 'health.svg');
    panel.webview.options = { enableScripts: true, localResourceRoots: [dist] };
    panel.webview.onDidReceiveMessage(message => this.#receive(message));
    panel.webview.html = pageHtml(panel.webview, dist);
    host.core().then(
      () => this.refresh(),
      () => this.refresh(),
    );
  }

  reveal(): void {
    this.#panel.reveal();
  }

  /** Sends what is known now, unless the page has it already. */
  refresh(): void {
    const message = this.#message();
    const text = JSON.stringify(message);
    this.#panel.title = message.texts.title;
    if (text === this.#sent) return;
    this.#sent = text;
    void this.#panel.webview.postMessage(message);
  }

  dispose(): void {
    this.#panel.dispose();
  }

  #receive(message: unknown): void {
    const parsed = FromPage.safeParse(message);
    if (!parsed.success) {
      this.#log.warn(`health panel: a message was not understood: ${parsed.error.message}`);
      return;
    }
    if (parsed.data.type === 'failed') {
      this.#log.error(`health panel: ${parsed.data.message}`);
      return;
    }
    this.#sent = '';
    this.refresh();
  }

  #message(): ToPage {
    const controller = this.#host.ready?.controller;
    const health = controller?.health.get(this.#instanceId);
    this.#name = controller?.registry.getInstance(this.#instanceId)?.config.name ?? this.#name;
    const reason = reasonOf(health, t);
    const word = capitalised(withoutDots(faceText(faceOf(health), t)));
    const interval = vscode.workspace.getConfiguration('remoteSwarm.health').get('resourceInterval', 300);
    return {
      type: 'history',
      instanceId: this.#instanceId,
      samples: health?.history ?? [],
      now: reason === undefined ? word : `${word}: ${reason}`,
      life: lifeOf(interval),
      locale: vscode.env.language,
      texts: pageTexts(this.#name || this.#instanceId),
    };
  }
}

function pageTexts(name: string): PageTexts {
  const word = (status: 'healthy' | 'degraded' | 'unhealthy' | 'recovering' | 'unknown') =>
    withoutDots(faceText(status, t));
  return {
    title: t('Health of {0}', name),
    statuses: {
      healthy: word('healthy'),
      degraded: word('degraded'),
      unhealthy: word('unhealthy'),
      recovering: word('recovering'),
      unknown: word('unknown'),
    },
    availability: t('Availability'),
    latency: t('Latency'),
    cpu: t('CPU cores'),
    memory: t('Memory'),
    disk: t('Disk'),
    available: t('{0} available', '{0}'),
    ofLimit: t('{0} of {1}', '{0}', '{1}'),
    milliseconds: t('{0} ms', '{0}'),
    spread: t('{0} to {1}, at the end {2}', '{0}', '{1}', '{2}'),
    nothing: t('Nothing was measured.'),
    noHistory: t('Nothing is known yet.'),
    zoomIn: t('Zoom In'),
    zoomOut: t('Zoom Out'),
    earlier: t('Earlier'),
    later: t('Later'),
    showAll: t('Show All'),
    asTable: t('Show as Table'),
    help: t('Drag over a plot to zoom in; double-click to show all. Keys: + and − zoom, ← and → move, 0 shows all.'),
    range: t('{0} to {1}', '{0}', '{1}'),
    time: t('Time'),
    status: checkTitle('status', t),
    memoryLimit: t('Memory limit'),
    diskSize: t('Disk size'),
    caption: t('{0}: {1} measurements, the latest first', '{0}', '{1}'),
    captionCut: t('{0}: the latest {1} of {2} measurements', '{0}', '{1}', '{2}'),
  };
}

/** The frame of the page. It may load its own two files and nothing else from anywhere. */
function pageHtml(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" nonce="${nonce}" href="${file('healthPage.css')}">
</head>
<body>
<script nonce="${nonce}" src="${file('healthPage.js')}"></script>
</body>
</html>`;
}
