import * as path from 'node:path';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { writableFolder } from '../../../scripts/editorHost.ts';
import type { WorkbenchServer } from './workbenchServer.ts';

/** Runs in the page: whether VS Code's storage there has a text. */
const isKept = `async wanted => {
  const answer = request =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  for (const { name } of await indexedDB.databases()) {
    if (!name.startsWith('vscode-web-state-db-')) continue;
    const database = await answer(indexedDB.open(name));
    const values = await answer(database.transaction('ItemTable').objectStore('ItemTable').getAll());
    database.close();
    if (values.some(value => String(value).includes(wanted))) return true;
  }
  return false;
}`;

/** How long a condition may take on a busy machine. Waits end as soon as it holds. */
const patience = 60_000;

const screenshots = await writableFolder('test', 'workbench', 'screenshots');

/** One VS Code window in a browser, and what a person does in it. */
export class Workbench {
  readonly page: Page;
  readonly context: BrowserContext;

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
  }

  /** Opens the server's folder in a browser profile of its own and waits until the workbench is there. */
  static async open(
    browser: Browser,
    server: WorkbenchServer,
    size = { width: 1280, height: 800 },
  ): Promise<Workbench> {
    const context = await browser.newContext({ viewport: size, permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    const workbench = new Workbench(context, page);
    await workbench.load(server.url);
    return workbench;
  }

  async load(url: string): Promise<void> {
    await this.page.goto(url);
    await this.#loaded(this.page);
  }

  /** Loads a tab anew, as a person does with F5. */
  async reload(page: Page = this.page): Promise<void> {
    await page.reload();
    await this.#loaded(page);
  }

  /** Whether the window has written down a text in what it keeps over a reload; it does so once a minute. */
  keeps(text: string): Promise<boolean> {
    return this.page.evaluate(`(${isKept})(${JSON.stringify(text)})`);
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  // the sidebar

  /** Shows the view container of the swarm. */
  async openView(): Promise<void> {
    const tab = this.page.locator('.activitybar .action-item', {
      has: this.page.locator('[aria-label^="Remote Swarm"]'),
    });
    // While a window is loaded a click may hide what is about to be shown: then it takes another one.
    const shown = this.page.locator('.part.sidebar .title-label', { hasText: /remote swarm/i });
    const isShown = (within: number) =>
      shown.waitFor({ timeout: within }).then(
        () => true,
        () => false,
      );
    for (let attempt = 0; attempt < 10 && !(await isShown(attempt === 0 ? 500 : 3_000)); attempt++) await tab.click();
    await this.sidebar.waitFor();
  }

  get sidebar(): Locator {
    return this.page.locator('.part.sidebar .pane-body').first();
  }

  /** The row of the tree whose name is `name`: instances, providers and groups alike. */
  row(name: string): Locator {
    return this.sidebar.locator('.monaco-list-row', { has: this.#exactly('.label-name', name) });
  }

  /** Waits until the row's description says so. */
  async rowSays(name: string, state: RegExp): Promise<void> {
    const description = this.page.locator('.label-description', { hasText: state });
    await this.row(name)
      .filter({ has: description })
      .waitFor({ timeout: patience * 3 });
  }

  /** Waits until the view knows what it has to show. */
  async rowsOrWelcome(): Promise<void> {
    const welcome = this.page.locator('.part.sidebar .welcome-view-content .monaco-button:visible');
    await this.sidebar.locator('.monaco-list-row').or(welcome).first().waitFor();
  }

  /** The button of the text that an empty view shows. */
  welcomeButton(label: string): Locator {
    return this.page.locator('.part.sidebar .welcome-view-content').locator(this.#exactly('.monaco-button', label));
  }

  /** Waits for a group and shows what is in it. */
  async unfold(group: string): Promise<void> {
    await this.row(group).waitFor();
    if ((await this.row(group).getAttribute('aria-expanded')) === 'false') await this.row(group).click();
  }

  /** Waits until `name` is in the trash, and shows it there. */
  async openTrash(name: string): Promise<void> {
    await this.unfold('Trash');
    await this.rowSays(name, /^until /);
  }

  /** Every row as `name` + tab + description, from top to bottom. */
  async rows(): Promise<string[]> {
    return this.sidebar.locator('.monaco-list-row').evaluateAll(rows =>
      rows.map(row => {
        const text = (selector: string) => row.querySelector(selector)?.textContent ?? '';
        return `${text('.label-name')}\t${text('.label-description')}`;
      }),
    );
  }

  /** Clicks one of the small buttons at the row's end. */
  async inlineAction(name: string, action: string): Promise<void> {
    await this.row(name).hover();
    await this.inlineButton(name, action).click();
  }

  inlineButton(name: string, action: string): Locator {
    return this.row(name).locator(`.actions .action-label[aria-label^="${action}"]`);
  }

  /** Right-clicks the row and chooses. */
  async contextAction(name: string, action: string): Promise<void> {
    await this.openContextMenu(name);
    const item = this.menu.locator('.action-item', { has: this.page.locator(`.action-label[aria-label="${action}"]`) });
    await item.hover();
    await item.and(this.page.locator('.focused')).waitFor();
    await this.page.keyboard.press('Enter');
    await this.menu.waitFor({ state: 'detached' });
  }

  async openContextMenu(name: string): Promise<void> {
    await this.row(name).click({ button: 'right' });
    await this.menu.waitFor();
    // It fades in, and a picture of it shall be readable. What spins has no end.
    const fading =
      'document.getAnimations().filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)';
    await this.page.evaluate(`Promise.all(${fading}.map(animation => animation.finished))`);
  }

  get menu(): Locator {
    return this.page.locator('.monaco-menu');
  }

  // palette and wizards

  /**
   * Runs a command by its full title, as the palette shows it. A window that is still starting may close the palette
   * again, or not know the command yet: then it is opened anew.
   */
  async command(title: string, page: Page = this.page): Promise<void> {
    const palette = page.locator('.quick-input-widget:visible');
    const line = palette.locator('.monaco-list-row', { has: this.#exactly('.label-name', title, page) }).first();
    const deadline = performance.now() + patience;
    for (let timeout = 1_000; ; timeout = 5_000) {
      try {
        await page.keyboard.press('F1');
        await palette.locator('input.input').fill(`>${title}`, { timeout });
        await line.click({ timeout });
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await page.keyboard.press('Escape');
      }
    }
  }

  get quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible');
  }

  get #input(): Locator {
    return this.quickInput.locator('input.input');
  }

  /** The line of the open pick that has exactly this label. */
  choice(label: string): Locator {
    return this.quickInput.locator('.quick-input-list .monaco-list-row', { has: this.#exactly('.label-name', label) });
  }

  /** Waits for the step with this title and chooses a line. */
  async pick(step: string, label: string): Promise<void> {
    await this.step(step);
    await this.choice(label).first().click();
  }

  /** Waits for the step with this title, types, and accepts. */
  async type(step: string, text: string): Promise<void> {
    await this.step(step);
    await this.#input.fill(text);
    await this.#input.press('Enter');
  }

  /** Waits until a step is open whose title, question or placeholder holds `text`. */
  async step(text: string): Promise<void> {
    await this.stepIsOpen(text).waitFor();
  }

  /** Visible while such a step is open. */
  stepIsOpen(text: string): Locator {
    const placeholder = this.page.locator(`input[placeholder*="${text}"]`);
    return this.quickInput.filter({ has: placeholder }).or(this.quickInput.filter({ hasText: text }));
  }

  /** Waits for the step and accepts what it proposes. */
  async accept(step: string): Promise<void> {
    await this.step(step);
    // By itself the step may not have the focus yet.
    await this.#input.press('Enter');
  }

  /** Chooses a color theme by its label. */
  async chooseTheme(label: string): Promise<void> {
    await this.command('Preferences: Color Theme');
    await this.step('Select Color Theme');
    await this.#input.fill(label);
    await this.choice(label).first().click();
  }

  async back(): Promise<void> {
    await this.quickInput.locator('.quick-input-left-action-bar .action-label').first().click();
  }

  // dialogs and notifications

  /** The modal box, once there is one. */
  get dialog(): Locator {
    return this.page.locator('.monaco-dialog-box');
  }

  /** What the modal says. */
  async dialogText(): Promise<string> {
    await this.dialog.waitFor();
    return (await this.dialog.locator('.dialog-message-container').textContent())?.trim() ?? '';
  }

  async dialogButton(label: string): Promise<void> {
    await this.dialog.locator(this.#exactly('.monaco-button', label)).click();
    await this.dialog.waitFor({ state: 'detached' });
  }

  /** The toast that holds `text`. */
  notification(text: string): Locator {
    return this.page.locator('.notification-toast', { hasText: text });
  }

  async notificationButton(text: string, label: string): Promise<void> {
    await this.notification(text).locator(this.#exactly('.monaco-button', label)).click();
  }

  async clearNotifications(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await this.page.locator('.notification-toast').first().waitFor({ state: 'detached' });
  }

  /** Runs `action` and answers with the browser tab that it opens, once that tab has a workbench. */
  async tabOpenedBy(action: () => Promise<void>): Promise<Page> {
    const [tab] = await Promise.all([this.context.waitForEvent('page', { timeout: patience * 3 }), action()]);
    tab.setDefaultTimeout(patience);
    await this.#loaded(tab);
    return tab;
  }

  /** Opens a terminal in a workbench's page and runs a command line in it. Trusts the folder when that is asked. */
  async runInTerminal(page: Page, line: string): Promise<void> {
    await this.command('Terminal: Create New Terminal', page);
    const trust = page.locator('.monaco-dialog-box .monaco-button', { hasText: 'Trust Folder' });
    // A panel that opens slowly makes a terminal of its own, beside ours, and lists both.
    const shell = page
      .locator('.part.panel :is(.single-terminal-tab, .terminal-tabs-entry)', { hasText: /sh$/ })
      .first();
    await trust.or(shell).first().waitFor();
    if (await trust.isVisible()) await trust.click();
    await shell.waitFor();
    await page.locator('.terminal-wrapper.active textarea.xterm-helper-textarea').focus();
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
  }

  /** Waits until the explorer of a workbench's page shows a file of this name. */
  async fileShows(page: Page, name: string): Promise<void> {
    await page.locator(`.explorer-folders-view .monaco-list-row[aria-label^="${name}"]`).waitFor();
  }

  // looks

  /** Writes `test/workbench/screenshots/<name>.png` of every tab, for whoever looks why a test failed. */
  async screenshotsOfAll(name: string): Promise<void> {
    for (const [index, page] of this.context.pages().entries()) await this.screenshot(`${name}-${index + 1}`, page);
  }

  /** Writes `test/workbench/screenshots/<name>.png`, for people to look at. */
  async screenshot(name: string, page: Page = this.page): Promise<void> {
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  }

  /** The sidebar alone; the README shows one of these. */
  async screenshotOfSidebar(name: string): Promise<void> {
    const { x = 0, y = 0, width = 0 } = (await this.page.locator('.part.sidebar').boundingBox()) ?? {};
    await this.page.screenshot({ path: path.join(screenshots, `${name}.png`), clip: { x, y, width, height: 190 } });
  }

  async resize(width: number, height = 800): Promise<void> {
    await this.page.setViewportSize({ width, height });
  }

  async #loaded(page: Page): Promise<void> {
    await page.locator('.monaco-workbench .statusbar').waitFor();
    await page.locator('.activitybar .action-item').first().waitFor();
  }

  #exactly(selector: string, text: string, page: Page = this.page): Locator {
    const pattern = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return page.locator(selector, { hasText: new RegExp(`^\\s*${pattern}\\s*$`) });
  }
}
