import type { FrameLocator, Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** What a person does in the view *Health* and in its panel. */
export class HealthSteps {
  readonly #workbench: Workbench;

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  get view(): Locator {
    const { page } = this.#workbench;
    return page.locator('.part.sidebar .pane', { has: page.locator('.pane-header', { hasText: /^\s*Health/ }) });
  }

  /** The row whose name is `name`: an instance, or one of the rows below it. */
  row(name: string): Locator {
    const label = this.#workbench.page.locator('.label-name', { hasText: new RegExp(`^\\s*${name}\\s*$`) });
    return this.view.locator('.monaco-list-row', { has: label });
  }

  /** Waits until the row's description says so. */
  async rowSays(name: string, state: RegExp): Promise<void> {
    const description = this.#workbench.page.locator('.label-description', { hasText: state });
    await this.row(name).filter({ has: description }).first().waitFor({ timeout: 120_000 });
  }

  /** Every description that the row has from now on, as it comes. */
  async watchRow(name: string): Promise<() => Promise<string[]>> {
    const { page } = this.#workbench;
    await page.evaluate(`(() => {
      const texts = (window.watchedTexts = []);
      const look = () => {
        for (const row of document.querySelectorAll('.part.sidebar .monaco-list-row[aria-level="1"]')) {
          const pane = row.closest('.pane')?.querySelector('.pane-header')?.textContent ?? '';
          if (!/^\\s*Health/.test(pane) || row.querySelector('.label-name')?.textContent?.trim() !== ${JSON.stringify(name)}) continue;
          const text = row.querySelector('.label-description')?.textContent ?? '';
          if (text !== '' && texts.at(-1) !== text) texts.push(text);
        }
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
      look();
    })()`);
    return () => page.evaluate('window.watchedTexts');
  }

  async unfold(name: string): Promise<void> {
    const row = this.row(name).first();
    if ((await row.getAttribute('aria-expanded')) === 'false') await row.locator('.monaco-tl-twistie').click();
    await this.row('Connectivity').first().waitFor();
  }

  /** Points at the row until its tooltip holds `text`. */
  async hover(name: string, text: string): Promise<void> {
    const { page } = this.#workbench;
    await page.mouse.move(800, 300);
    await page.locator('.workbench-hover').first().waitFor({ state: 'detached' });
    await this.row(name).hover();
    await page.locator('.workbench-hover', { hasText: text }).waitFor();
  }

  async inlineAction(name: string, action: string): Promise<void> {
    await this.row(name).hover();
    await this.row(name).locator(`.actions .action-label[aria-label^="${action}"]`).click();
  }

  /** Right-clicks the row and chooses. */
  async contextAction(name: string, action: string): Promise<void> {
    const { menu, page } = this.#workbench;
    await this.row(name).click({ button: 'right' });
    await menu.waitFor();
    const item = menu.locator('.action-item', { has: page.locator(`.action-label[aria-label="${action}"]`) });
    await item.hover();
    await item.and(page.locator('.focused')).waitFor();
    await page.keyboard.press('Enter');
    await menu.waitFor({ state: 'detached' });
  }

  /** The page inside the panel. */
  get panel(): FrameLocator {
    return this.#workbench.page.frameLocator('iframe.webview.ready').frameLocator('#active-frame');
  }
}
