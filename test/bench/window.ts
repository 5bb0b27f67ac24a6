import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../workbench/support/chromium.ts';
import { createByWizard } from '../workbench/support/instanceSteps.ts';
import { Workbench } from '../workbench/support/workbench.ts';
import { WorkbenchServer } from '../workbench/support/workbenchServer.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';

const rounds = 5;

/** What a person waits for in a real window: a click on the view, beside an extension that does nothing. */
export async function measureWindow(): Promise<Figure[]> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  const empty = await emptyExtension(path.join(scratch, 'empty'));
  const browser = await launchChromium();
  const server = await WorkbenchServer.start({
    extensions: [empty],
    settings: { 'remoteSwarm.enabledProviders': ['local'] },
  });
  try {
    const first = await Workbench.open(browser, server);
    await first.openView();
    await createByWizard(first, { provider: 'local', name: 'Bench' });
    await first.close();
    const seen: { activation: number; empty: number; rows: number }[] = [];
    for (let round = 0; round < rounds; round++) seen.push(await measureOnce(browser, server));
    const own = median(seen.map(({ activation }) => activation));
    return [
      {
        name: 'activation on a click, as Running Extensions shows it',
        value: own,
        unit: 'ms',
        goal: 60,
        better: 'lower',
      },
      {
        name: 'the same, of an empty extension',
        value: median(seen.map(one => one.empty)),
        unit: 'ms',
        better: 'lower',
      },
      { name: 'click to rows', value: median(seen.map(({ rows }) => rows)), unit: 'ms', goal: 500, better: 'lower' },
    ];
  } finally {
    await browser.close();
    await server.dispose();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A window of its own, left alone until it has settled; then one click on each view. */
async function measureOnce(browser: Browser, server: WorkbenchServer) {
  const workbench = await Workbench.open(browser, server);
  await workbench.page.waitForTimeout(4_000);
  await workbench.page.locator('.activitybar [aria-label^="Empty Bench"]').first().click();
  await workbench.page.locator('.part.sidebar .monaco-list-row', { hasText: 'empty row' }).waitFor();
  const rows = await workbench.page.evaluate<number>(clickToRows);
  await workbench.command('Developer: Show Running Extensions');
  const activation = await activationOf(workbench, 'Remote Swarm Controller');
  const empty = await activationOf(workbench, 'Empty Bench');
  await workbench.close();
  return { activation, empty, rows };
}

/** Milliseconds from the click to the first row of an instance; runs inside the page, frame by frame. */
const clickToRows = `new Promise(resolve => {
  const began = performance.now();
  const look = () => {
    const names = [...document.querySelectorAll('.part.sidebar .monaco-list-row .label-name')];
    if (names.some(name => name.textContent === 'Bench')) resolve(performance.now() - began);
    else requestAnimationFrame(look);
  };
  document.querySelector('.activitybar [aria-label^="Remote Swarm"]').click();
  look();
})`;

async function activationOf(workbench: Workbench, title: string): Promise<number> {
  const row = workbench.page.locator('.editor-instance .monaco-list-row, .editor-container .monaco-list-row', {
    hasText: title,
  });
  const text = (await row.filter({ hasText: 'Activation' }).first().textContent()) ?? '';
  return Number(/Activation[^\d]*(\d+)\s*ms/.exec(text)?.[1] ?? Number.NaN);
}

async function emptyExtension(folder: string): Promise<string> {
  await mkdir(folder);
  const manifest = {
    name: 'empty',
    displayName: 'Empty Bench',
    publisher: 'bench',
    version: '0.0.0',
    engines: { vscode: '^1.101.0' },
    main: './extension.js',
    contributes: {
      viewsContainers: { activitybar: [{ id: 'empty', title: 'Empty Bench', icon: '$(circle)' }] },
      views: { empty: [{ id: 'empty.view', name: 'Empty' }] },
    },
  };
  const code = `const vscode = require('vscode');
exports.activate = () => {
  vscode.window.createTreeView('empty.view', {
    treeDataProvider: { getChildren: () => ['empty row'], getTreeItem: label => new vscode.TreeItem(label) },
  });
};`;
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(path.join(folder, 'extension.js'), code);
  return folder;
}
