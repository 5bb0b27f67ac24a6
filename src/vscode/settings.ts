import * as vscode from 'vscode';
import type { WebSettings } from '../model/webSettings.ts';
import { configFrom, type ReadSettings, type SettingProblem } from './configFrom.ts';
import { settingsTable } from './settingsTable.ts';
import { plain } from './showError.ts';
import { t } from './translate.ts';

/** The editor's own settings of the way to the web. */
export function readWebSettings(): WebSettings {
  const http = vscode.workspace.getConfiguration('http');
  return {
    proxy: http.get<string>('proxy') ?? '',
    noProxy: http.get<string[]>('noProxy') ?? [],
    strictSsl: http.get<boolean>('proxyStrictSSL') ?? true,
  };
}

/** The settings, checked: what is wrong is said by name, and has its default or is left out. */
export class Settings {
  readonly #log: vscode.LogOutputChannel;
  readonly #subscription: vscode.Disposable;
  #current: ReadSettings | undefined;

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
  current(): ReadSettings {
    if (this.#current) return this.#current;
    const configuration = vscode.workspace.getConfiguration('remoteSwarm');
    this.#current = configFrom(field => configuration.get(field));
    const [first] = this.#current.problems;
    if (first) void this.#complain(first, this.#current.problems);
    return this.#current;
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  async #complain({ key, problem }: SettingProblem, problems: readonly SettingProblem[]): Promise<void> {
    for (const each of problems)
      this.#log.warn(`${each.key}: ${each.problem}; that is left out, or has its default or strictest value`);
    const open = t('Open Settings');
    const text = t(
      'The setting {0} is not valid: {1}. What is wrong in it is left out, or has its default or strictest value, until it is corrected.',
      key,
      problem,
    );
    if ((await vscode.window.showWarningMessage(plain(text), open)) === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', key);
    }
  }
}
