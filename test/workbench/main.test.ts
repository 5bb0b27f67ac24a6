import { existsSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { launchChromium } from './support/chromium.ts';
import { createByWizard, deleteForGood } from './support/instanceSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

let browser: Browser;
let server: WorkbenchServer;
let workbench: Workbench;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** A window of its own with these settings, before the tests of a suite. */
function useWindow(settings: () => Promise<Record<string, unknown>>): void {
  beforeAll(async () => {
    server = await WorkbenchServer.start({ settings: await settings() });
    workbench = await Workbench.open(browser, server);
  });
  afterAll(async () => {
    await workbench?.close();
    await server?.dispose();
  });
}

/** What is left of instances on this machine: their folders, and their state files. */
const traces = () => ({
  folders: entries(path.join(server.storage, 'local')),
  states: entries(path.join(server.storage, 'instances')).filter(name => name.endsWith('.json')),
});
const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

describe('on this machine', () => {
  useWindow(async () => ({}));

  test('an instance lives from the wizard to nothing', { timeout: 300_000 }, async () => {
    onTestFailed(() => workbench.screenshotsOfAll('failed-main-local'));
    await life('local', 'Anna');
    expect(traces()).toEqual({ folders: [], states: [] });
  });

  test('two instances are open side by side, and each can be loaded anew', { timeout: 300_000 }, async () => {
    onTestFailed(() => workbench.screenshotsOfAll('failed-main-two'));
    const before = traces();
    await createByWizard(workbench, { provider: 'local', name: 'Bert' });
    await createByWizard(workbench, { provider: 'local', name: 'Cora' });
    const first = await workbench.tabOpenedBy(() => workbench.inlineAction('Bert', 'Open in Browser'));
    const second = await workbench.tabOpenedBy(() => workbench.inlineAction('Cora', 'Open in Browser'));
    for (const tab of [first, second, workbench.page]) await workbench.reload(tab);
    await first.close();
    await second.close();
    for (const name of ['Bert', 'Cora']) await deleteForGood(workbench, name);
    expect(traces()).toEqual(before);
  });
});

describeWithEngine('on a Docker engine', () => {
  let world: EngineWorld;
  let before: string[];

  useWindow(async () => {
    const { docker, host } = await testEngine();
    const image = await ensureTestImage(docker, 'codeServer');
    world = new EngineWorld(docker);
    before = await world.inventory();
    return { 'remoteSwarm.providers': [{ id: 'engine', type: 'docker', endpoint: host, image }] };
  });

  // Runs before the window's own end: what a failed test has left is known by the swarm's id.
  afterAll(async () => {
    const swarmId = await server?.swarmId();
    if (swarmId) await world.removeSwarm(swarmId);
  });

  test('an instance lives from the wizard to nothing', { timeout: 600_000 }, async () => {
    onTestFailed(() => workbench.screenshotsOfAll('failed-main-docker'));
    await life('engine', 'Dora');
    expect(traces()).toEqual({ folders: [], states: [] });
    expect(await world.inventory()).toEqual(before);
  });
});

/** Must-show of the project: everything a person does with one instance, by mouse, and never a file lost. */
async function life(provider: string, name: string): Promise<void> {
  const shot = (step: string) => workbench.screenshot(`main-${provider}-${step}`);
  await workbench.openView();
  await workbench.rowsOrWelcome();
  await shot('1-view');
  await createByWizard(workbench, { provider, name, shot, goBackOnce: true });
  await shot('4-running');

  const made = await workbench.tabOpenedBy(() => workbench.notificationButton(`${name} is running.`, 'Open'));
  await workbench.runInTerminal(made, `echo written by ${name} > kept.txt`);
  await workbench.fileShows(made, 'kept.txt');
  await workbench.screenshot(`main-${provider}-5-inside`, made);
  await made.close();

  await workbench.inlineAction(name, 'Stop');
  await workbench.rowSays(name, /^stopped/);
  await shot('6-stopped');
  await workbench.inlineAction(name, 'Start');
  await workbench.rowSays(name, /^running/);
  await findsItsFile(name);

  await workbench.contextAction(name, 'Delete…');
  expect(await workbench.dialogText()).toContain(name);
  await shot('7-delete');
  await workbench.dialogButton('Delete Instance');
  await workbench.openTrash(name);
  await shot('8-trash');
  await workbench.inlineAction(name, 'Restore');
  await workbench.rowSays(name, /^stopped/);
  await workbench.inlineAction(name, 'Start');
  await workbench.rowSays(name, /^running/);
  await findsItsFile(name);
  await deleteForGood(workbench, name, shot);
}

/** Opens the instance's own editor, with nothing typed, and looks for what was written before. */
async function findsItsFile(name: string): Promise<void> {
  const tab = await workbench.tabOpenedBy(() => workbench.inlineAction(name, 'Open in Browser'));
  await workbench.fileShows(tab, 'kept.txt');
  await tab.close();
}
