import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { notHere } from '../fakes/notHere.ts';
import { type SshHost, sshHostProblem } from '../ssh/support/sshHost.ts';
import { startPreparedHost } from '../ssh/support/sshProviders.ts';
import { launchChromium } from './support/chromium.ts';
import { createByWizard } from './support/instanceSteps.ts';
import { MigrationSteps } from './support/migrationSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

const problem = sshHostProblem();

describe.skipIf(problem !== undefined)(notHere('on an ssh host', problem), () => {
  describeWithEngine('beside an engine', () => {
    let browser: Browser;
    let host: SshHost;
    let world: EngineWorld;
    let server: WorkbenchServer;
    let workbench: Workbench;

    beforeAll(async () => {
      const engine = await testEngine();
      const image = await ensureTestImage(engine.docker, 'codeServer');
      world = new EngineWorld(engine.docker);
      host = await startPreparedHost('wb');
      browser = await launchChromium();
      server = await WorkbenchServer.start({
        settings: { 'remoteSwarm.providers': [{ id: 'engine', type: 'docker', endpoint: engine.host, image }] },
      });
      // The editor takes the environment of a person's login shell.
      writeFileSync(path.join(server.directory, 'user', '.profile'), `export PATH='${host.path}':"$PATH"\n`);
      workbench = await Workbench.open(browser, server, { width: 1280, height: 1000 });
    }, 300_000);
    afterAll(async () => {
      await workbench?.close();
      await browser?.close();
      await server?.stop();
      const swarmId = await server?.swarmId();
      if (swarmId) await world.removeSwarm(swarmId);
      await server?.dispose();
      await host?.stop();
    });

    const filesOnHost = (name: string) =>
      globSync(path.join(host.home, '.remote-swarm', 'instances', '*--owner', 'home', 'workspace', name));

    test('an instance is made, moves to an engine and back, and has all its files', { timeout: 300_000 }, async () => {
      onTestFailed(() => workbench.screenshotsOfAll('failed-ssh'));
      const moves = new MigrationSteps(workbench);
      await workbench.openView();
      await workbench.rowsOrWelcome();
      await workbench.command('Remote Swarm: Add Provider…');
      await workbench.pick('What kind of place is it?', 'SSH Host');
      await workbench.accept('A short name for this provider');
      await workbench.step('The host as ssh knows it');
      await workbench.screenshot('ssh-1-host');
      await workbench.type('The host as ssh knows it', host.name);
      for (const step of ['User on the host', 'Port of its ssh server', 'Directory on the host']) {
        await workbench.accept(step);
      }
      await workbench.notification('ssh is ready.').waitFor();
      await workbench.screenshot('ssh-2-ready');

      await createByWizard(workbench, { provider: 'ssh', name: 'Sina' });
      const made = await workbench.tabOpenedBy(() => workbench.notificationButton('Sina is running.', 'Open'));
      await workbench.runInTerminal(made, 'echo written on the host > kept.txt');
      await workbench.fileShows(made, 'kept.txt');
      await workbench.screenshot('ssh-3-inside', made);
      await made.close();
      const [kept = ''] = filesOnHost('kept.txt');
      expect(readFileSync(kept, 'utf8')).toBe('written on the host\n');

      await workbench.clearNotifications();
      await moves.choose('Sina', 'engine', 'Stop, then copy');
      await workbench.notification('Sina lives on engine now.').waitFor({ timeout: 120_000 });
      await workbench.screenshot('ssh-4-moved');
      const there = await workbench.tabOpenedBy(() =>
        workbench.notificationButton('Sina lives on engine now.', 'Open'),
      );
      await workbench.fileShows(there, 'kept.txt');
      await workbench.runInTerminal(there, 'echo written in a container > later.txt');
      await workbench.fileShows(there, 'later.txt');
      await there.close();
      expect(existsSync(kept)).toBe(false);

      await workbench.clearNotifications();
      await workbench.command('Remote Swarm: Clean Up Source');
      await workbench.pick('Clean Up the Source of a Migration', 'Sina');
      await workbench.dialogButton('Clean Up Parked Copy');
      await moves.says('Sina', /^moved · ssh/);
      await moves.choose('Sina', 'ssh', 'Stop, then copy');
      await workbench.notification('Sina lives on ssh now.').waitFor({ timeout: 120_000 });
      const back = await workbench.tabOpenedBy(() => workbench.notificationButton('Sina lives on ssh now.', 'Open'));
      for (const name of ['kept.txt', 'later.txt']) await workbench.fileShows(back, name);
      await workbench.screenshot('ssh-5-back', back);
      await back.close();
      await workbench.screenshot('ssh-6-over');
      expect(filesOnHost('later.txt').map(file => readFileSync(file, 'utf8'))).toEqual(['written in a container\n']);
      await workbench.clearNotifications();
    });

    test('what lies on a host that is gone for good can be forgotten', { timeout: 180_000 }, async () => {
      onTestFailed(() => workbench.screenshotsOfAll('failed-ssh-forget'));
      await host.killSshd();
      await workbench.contextAction('Sina', 'Delete…');
      await workbench.dialogButton('Delete Instance');
      await workbench.unfold('Trash');
      await workbench.rowSays('Sina', /^unknown · goes to the trash once ssh answers/);
      await workbench.screenshot('ssh-7-trash');
      await workbench.contextAction('Sina', 'Delete Permanently…');
      await workbench.dialogButton('Delete Permanently');
      await workbench.rowSays('Sina', /^deleting… · The provider "ssh" does not answer/);
      await workbench.openContextMenu('Sina');
      await workbench.screenshot('ssh-8-left');
      await workbench.page.keyboard.press('Escape');
      await workbench.menu.waitFor({ state: 'detached' });
      await workbench.contextAction('Sina', 'Forget Instance…');
      await workbench.dialogText();
      await workbench.screenshot('ssh-9-forget');
      await workbench.dialogButton('Forget Instance');
      await workbench.row('Sina').waitFor({ state: 'detached' });
      await workbench.screenshot('ssh-10-forgotten');
      expect(filesOnHost('later.txt')).toHaveLength(1);
      await host.startSshd();
    });
  });
});
