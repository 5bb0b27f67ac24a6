import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { projectRoot } from '../../scripts/editorHost.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { notHere } from '../fakes/notHere.ts';
import { machineProblem } from '../fly/support/flyCloud.ts';
import { type FlyScene, openFlyScene } from '../fly/support/flyScene.ts';
import { launchChromium } from './support/chromium.ts';
import { createByWizard, deleteForGood } from './support/instanceSteps.ts';
import { MigrationSteps } from './support/migrationSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

describe.skipIf(machineProblem() !== undefined)(notHere('on Fly.io, as its stand-in is', machineProblem()), () => {
  describeWithEngine('beside an engine', () => {
    let browser: Browser;
    let scene: FlyScene;
    let world: EngineWorld;
    let server: WorkbenchServer;
    let workbench: Workbench;
    let moves: MigrationSteps;
    const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-fly-workbench-'));
    const shot = (step: string) => workbench.screenshot(`fly-${step}`);

    beforeAll(async () => {
      browser = await launchChromium();
      const editor = await installEditorServer(path.join(projectRoot, '.runtime', 'editor-server'));
      if (editor.kind !== 'node') throw new Error('the installed editor server has no node');
      scene = await openFlyScene({ editor });
      const certificate = path.join(folder, 'edge.pem');
      writeFileSync(certificate, scene.certificate);
      const engine = await testEngine();
      world = new EngineWorld(engine.docker);
      const docker = { id: 'engine', type: 'docker', endpoint: engine.host };
      const image = await ensureTestImage(engine.docker, 'codeServer');
      server = await WorkbenchServer.start({
        settings: { 'remoteSwarm.providers': [scene.config, { ...docker, image }] },
        env: { NODE_EXTRA_CA_CERTS: certificate },
      });
      workbench = await Workbench.open(browser, server, { width: 1280, height: 1000 });
      moves = new MigrationSteps(workbench);
    }, 300_000);
    afterAll(async () => {
      await workbench?.close();
      await server?.stop();
      const swarmId = await server?.swarmId();
      if (swarmId) await world.removeSwarm(swarmId);
      await server?.dispose();
      await scene?.close();
      await browser?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    test('an instance lives there, moves to an engine and back, and is gone', { timeout: 300_000 }, async () => {
      onTestFailed(() => workbench.screenshotsOfAll('failed-fly'));
      await workbench.openView();
      await workbench.rowSays('fly', /no token/);
      await shot('1-no-token');
      await workbench.contextAction('fly', 'Edit Provider…');
      for (const field of ['organization', 'region', 'image', 'diskGb']) await workbench.accept(field);
      await workbench.step('The token for Fly.io');
      await shot('1-token');
      await workbench.type('The token for Fly.io', scene.token);
      await workbench.notification('fly is ready.').waitFor();
      await workbench.clearNotifications();

      await createByWizard(workbench, { provider: 'fly', name: 'Fay', region: 'ams', shot });
      expect([...scene.cloud.apps.values()].flatMap(({ volumes }) => [...volumes.values()])).toMatchObject([
        { region: 'ams', state: 'created' },
      ]);
      const there = await workbench.tabOpenedBy(() => workbench.notificationButton('Fay is running.', 'Open'));
      await workbench.runInTerminal(there, 'echo written on Fly.io > kept.txt');
      await workbench.fileShows(there, 'kept.txt');
      await workbench.screenshot('fly-4-inside', there);
      await there.close();

      await moves.choose('Fay', 'engine', 'Stop, then copy');
      await workbench.notification('Fay lives on engine now.').waitFor({ timeout: 120_000 });
      await workbench.rowSays('Fay', /^running/);
      await workbench.clearNotifications();
      await workbench.command('Remote Swarm: Clean Up Source');
      await workbench.pick('Clean Up the Source of a Migration', 'Fay');
      await workbench.dialogButton('Clean Up Parked Copy');
      await moves.says('Fay', /^moved · fly → engine/);
      expect(scene.cloud.apps.size).toBe(0);

      await moves.choose('Fay', 'fly', 'Stop, then copy');
      await workbench.notification('Fay lives on fly now.').waitFor({ timeout: 120_000 });
      await shot('5-moved-back');
      const back = await workbench.tabOpenedBy(() => workbench.notificationButton('Fay lives on fly now.', 'Open'));
      await workbench.fileShows(back, 'kept.txt');
      await back.close();
      await deleteForGood(workbench, 'Fay');
      expect(scene.cloud.apps.size).toBe(0);
      expect(scene.guard.violations()).toEqual([]);
    });
  });
});
