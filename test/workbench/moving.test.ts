import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test, vi } from 'vitest';
import { projectRoot } from '../../scripts/editorHost.ts';
import { type HoldingDoor, openHoldingDoor } from '../engine/support/holdingDoor.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { AgentChat, fakeModel } from './support/agentChat.ts';
import { launchChromium } from './support/chromium.ts';
import { createByWizard } from './support/instanceSteps.ts';
import { MigrationSteps } from './support/migrationSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

/** Bytes; more than any other connection to an engine brings it. */
const middle = 20_000_000;

describeWithEngine('an instance that moves from this machine to an engine', () => {
  let browser: Browser;
  let engine: TestEngine;
  let image: string;
  let world: EngineWorld;

  beforeAll(async () => {
    browser = await launchChromium();
    engine = await testEngine();
    image = await ensureTestImage(engine.docker, 'codeServer');
    world = new EngineWorld(engine.docker);
  }, 300_000);
  afterAll(() => browser?.close());

  describe('by mouse', () => {
    let server: WorkbenchServer;
    let workbench: Workbench;
    let moves: MigrationSteps;
    let door: HoldingDoor;
    const failed = (name: string) => onTestFailed(() => workbench.screenshotsOfAll(`failed-moving-${name}`));

    beforeAll(async () => {
      server = await WorkbenchServer.start();
      door = await openHoldingDoor(engine.host.replace('unix://', ''), path.join(server.directory, 'door.sock'));
      const away = { id: 'away', type: 'docker', endpoint: 'unix:///nonexistent/docker.sock' };
      const providers = [{ id: 'engine', type: 'docker', endpoint: door.host, image }, away];
      await server.configure({ 'remoteSwarm.providers': providers });
      workbench = await Workbench.open(browser, server, { width: 1280, height: 1000 });
      moves = new MigrationSteps(workbench);
      await workbench.openView();
      await workbench.row('engine').or(workbench.row('away')).first().waitFor();
      for (const name of ['Mona', 'Nils']) await createByWizard(workbench, { provider: 'local', name });
      await workbench.clearNotifications();
    }, 300_000);
    afterAll(async () => {
      await workbench?.close();
      // Whatever it still does would be in the way.
      await server?.stop();
      const swarmId = await server?.swarmId();
      if (swarmId) await world.removeSwarm(swarmId);
      await door?.close();
      await server?.dispose();
    });

    afterEach(() => door.allow(Number.POSITIVE_INFINITY));

    /** The folder of an instance on this machine. */
    const folderOf = (name: string): string => {
      const folders = globSync(path.join(server.storage, 'local', '*--owner'));
      const record = (folder: string) => readFileSync(path.join(folder, 'reserved', 'instance.json'), 'utf8');
      return folders.find(folder => record(folder).includes(`"${name}"`)) ?? '';
    };

    /** As its user would, by the command line of its own editor server. */
    function installCompanion(name: string): void {
      const file = path.join(server.directory, 'companion.vsix');
      execFileSync(
        path.join(projectRoot, 'node_modules/.bin/vsce'),
        ['package', '--no-dependencies', '--allow-missing-repository', '--skip-license', '--out', file],
        { cwd: path.join(import.meta.dirname, 'companion'), stdio: 'pipe' },
      );
      execFileSync(path.join(folderOf(name), 'reserved', 'editor'), ['--install-extension', file], { stdio: 'pipe' });
    }

    const remembers = (tab: Page, word: string) =>
      tab.locator('.statusbar-item', { hasText: `Companion remembers ${word}` }).waitFor();

    test('takes its file, its extension and its setting along, and its folder is open', {
      timeout: 300_000,
    }, async () => {
      failed('whole');
      installCompanion('Mona');
      const here = await workbench.tabOpenedBy(() => workbench.inlineAction('Mona', 'Open in Browser'));
      await workbench.runInTerminal(here, 'echo written before the move > kept.txt');
      await workbench.fileShows(here, 'kept.txt');
      await workbench.command('Companion: Remember', here);
      await here.locator('.quick-input-widget:visible input.input').fill('Mona');
      await here.keyboard.press('Enter');
      await remembers(here, 'Mona');
      await workbench.screenshot('moving-1-here', here);
      await here.close();

      await moves.choose('Mona', 'engine', 'Stop, then copy', step => workbench.screenshot(`moving-${step}`));
      await workbench.notification('Mona lives on engine now.').waitFor({ timeout: 120_000 });
      await moves.says('Mona', /^moved, old copy kept · local → engine/);
      await workbench.rowSays('Mona', /^running/);
      await workbench.screenshot('moving-5-moved');
      const there = await workbench.tabOpenedBy(() =>
        workbench.notificationButton('Mona lives on engine now.', 'Open'),
      );
      await workbench.fileShows(there, 'kept.txt');
      await remembers(there, 'Mona');
      await workbench.runInTerminal(there, 'echo written after the move > later.txt');
      await workbench.fileShows(there, 'later.txt');
      await workbench.screenshot('moving-6-there', there);
      await there.close();

      await workbench.command('Remote Swarm: Show What Differs');
      await workbench.pick('Show What Differs', 'Mona');
      const document = workbench.page.frameLocator('iframe.webview.ready >> nth=-1').frameLocator('#active-frame');
      await document.getByRole('heading', { name: 'What Differs in Mona' }).waitFor();
      await document.getByText('workspace/later.txt: not in the old copy').waitFor();
      await workbench.screenshot('moving-7-differs');
      await workbench.command('View: Close Editor');
    });

    test.each([
      ['cancelled by a click in its notification', 'Stop, then copy', 'cancel'],
      ['whose window is loaded anew', 'Copy, then stop', 'reload'],
    ] as const)('%s in the middle, it is as it was', { timeout: 300_000 }, async (_what, strategy, how) => {
      failed(how);
      const file = path.join(folderOf('Nils'), 'home', 'workspace', 'large');
      const content = randomBytes(3 * middle);
      writeFileSync(file, content);
      const owned = await world.inventory();
      door.allow(middle);
      await moves.choose('Nils', 'engine', strategy);
      await moves.says('Nils', /^copying [\d.]+ MB of [\d.]+ MB · local → engine/);
      const first = await moves.megabytes('Nils');
      door.allow(2 * middle);
      await vi.waitFor(async () => expect(await moves.megabytes('Nils')).toBeGreaterThan(first), 30_000);
      await workbench
        .notification('Migrating Nils to engine')
        .filter({ hasText: /copying [\d.]+ MB of [\d.]+ MB/ })
        .waitFor();
      await workbench.page.locator('.statusbar-item', { hasText: 'Migrating 1 instance' }).waitFor();
      await workbench.rowSays('Nils', /^(running|stopped) · moving to engine…/);
      await workbench.screenshot(`moving-${how}-1-middle`);

      if (how === 'cancel') {
        await workbench.notificationButton('Migrating Nils to engine', 'Cancel');
        await moves.says('Nils', /^cancelled · local → engine/);
      } else {
        await workbench.reload();
        await workbench.openView();
        await moves.open();
        await moves.says(
          'Nils',
          /^failed · The window that carried it out ended, and everything was taken back · local → engine/,
        );
      }
      await workbench.screenshot(`moving-${how}-2-over`);
      await workbench.unfold('local');
      await workbench.rowSays('Nils', /^running/);
      expect(await world.inventory()).toEqual(owned);
      expect(readFileSync(file).equals(content)).toBe(true);
      const tab = await workbench.tabOpenedBy(() => workbench.inlineAction('Nils', 'Open in Browser'));
      await workbench.fileShows(tab, 'large');
      await tab.close();
    });
  });

  describe('by a model in agent mode', () => {
    let server: WorkbenchServer;
    let workbench: Workbench;
    let chat: AgentChat;
    let scratch: string;

    beforeAll(async () => {
      scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-agent-'));
      const script = path.join(scratch, 'script.json');
      server = await WorkbenchServer.start({
        settings: {
          'chat.disableAIFeatures': false,
          'remoteSwarm.providers': [{ id: 'engine', type: 'docker', endpoint: engine.host, image }],
        },
        extensions: [fakeModel],
        env: AgentChat.environment(script),
      });
      workbench = await Workbench.open(browser, server, { width: 1500, height: 900 });
      chat = new AgentChat(workbench, script);
      await workbench.openView();
    }, 180_000);
    afterAll(async () => {
      await workbench?.close();
      await server?.stop();
      const swarmId = await server?.swarmId();
      if (swarmId) await world.removeSwarm(swarmId);
      await server?.dispose();
      await rm(scratch, { recursive: true, force: true });
    });

    test('is asked for what changes, and the file is in the editor there', { timeout: 300_000 }, async () => {
      onTestFailed(() => workbench.screenshotsOfAll('failed-moving-agent'));
      const answers = (count: number) =>
        vi.waitFor(
          () => {
            const results = chat.results('move');
            expect(results.length).toBeGreaterThanOrEqual(count);
            return results;
          },
          { timeout: 120_000, interval: 100 },
        );
      await chat.start('move', [
        { tool: 'create_swarm_instance', input: { name: 'Olga', provider: 'local' } },
        { tool: 'run_in_instance', input: { instanceId: '$id:Olga', command: 'echo by a model > made.txt' } },
        { tool: 'create_migration_plan', input: { instanceId: '$id:Olga', targetProvider: 'engine' } },
        { tool: 'start_migration', input: { migrationId: '$move:Olga' } },
        { tool: 'get_migration_status', input: { migrationId: '$move:Olga' } },
        { tool: 'list_migrations', input: {} },
      ]);
      for (const [count, asks] of ['create', 'run', 'plan', 'start'].entries()) {
        await answers(count);
        await workbench.page
          .locator('.interactive-session .monaco-button:visible', { hasText: 'Allow' })
          .first()
          .waitFor();
        await workbench.screenshot(`moving-agent-${count + 1}-${asks}`);
        await chat.confirm('Allow');
      }
      const [created, , planned, started, told, listed] = await answers(6);
      const { id } = created as { id: string };
      const { id: migration } = planned as { id: string };
      const moved = { id: migration, instanceId: id, from: 'local', to: 'engine', status: 'completed' };
      expect(planned).toMatchObject({ ...moved, status: 'pending', plan: { losses: [expect.any(String)] } });
      expect(started).toMatchObject({ ...moved, leftovers: [] });
      expect(told).toEqual(started);
      expect(listed).toMatchObject({ migrations: [moved], more: 0 });

      await workbench.unfold('engine');
      await workbench.rowSays('Olga', /^running/);
      const there = await workbench.tabOpenedBy(() => workbench.inlineAction('Olga', 'Open in Browser'));
      await workbench.fileShows(there, 'made.txt');
      await there.close();
    });
  });
});
