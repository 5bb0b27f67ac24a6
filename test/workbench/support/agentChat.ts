import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Workbench } from './workbench.ts';

/** The folder of the extension that brings the scripted model. */
export const fakeModel = `${import.meta.dirname}/../fakeModel`;

/** One tool call of a script; `$id:<name>` in the input stands for the id that a result gave, `$move:<name>` for its migration's. */
export interface Step {
  readonly tool: string;
  readonly input: unknown;
}

interface Entry {
  readonly name: string;
  readonly step?: number;
  readonly result?: string;
  readonly end?: boolean;
}

/** The chat in agent mode, with a model that follows scripts written to `file`. */
export class AgentChat {
  readonly #workbench: Workbench;
  readonly #file: string;

  constructor(workbench: Workbench, file: string) {
    this.#workbench = workbench;
    this.#file = file;
  }

  /** Environment of the editor server in which the scripted model reads `file`. */
  static environment = (file: string) => ({ SCRIPTED_MODEL: file });

  /** Starts a chat in which the model makes these calls, one after the other. */
  async start(name: string, steps: readonly Step[]): Promise<void> {
    await writeFile(this.#file, JSON.stringify({ [name]: steps }));
    await this.#workbench.command('Scripted Model: Run Script');
    await this.#workbench.type('Which script?', name);
  }

  /** What the model got back from its calls in that chat, in order; JSON where it is JSON. */
  results(name: string): unknown[] {
    return this.#entries(name).flatMap(({ result }) => (result === undefined ? [] : [parsed(result)]));
  }

  /** Whether all calls were made and answered. */
  isDone(name: string): boolean {
    return this.#entries(name).some(({ end }) => end);
  }

  /** Presses a button of the confirmation that the chat shows. */
  async confirm(label: string): Promise<void> {
    const button = this.#workbench.page.locator('.interactive-session .monaco-button:visible', { hasText: label });
    await button.first().click();
  }

  #entries(name: string): Entry[] {
    const file = `${this.#file}.log`;
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    return lines.map(line => JSON.parse(line) as Entry).filter(entry => entry.name === name);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
