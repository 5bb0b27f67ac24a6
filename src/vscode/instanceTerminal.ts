import * as vscode from 'vscode';
import type { TerminalSize, TerminalSpec, TerminalStream } from '../model/provider.ts';
import { t } from './translate.ts';

/** A real terminal inside an instance, as its provider offers it. */
export function openTerminal(name: string, spec: TerminalSpec): vscode.Terminal {
  const iconPath = new vscode.ThemeIcon('vm-running');
  const terminal =
    spec.kind === 'process'
      ? vscode.window.createTerminal({
          name,
          iconPath,
          shellPath: spec.file,
          shellArgs: spec.args,
          // As text it would be a folder of the computer that a remote window is at, and the terminal would start there.
          cwd: vscode.Uri.file(spec.cwd),
          env: spec.env,
          isTransient: true,
        })
      : vscode.window.createTerminal({ name, iconPath, isTransient: true, pty: new StreamTerminal(spec.open) });
  terminal.show();
  return terminal;
}

/** Joins a provider's byte stream to the editor's terminal. */
class StreamTerminal implements vscode.Pseudoterminal {
  readonly #open: (size: TerminalSize) => Promise<TerminalStream>;
  readonly #write = new vscode.EventEmitter<string>();
  readonly #close = new vscode.EventEmitter<number | undefined>();
  readonly onDidWrite = this.#write.event;
  readonly onDidClose = this.#close.event;
  #stream: TerminalStream | undefined;
  #size: TerminalSize = { columns: 80, rows: 24 };
  #closed = false;
  /** Keys typed before the connection stands. */
  #typed = '';

  constructor(open: (size: TerminalSize) => Promise<TerminalStream>) {
    this.#open = open;
  }

  open(dimensions: vscode.TerminalDimensions | undefined): void {
    if (dimensions) this.#size = dimensions;
    void this.#connect();
  }

  handleInput(data: string): void {
    if (this.#stream) this.#stream.write(data);
    else this.#typed += data;
  }

  setDimensions(dimensions: vscode.TerminalDimensions): void {
    this.#size = dimensions;
    this.#stream?.resize(dimensions);
  }

  close(): void {
    this.#closed = true;
    this.#stream?.dispose();
  }

  async #connect(): Promise<void> {
    try {
      const asked = this.#size;
      const stream = await this.#open(asked);
      if (this.#closed) return stream.dispose();
      this.#stream = stream;
      stream.onData(data => this.#write.fire(data));
      stream.onExit(exitCode => {
        if (exitCode === undefined) this.#write.fire(`\r\n${t('The connection to the instance was lost.')}\r\n`);
        this.#close.fire(exitCode);
      });
      if (this.#size !== asked) stream.resize(this.#size);
      if (this.#typed !== '') stream.write(this.#typed);
    } catch (error) {
      this.#write.fire(`${error instanceof Error ? error.message : String(error)}\r\n`);
      this.#close.fire(1);
    }
  }
}
