import * as vscode from 'vscode';
import type { InstanceRecord } from '../model/instance.ts';
import { t } from './translate.ts';

/** How an instance's log is read: its last lines, then each line as it comes. */
export interface LogSource {
  tail(signal: AbortSignal): Promise<string[]>;
  follow(sink: (line: string) => void, signal: AbortSignal): Promise<void>;
}

interface Following {
  readonly channel: vscode.OutputChannel;
  readonly stop: AbortController;
  seen: boolean;
}

/** One output channel an instance whose log is looked at. Following ends when its channel is no longer on screen. */
export class InstanceLogChannels {
  readonly #channels = new Map<string, vscode.OutputChannel>();
  readonly #following = new Map<string, Following>();
  readonly #visibility: vscode.Disposable;

  constructor() {
    this.#visibility = vscode.window.onDidChangeVisibleTextEditors(editors => this.#stopHidden(editors));
  }

  /** Shows the log from its last lines on. Shown again, it begins anew, so that nothing is missing in between. */
  async show(record: InstanceRecord, source: LogSource): Promise<void> {
    this.#stop(record.id);
    const channel = this.#channelOf(record);
    channel.clear();
    channel.show(true);
    const following: Following = { channel, stop: new AbortController(), seen: false };
    this.#following.set(record.id, following);
    const { signal } = following.stop;
    for (const line of await source.tail(signal)) channel.appendLine(line);
    void source
      .follow(line => channel.appendLine(line), signal)
      .then(
        () => channel.appendLine(t('— the log ends here: the instance stopped, or was made anew —')),
        error => signal.aborted || channel.appendLine(t('— the log can no longer be followed: {0} —', String(error))),
      )
      .finally(() => this.#following.get(record.id) === following && this.#following.delete(record.id));
  }

  /** Drops the channels of instances that are gone. */
  keepOnly(exists: (instanceId: string) => boolean): void {
    for (const [id, channel] of this.#channels) {
      if (exists(id)) continue;
      this.#stop(id);
      channel.dispose();
      this.#channels.delete(id);
    }
  }

  dispose(): void {
    this.#visibility.dispose();
    this.keepOnly(() => false);
  }

  #channelOf(record: InstanceRecord): vscode.OutputChannel {
    const known = this.#channels.get(record.id);
    if (known) return known;
    const channel = vscode.window.createOutputChannel(`Remote Swarm: ${record.config.name}`, 'log');
    this.#channels.set(record.id, channel);
    return channel;
  }

  #stop(instanceId: string): void {
    this.#following.get(instanceId)?.stop.abort();
    this.#following.delete(instanceId);
  }

  /** A channel that was on screen and is not any more was closed, or another one was chosen. */
  #stopHidden(editors: readonly vscode.TextEditor[]): void {
    const shown = editors.map(({ document }) => document.uri).filter(({ scheme }) => scheme === 'output');
    for (const [id, following] of this.#following) {
      const visible = shown.some(uri => uri.path.endsWith(`-${following.channel.name}`));
      if (visible) following.seen = true;
      else if (following.seen) {
        this.#stop(id);
        following.channel.appendLine(t('— no longer followed: Show Instance Log reads on —'));
      }
    }
  }
}
