import * as vscode from 'vscode';
import type { SwarmConfig } from '../model/config.ts';
import { configFrom } from './configFrom.ts';
import { settingsTable } from './settingsTable.ts';
import { plain } from './showError.ts';
import { t } from './translate.ts';

/** The settings, checked: an invalid one is said by name, and its default holds. */
export class Settings {
  readonly #log: vscode.LogOutputChannel;
  readonly #subscription: vscode.Disposable;
  #current: SwarmConfig | undefined;

  /** `changed` is told which settings differ, and whether the swarm has to be built anew for them. */
  constructor(log: vscode.LogOutputChannel, changed: (keys: readonly string[], reload: boolean) => void) {
    this.#log = log;
    this.#subscription = vscode.workspace.onDidChangeConfiguration(event => {
      const rows = settingsTable.filter(({ key }) => event.affectsConfiguration(key));
      if (rows.length === 0) return;
      this.#current = undefined;
      this.current();
      changed(
        rows.map(({ key }) => key),
        rows.some(({ takesEffect }) => takesEffect === 'reload'),
      );
    });
  }

  /** The settings as they are now. */
  current(): SwarmConfig {
    if (this.#current) return this.#current;
    const configuration = vscode.workspace.getConfiguration('remoteSwarm');
    const { config, problems } = configFrom(field => configuration.get(field));
    this.#current = config;
    if (problems.length > 0) void this.#complain(problems);
    return config;
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  async #complain(problems: readonly { key: string; problem: string }[]): Promise<void> {
    for (const { key, problem } of problems) this.#log.warn(`${key}: ${problem}; its default is used`);
    const [first] = problems;
    const open = t('Open Settings');
    const text = t(
      'The setting {0} cannot be used: {1}. Its default is used instead.',
      first?.key ?? '',
      first?.problem ?? '',
    );
    if ((await vscode.window.showWarningMessage(plain(text), open)) === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', first?.key ?? 'remoteSwarm');
    }
  }
}
