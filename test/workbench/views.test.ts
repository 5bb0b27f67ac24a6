import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { launchChromium } from './support/chromium.ts';
import { createByWizard } from './support/instanceSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

describe('an empty view says why, and what to do', () => {
  const nothing = { 'remoteSwarm.enabledProviders': ['local'] };
  const cases: { state: string; settings: Record<string, unknown>; button: string; noServer?: boolean }[] = [
    { state: 'empty', settings: nothing, button: 'Create Instance' },
    { state: 'needs-server', settings: nothing, button: 'Install Editor Server', noServer: true },
    { state: 'off', settings: { ...nothing, 'remoteSwarm.loadStateOnStartup': false }, button: 'Create Instance' },
    { state: 'problem', settings: { 'remoteSwarm.stateDirectory': '/dev/null' }, button: 'Try Again' },
  ];

  test.each(cases)('$state', { timeout: 180_000 }, async ({ state, settings, button, noServer }) => {
    const server = await WorkbenchServer.start({ settings });
    let workbench: Workbench | undefined;
    try {
      if (noServer) await rm(path.join(server.storage, 'editor-server'));
      workbench = await Workbench.open(browser, server, { width: 1000, height: 600 });
      await workbench.openView();
      onTestFailed(() => workbench?.screenshotsOfAll(`failed-views-${state}`));
      await workbench.welcomeButton(button).waitFor();
      await workbench.screenshot(`views-welcome-${state}`);
    } finally {
      await workbench?.close();
      await server.dispose();
    }
  });
});

