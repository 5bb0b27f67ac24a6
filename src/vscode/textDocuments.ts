import * as vscode from 'vscode';
import { t } from './translate.ts';

const scheme = 'remote-swarm';

/** Texts of ours in editors: those that are only read, such as the audit log, and those to create an instance from. */
export class TextDocuments implements vscode.TextDocumentContentProvider {
  readonly #texts = new Map<string, string>();
  readonly #templates = new Set<string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registrations: vscode.Disposable;
  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registrations = vscode.Disposable.from(
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      vscode.workspace.onDidCloseTextDocument(document => this.#forget(document)),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.path) ?? t('This text is of an earlier session. Run the command again to have it anew.');
  }

  /** Shows `text` under `name`, in place of what was shown under it before. */
  async show(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme, path: `/${name}` });
    this.#texts.set(uri.path, text);
    this.#changed.fire(uri);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
  }

  /** Shows Markdown under `name`, rendered; as text where VS Code has no preview. */
  async showMarkdown(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme, path: `/${name}.md` });
    this.#texts.set(uri.path, text);
    this.#changed.fire(uri);
    try {
      await vscode.commands.executeCommand('markdown.showPreview', uri);
    } catch {
      await this.show(`${name}.md`, text);
    }
  }

  /** From now on the title of the document's editor offers to create an instance from it. */
  async noteTemplate({ uri }: vscode.TextDocument): Promise<void> {
    this.#templates.add(uri.toString());
    await vscode.commands.executeCommand('setContext', 'remoteSwarm.templates', [...this.#templates]);
  }

  #forget({ uri }: vscode.TextDocument): void {
    if (uri.scheme === scheme) this.#texts.delete(uri.path);
    this.#templates.delete(uri.toString());
  }

  dispose(): void {
    this.#registrations.dispose();
  }
}
