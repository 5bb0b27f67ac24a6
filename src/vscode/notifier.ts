import * as path from 'node:path';
import * as vscode from 'vscode';
import { isToClear, parkedAt } from '../core/migration/migrationSteps.ts';
import { untilDecided } from '../core/retention.ts';
import type { SwarmController } from '../core/swarmController.ts';
import { messageOf } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import type { Migration } from '../model/migration.ts';
import { ClaimNotice } from './claimNotice.ts';
import type { Face } from './face.ts';
import { type Notice, noticeOf } from './healthNotices.ts';
import { healthRowId } from './healthTree.ts';
import { migrationRowId } from './migrationsView.ts';
import { NoticeBook } from './noticeBook.ts';
import { ownerName } from './rowTexts.ts';
import { plain, showError } from './showError.ts';
import { t } from './translate.ts';

interface NextStep {
  readonly label: string;
  take(): Promise<unknown>;
}

/** What a person is told once: two events of a kind differ in `since`. */
interface Telling {
  readonly instanceId: string;
  readonly kind: string;
  readonly since: string;
  readonly isError: boolean;
  readonly text: string;
  /** The one that mends it first, then what helps to understand. */
  readonly steps: readonly NextStep[];
}

/** Tells a person what needs one: once an event, and only in the window that is looked at. */
export class Notifier {
  readonly #face: Face;
  readonly #book: NoticeBook;
  readonly #focus: vscode.Disposable;
  readonly #claim = new ClaimNotice();
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
    this.#claim.tell(controller.claim.hindrance);
    for (const telling of [
      ...this.#ofHealth(controller),
      ...this.#ofOldCopies(controller),
      ...ofAdoptedAway(controller),
    ]) {
      const event = `${telling.instanceId} ${telling.kind}`;
      if (this.#known.get(event) === telling.since) continue;
      this.#known.set(event, telling.since);
      this.#tellOnce(telling).catch(error => this.#face.log.warn(messageOf(error)));
    }
  }

  dispose(): void {
    this.#focus.dispose();
  }

  async #tellOnce(telling: Telling): Promise<void> {
    if (!(await this.#book.claim(telling.instanceId, telling))) return;
    const { isError, steps } = telling;
    const text = plain(telling.text);
    const labels = steps.map(({ label }) => label);
    const chosen = await (isError
      ? vscode.window.showErrorMessage(text, ...labels)
      : vscode.window.showWarningMessage(text, ...labels));
    await steps
      .find(({ label }) => label === chosen)
      ?.take()
      .catch(error => showError(error, this.#face.log));
  }

  #ofHealth({ health, registry }: SwarmController): Telling[] {
    return health.list().flatMap(each => {
      const notice = noticeOf(each);
      const record = registry.getInstance(each.id);
      if (!notice || !record) return [];
      const { kind, since } = notice;
      const text = noticeText(record.config.name, notice);
      const steps = this.#healthSteps(record, notice);
      return [{ instanceId: record.id, kind, since, isError: kind === 'crash-loop', text, steps }];
    });
  }

  #healthSteps(record: InstanceRecord, { kind, needsMemory }: Notice): NextStep[] {
    const run = (command: string) => runOn(command, healthRowId(record.id));
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

  /** Copies of what was failed over, whose provider has come back (semantics 27). */
  #ofOldCopies({ migrations, providers }: SwarmController): Telling[] {
    return migrations
      .listMigrations()
      .filter(({ parkedUntil }) => parkedUntil === untilDecided)
      .filter(migration => !isToClear(migration) && providers.condition(parkedAt(migration))?.reachable)
      .map(migration => ({
        // An instance may have several, and the last event of a kind is all that is remembered.
        ...{ instanceId: migration.instanceId, kind: `old-copy-${migration.id}` },
        ...{ since: migration.createdAt, isError: false },
        text: oldCopyText(migration),
        steps: [
          { label: t('Show What Differs'), take: runOn('compareParkedCopy', migrationRowId(migration.id)) },
          { label: t('Roll Back'), take: runOn('rollBackMigration', migrationRowId(migration.id)) },
          { label: t('Clean Up Source'), take: runOn('cleanUpMigration', migrationRowId(migration.id)) },
        ],
      }));
  }
}

/** What another swarm has adopted: nothing can be done to it here any more (semantics 40). */
function ofAdoptedAway({ registry }: SwarmController): Telling[] {
  return registry.listInstances().flatMap(({ id, config, overruled, statusSince }) => {
    if (overruled?.by !== 'another') return [];
    const { owner, adoptedAt = statusSince } = overruled;
    const text = t(
      '{0} was adopted by {1}: nothing is done to it here any more. Your snapshots of it stay.',
      config.name,
      ownerName(owner),
    );
    const steps = [
      { label: t('Restore Snapshot…'), take: runOn('restoreSnapshot', id) },
      { label: t('Forget…'), take: runOn('forget', id) },
    ];
    return [{ instanceId: id, kind: 'adopted-away', since: adoptedAt, isError: false, text, steps }];
  });
}

const runOn = (command: string, row: string) => async () =>
  vscode.commands.executeCommand(`remoteSwarm.${command}`, row);

const oldCopyText = ({ instanceName, sourceProviderId, targetProviderId }: Migration) =>
  t(
    '{0} lives on {1}. Its old copy on {2} is stopped and kept there, with what was written into it last.',
    instanceName,
    targetProviderId,
    sourceProviderId,
  );

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