describe('the views of a small swarm', () => {
  let server: WorkbenchServer;
  let workbench: Workbench;
  const failed = () => onTestFailed(() => workbench.screenshotsOfAll('failed-views'));

  beforeAll(async () => {
    const endpoint = 'unix:///nonexistent/docker.sock';
    server = await WorkbenchServer.start({
      settings: { 'remoteSwarm.providers': [{ id: 'build-host', type: 'docker', endpoint }] },
    });
    workbench = await Workbench.open(browser, server);
    await workbench.openView();
    await workbench.row('build-host').waitFor();
    await createByWizard(workbench, { provider: 'local', name: 'Kira' });
    await createByWizard(workbench, { provider: 'local', name: 'payment service' });
    await createByWizard(workbench, { provider: 'local', name: 'an instance with quite a long name' });
    await workbench.inlineAction('payment service', 'Stop');
    await workbench.rowSays('payment service', /^stopped/);
    await workbench.contextAction('an instance with quite a long name', 'Delete…');
    await workbench.dialogButton('Delete Instance');
    await workbench.openTrash('an instance with quite a long name');
    await workbench.clearNotifications();
  }, 300_000);
  afterAll(async () => {
    await workbench?.close();
    await server?.dispose();
  });

  test('rows say name and state, and why a place is not reached', async () => {
    failed();
    await workbench.rowSays('an instance with quite a long name', /^until .+ · [\d.]+ \wB/);
    const rows = await workbench.rows();
    expect(rows).toContainEqual(expect.stringMatching(/^Kira\trunning/));
    expect(rows).toContainEqual(expect.stringMatching(/^payment service\tstopped/));
    expect(rows).toContainEqual(expect.stringMatching(/^an instance with quite a long name\tuntil .+ · [\d.]+ \w+/));
    expect(rows).toContainEqual(expect.stringMatching(/^build-host\t.+/));
    expect(await workbench.row('Kira').getAttribute('aria-label')).toMatch(/^Kira, running, /);
    await workbench.row('build-host').hover();
    await workbench.inlineButton('build-host', 'Retry Provider').waitFor();
    await workbench.screenshot('views-unreachable');
    await workbench.screenshotOfSidebar('sidebar');
  });

  test('tooltip, context menu and status bar', async () => {
    failed();
    await workbench.row('Kira').hover();
    await workbench.page.locator('.workbench-hover', { hasText: 'Owner' }).waitFor();
    await workbench.screenshot('views-tooltip');
    await workbench.page.keyboard.press('Escape');
    for (const name of ['Kira', 'payment service', 'an instance with quite a long name', 'build-host']) {
      await workbench.openContextMenu(name);
      await workbench.screenshot(`views-menu-${name.replaceAll(' ', '-')}`);
      await workbench.page.keyboard.press('Escape');
      await workbench.menu.waitFor({ state: 'detached' });
    }
  });

  test('group, sort and filter', async () => {
    failed();
    await workbench.command('Remote Swarm: Group By…');
    await workbench.pick('Group Instances By', 'Status');
    await workbench.row('Running').waitFor();
    await workbench.screenshot('views-grouped-by-status');
    await workbench.command('Remote Swarm: Group By…');
    await workbench.pick('Group Instances By', 'Provider');
    await workbench.command('Remote Swarm: Filter…');
    await workbench.type('Show only instances', 'pay');
    await workbench.accept('Show only these states');
    await workbench.row('Kira').waitFor({ state: 'detached' });
    await workbench.row('payment service').waitFor();
    await workbench.screenshot('views-filtered');
    await workbench.command('Remote Swarm: Filter…');
    await workbench.type('Show only instances', 'nobody');
    await workbench.accept('Show only these states');
    await workbench.row('payment service').waitFor({ state: 'detached' });
    await workbench.page.getByText('Showing 0 of 3 instances: a filter is on.').waitFor();
    await workbench.screenshot('views-filter-hides-all');
    await workbench.command('Remote Swarm: Clear Filter');
    await workbench.row('Kira').waitFor();
  });

  test('terminal, log, ports, edit and the documents', async () => {
    failed();
    await workbench.contextAction('Kira', 'Open Terminal');
    await workbench.page.locator('.part.panel', { hasText: 'Kira' }).waitFor();
    await workbench.screenshot('views-terminal');
    await workbench.contextAction('Kira', 'Show Instance Log');
    await workbench.page.locator('.part.panel .view-lines', { hasText: /agent.started/ }).waitFor();
    await workbench.screenshot('views-log');
    await workbench.contextAction('Kira', 'Ports…');
    await workbench.quickInput.waitFor();
    await workbench.screenshot('views-ports');
    await workbench.page.keyboard.press('Escape');
    await workbench.contextAction('Kira', 'Edit…');
    await workbench.quickInput.waitFor();
    await workbench.screenshot('views-edit');
    await workbench.pick('What shall change?', 'Secret variables');
    await workbench.type('Names of the secret variables', 'API_KEY');
    await workbench.type('The value of API_KEY', 's3cret');
    await workbench.page.locator('.part.panel .view-lines', { hasText: 'the log ends here' }).waitFor();
    await workbench.rowSays('Kira', /^running/);
    const shows = (text: string | RegExp) =>
      workbench.page.locator('.editor-instance .view-lines', { hasText: text }).waitFor();
    await workbench.command('Remote Swarm: Create Instance from JSON…');
    await shows('extensions');
    await workbench.screenshot('views-document-json');
    await workbench.command('Remote Swarm: Show Audit Log');
    await workbench.pick('Show Audit Log', 'Everything');
    await shows('create_swarm_instance');
    await shows(/done\s+update_swarm_instance/);
    await workbench.screenshot('views-document-audit');
    await workbench.command('Remote Swarm: Collect Diagnostics');
    await shows('Versions');
    await workbench.screenshot('views-document-diagnostics');
  });

  test('the wizard refuses what is wrong while it is typed', async () => {
    failed();
    await workbench.command('Remote Swarm: Create Instance…');
    await workbench.step('A name for the instance');
    await workbench.quickInput.locator('input.input').fill('kira');
    await workbench.quickInput.filter({ hasText: 'An instance of this name exists already.' }).waitFor();
    await workbench.screenshot('views-wizard-name-taken');
    await workbench.quickInput.locator('input.input').fill('fine');
    await workbench.accept('A name for the instance');
    await workbench.pick('Where shall it run?', 'local');
    await workbench.pick('What shall its workspace hold?', 'A Git repository');
    await workbench.step('The repository to clone');
    await workbench.quickInput.locator('input.input').fill('https://me:secret@host/x');
    await workbench.quickInput.filter({ hasText: 'must not hold a user or a password' }).waitFor();
    await workbench.screenshot('views-wizard-git');
    await workbench.page.keyboard.press('Escape');
    await workbench.quickInput.waitFor({ state: 'detached' });
  });

  test('the walkthrough and the settings', async () => {
    failed();
    await workbench.command('Welcome: Open Walkthrough...');
    await workbench.quickInput.locator('input.input').fill('Remote Swarm');
    await workbench.quickInput.locator('.monaco-list-row', { hasText: 'Remote Swarm' }).first().click();
    await workbench.page.locator('.getting-started-step, .step-list-container').first().waitFor();
    await workbench.screenshot('views-walkthrough');
    await workbench.command('Preferences: Open Settings (UI)');
    await workbench.page.locator('.settings-editor .suggest-input-container').click();
    await workbench.page.keyboard.type('@ext:remote-swarm.remote-swarm ');
    await workbench.page.locator('.settings-editor .setting-item-contents', { hasText: 'State Directory' }).waitFor();
    await workbench.screenshot('views-settings');
  });

  test('what other swarms and machines have to say in it', { timeout: 240_000 }, async () => {
    failed();
    const instances = path.join(server.storage, 'instances');
    const names = (await readdir(instances)).filter(name => name.endsWith('.json'));
    const texts = await Promise.all(names.map(name => readFile(path.join(instances, name), 'utf8')));
    const records = texts.map(text => JSON.parse(text));
    const recordOf = (name: string) => records.find(({ config }) => config.name === name);
    const reserved = (name: string, role = 'owner') =>
      path.join(server.storage, 'local', `${recordOf(name).id}--${role}`, 'reserved');
    const change = async (file: string, changes: object) => {
      const text = await readFile(file, 'utf8');
      await writeFile(file, JSON.stringify({ ...JSON.parse(text), ...changes }));
      return () => writeFile(file, text);
    };
    const { swarmId, owner, generation = 0 } = recordOf('payment service');
    const title = (more: object) => JSON.stringify({ swarmId, owner, epoch: 1, generation: generation + 9, ...more });
    const bob = { swarmId: 'bbbbbbbbbbbbbbbb', owner: { user: 'bob', machine: 'studio' }, epoch: 3 };
    const adoptedAt = new Date(Date.now() - 7_200_000).toISOString();

    // The settings lie over everything.
    await workbench.page.keyboard.press('Escape');
    await workbench.page.locator('.monaco-modal-editor-block').waitFor({ state: 'detached' });
    // Another machine has the state.
    const machine = path.join(server.storage, 'machine.json');
    const { machine: here } = JSON.parse(await readFile(machine, 'utf8'));
    const there = { ...here, id: 'a0b1c2d3e4f5', host: 'anns-laptop' };
    await change(machine, { machine: there, since: adoptedAt });
    await workbench.notification('This swarm is in use on anns-laptop').waitFor();
    // A view shows the buttons of its title while the pointer is over it.
    await workbench.page.locator('.part.sidebar .pane-header').first().hover();
    await workbench.page.locator('.part.sidebar').getByRole('button', { name: 'Take Over State Directory' }).waitFor();
    await workbench.screenshot('views-state-elsewhere');
    await workbench.notificationButton('Here it can only be read', 'Take Over');
    expect(await workbench.dialogText()).toContain('anns-laptop');
    await workbench.screenshot('views-take-over');
    await workbench.dialogButton('Take Over');
    const hint = workbench.page.locator('.part.sidebar', { hasText: 'Here it can only be read' });
    await hint.waitFor({ state: 'detached' });

    // Kira runs on another machine, what is stopped is newer at its provider, and Bob has what was in the trash.
    const comesBack = await change(path.join(reserved('Kira'), 'process.json'), { place: there });
    await writeFile(path.join(reserved('payment service'), 'title-99.json'), title({}));
    await writeFile(
      path.join(reserved('an instance with quite a long name', 'trash'), 'title-99.json'),
      title({ ...bob, adoptedAt }),
    );
    await workbench.reload();
    await workbench.openView();
    await workbench.command('Remote Swarm: Refresh');
    await workbench.rowSays('Kira', /^runs on anns-laptop/);
    await workbench.rowSays('payment service', /^outdated: /);
    await workbench.rowSays('an instance with quite a long name', /^adopted by bob@studio/);
    await workbench.screenshot('views-others');
    for (const [name, action, says] of [
      ['Kira', 'Take Over Instance…', 'Do this only when anns-laptop is gone for good'],
      ['payment service', 'Do What This State Says…', 'at local stopped → stopped, as here'],
      ['an instance with quite a long name', 'Forget Instance…', 'stays as it is with bob@studio'],
    ] as const) {
      await workbench.contextAction(name, action);
      expect(await workbench.dialogText()).toContain(says);
      await workbench.screenshot(`views-others-${name.replaceAll(' ', '-')}`);
      await workbench.dialogButton('Cancel');
    }
    await workbench.row('payment service').hover();
    await workbench.page.locator('.workbench-hover', { hasText: 'Owner' }).waitFor();
    await workbench.screenshot('views-others-tooltip');
    await workbench.page.keyboard.press('Escape');
    await comesBack();
    await workbench.command('Remote Swarm: Refresh');
    await workbench.rowSays('Kira', /^running/);
  });

  test.each([
    ['light', 'Light Modern', 'vs'],
    ['high-contrast', 'Dark High Contrast', 'hc-black'],
    ['high-contrast-light', 'Light High Contrast', 'hc-light'],
    ['dark', 'Dark Modern', 'vs-dark'],
  ])('in %s, wide and narrow', async (name, theme, shows) => {
    failed();
    await workbench.chooseTheme(theme);
    await workbench.resize(1280);
    await workbench.page.locator(`.monaco-workbench.${shows}`).waitFor();
    await workbench.rowSays('Kira', /^running/);
    await workbench.screenshot(`views-${name}-wide`);
    await workbench.resize(620);
    await workbench.screenshot(`views-${name}-narrow`);
  });
});
