import * as path from 'node:path';
import * as vscode from 'vscode';
import { messageOf } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { Face } from './face.ts';
import { type Notice, noticeOf } from './healthNotices.ts';
import { healthRowId } from './healthTree.ts';
import { NoticeBook } from './noticeBook.ts';
import { plain, showError } from './showError.ts';
import { t } from './translate.ts';

interface NextStep {
  readonly label: string;
  take(): Promise<unknown>;
}

/** Tells a person what needs one: once an event, and only in the window that is looked at. */
export class HealthNotifier {
  readonly #face: Face;
  readonly #book: NoticeBook;
  readonly #focus: vscode.Disposable;
  /** What this window has told, or knows that another one has. */
  readonly #known = new Map<string, string>();

  constructor(face: Face) {
    this.#face = face;
    this.#book = new NoticeBook(path.join(face.context.globalStorageUri.fsPath, 'notices'));
    this.#focus = vscode.window.onDidChangeWindowState(() => this.tell());
  }

  /** Tells what there is to tell; to be called when something may have changed. */
  tell(): void {
    const controller = this.#face.host.ready?.controller;
    if (!controller || !vscode.window.state.focused) return;
    for (const health of controller.health.list()) {
      const notice = noticeOf(health);
      const record = controller.registry.getInstance(health.id);
      if (!notice || !record || this.#known.get(`${health.id} ${notice.kind}`) === notice.since) continue;
      this.#known.set(`${health.id} ${notice.kind}`, notice.since);
      this.#tellOnce(record, notice).catch(error => this.#face.log.warn(messageOf(error)));
    }
  }

  dispose(): void {
    this.#focus.dispose();
  }

  async #tellOnce(record: InstanceRecord, notice: Notice): Promise<void> {
    if (!(await this.#book.claim(record.id, notice))) return;
    const steps = this.#nextSteps(record, notice);
    const text = plain(noticeText(record.config.name, notice));
    const labels = steps.map(({ label }) => label);
    const chosen = await (notice.kind === 'crash-loop'
      ? vscode.window.showErrorMessage(text, ...labels)
      : vscode.window.showWarningMessage(text, ...labels));
    await steps
      .find(({ label }) => label === chosen)
      ?.take()
      .catch(error => showError(error, this.#face.log));
  }

  /** The step that mends it first, then what helps to understand. */
  #nextSteps(record: InstanceRecord, { kind, needsMemory }: Notice): NextStep[] {
    const run = (command: string) => async () =>
      vscode.commands.executeCommand(`remoteSwarm.${command}`, healthRowId(record.id));
    const limits = this.#face.host.ready?.controller.providers.find(record.providerId)?.abilities.limits ?? false;
    const editSize = async () => (await import('./commands/edit.ts')).editSize(this.#face, record);
    return [
      ...(needsMemory && limits ? [{ label: t('Edit Size'), take: editSize }] : []),
      ...(kind === 'crash-loop' ? [{ label: t('Recover…'), take: run('recover') }] : []),
      ...(kind === 'disk-full' ? [{ label: t('Open Terminal'), take: run('openTerminal') }] : []),
      { label: t('Explain'), take: run('explainHealth') },
      { label: t('Show Log'), take: run('showLogs') },
    ];
  }
}

function noticeText(name: string, { kind, reason }: Notice): string {
  switch (kind) {
    case 'crash-loop':
      return t('{0} is not recovered any more. {1}', name, reason);
    case 'out-of-memory':
      return t('{0} runs out of memory again and again. A bigger size would help.', name);
    case 'disk-full':
      return t('{0} has no room left. {1}', name, reason);
  }
}
