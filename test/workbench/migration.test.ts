import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { untilDecided } from '../../src/core/retention.ts';
import { Migration } from '../../src/model/migration.ts';
import { ended, migrationOf, parked } from '../unit/vscode/migrationFacts.ts';
import { launchChromium } from './support/chromium.ts';
import { MigrationSteps } from './support/migrationSteps.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

const settings = { 'remoteSwarm.enabledProviders': ['local'] };
const minutes = (count: number) => new Date(Date.now() + count * 60_000).toISOString();
const error = {
  code: 'unreachable',
  message: 'The engine does not answer.',
  at: minutes(-90),
} as const;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** Migrations of another window, as they lie on the disk: one under way, one parked, two that are over. */
function givenMigrations(): Migration[] {
  const begun = migrationOf(1, { instanceName: 'Kira', startedAt: minutes(-1) }, 'create-target');
  const steps = begun.steps.map(state => (state.status === 'running' ? { ...state, bytes: 120_000_000 } : state));
  const running = { ...begun, steps };
  const over = { endedAt: minutes(-90), parkedUntil: undefined };
  const failed = ended(3, 'failed', { ...over, instanceName: 'an instance with quite a long name', error });
  return [
    running,
    parked(2, { instanceName: 'payment service', endedAt: minutes(-20), parkedUntil: minutes(1420), downtimeMs: 4200 }),
    failed,
    ended(4, 'cancelled', { ...over, instanceName: 'docs' }),
  ];
}

describe('the view of migrations', () => {
  let server: WorkbenchServer;
  let workbench: Workbench;
  let moves: MigrationSteps;
  const failed = () => onTestFailed(() => workbench.screenshotsOfAll('failed-migrations'));
  const fileOf = (id: string) => path.join(server.storage, 'migrations', `${id}.json`);

  beforeAll(async () => {
    server = await WorkbenchServer.start({ settings });
    workbench = await Workbench.open(browser, server);
    moves = new MigrationSteps(workbench);
    await workbench.resize(1280, 1000);
    await moves.open();
    await workbench.welcomeButton('Migrate an Instance').waitFor();
    await workbench.screenshot('migrations-empty');
    await mkdir(path.join(server.storage, 'migrations'), { recursive: true, mode: 0o700 });
    for (const migration of givenMigrations()) {
      await writeFile(fileOf(migration.id), JSON.stringify(Migration.parse(migration)), { mode: 0o600 });
    }
    await workbench.reload();
    await moves.open();
  }, 180_000);
  afterAll(async () => {
    await workbench?.close();
    await server?.dispose();
  });

  test('says what moves, what is kept and what is over, and the status bar says that something moves', async () => {
    failed();
    await moves.says('Kira', /^copying 120 MB of 300 MB · local → docker/);
    await moves.says('payment service', /^moved, old copy kept · local → docker/);
    await moves.says('an instance with quite a long name', /failed · The engine does not answer/);
    await moves.says('docs', /cancelled/);
    expect(await moves.row('payment service').getAttribute('aria-label')).toMatch(
      /^payment service, from local to docker/,
    );
    await workbench.page.locator('.statusbar-item', { hasText: 'Migrating 1 instance' }).waitFor();
    await workbench.screenshot('migrations-view');
    await moves.row('payment service').hover();
    await workbench.page.locator('.workbench-hover', { hasText: 'Old copy' }).waitFor();
    await workbench.screenshot('migrations-tooltip');
    await workbench.page.keyboard.press('Escape');
  });

  test.each([
    ['light', 'Light Modern', 'vs'],
    ['high-contrast', 'Dark High Contrast', 'hc-black'],
    ['dark', 'Dark Modern', 'vs-dark'],
  ])('in %s, wide and narrow, with its steps', { timeout: 120_000 }, async (name, theme, shows) => {
    failed();
    await workbench.chooseTheme(theme);
    await workbench.page.locator(`.monaco-workbench.${shows}`).waitFor();
    await moves.says('Kira', /copying/);
    if ((await moves.row('Kira').getAttribute('aria-expanded')) === 'false')
      await moves.row('Kira').locator('.monaco-tl-twistie').click();
    await moves.says('Prepare', /^done/);
    await moves.says('Copy to the target', /^120 MB · under way/);
    await workbench.screenshot(`migrations-${name}-wide`);
    await workbench.resize(620, 1000);
    await workbench.screenshot(`migrations-${name}-narrow`);
    await workbench.resize(1280, 1000);
  });

  test('a copy that was failed over from is told of, once, with what can be done', async () => {
    failed();
    const old = parked(5, { instanceName: 'web', endedAt: minutes(-1), parkedUntil: untilDecided });
    await writeFile(fileOf(old.id), JSON.stringify(Migration.parse(old)), { mode: 0o600 });
    const notice = workbench.notification('web lives on docker');
    await notice.waitFor();
    await notice.locator('.monaco-button', { hasText: 'Show What Differs' }).waitFor();
    await workbench.screenshot('migrations-old-copy');
    await notice.hover();
    await notice.locator('.codicon-notifications-clear').click();
    await notice.waitFor({ state: 'detached' });
    await workbench.reload();
    await moves.open();
    await moves.says('web', /^moved, old copy kept/);
    expect(await notice.count()).toBe(0);
  });

  test('cancelling is a click on the row, and is on the disk', async () => {
    failed();
    await moves.row('Kira').hover();
    await moves.row('Kira').locator('.actions .action-label[aria-label^="Cancel Migration"]').click();
    await moves.says('Kira', /taking back/);
    const [{ id }] = givenMigrations() as [Migration];
    expect(JSON.parse(readFileSync(fileOf(id), 'utf8'))).toMatchObject({ cancelRequested: true });
    await workbench.screenshot('migrations-cancelled');
  });
});
