import type { Locator } from 'playwright-core';
import { expect } from 'vitest';
import type { Workbench } from './workbench.ts';

/** What a person does with migrations, and sees of them in their view. */
export class MigrationSteps {
  readonly #workbench: Workbench;

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  /** Shows the view, which is folded until somebody wants it. */
  async open(): Promise<void> {
    await this.#workbench.openView();
    await this.#workbench.command('Remote Swarm: Show Migrations');
  }

  /** The youngest migration of the instance. */
  row(name: string): Locator {
    const { page } = this.#workbench;
    const view = page.locator('.part.sidebar .pane', {
      has: page.locator('.pane-header', { hasText: /^\s*Migrations/ }),
    });
    const label = page.locator('.label-name', { hasText: new RegExp(`^\\s*${name}\\s*$`) });
    return view.locator('.monaco-list-row', { has: label }).first();
  }

  /** Waits until the row's description says so. */
  async says(name: string, text: RegExp): Promise<void> {
    const description = this.#workbench.page.locator('.label-description', { hasText: text });
    await this.row(name).filter({ has: description }).waitFor();
  }

  /** How many megabytes the row says are copied; 0 when it does not say. */
  async megabytes(name: string): Promise<number> {
    const said = await this.row(name).locator('.label-description').textContent();
    return Number(/copying ([\d.]+) MB of/.exec(said ?? '')?.[1] ?? 0);
  }

  /** From the menu of the instance's row to the migration that runs. */
  async choose(
    name: string,
    target: string,
    strategy: string,
    shot: (step: string) => Promise<void> = async () => {},
  ): Promise<void> {
    await this.#workbench.contextAction(name, 'Migrate…');
    await this.#workbench.step('Where shall it live?');
    await shot('2-targets');
    await this.#workbench.pick('Where shall it live?', target);
    await this.#workbench.step('How shall it move?');
    await shot('3-strategy');
    await this.#workbench.pick('How shall it move?', strategy);
    const plan = await this.#workbench.dialogText();
    for (const part of [/\d files will be copied/, /has .* free/, /will not run for about/]) expect(plan).toMatch(part);
    await shot('4-plan');
    await this.#workbench.dialogButton('Start Migration');
    await this.open();
  }
}
