import * as vscode from 'vscode';
import type { OperationContext } from '../model/operationContext.ts';

/** Where the editor's ways of cancelling and showing progress become those of the layers below. */
export function contextOf(
  token?: vscode.CancellationToken,
  progress?: vscode.Progress<{ message?: string; increment?: number }>,
): OperationContext {
  const controller = new AbortController();
  // AbortError is what isAbort knows; the subscription ends with the token's own life.
  if (token?.isCancellationRequested) controller.abort();
  token?.onCancellationRequested(() => controller.abort());
  let shown = 0;
  return {
    signal: controller.signal,
    report: (message, fraction) => {
      const percent = fraction === undefined ? shown : Math.max(shown, Math.min(100, fraction * 100));
      progress?.report({ message, ...(percent > shown && { increment: percent - shown }) });
      shown = percent;
    },
  };
}

/** Where progress shows: in the view whose rows show it anyway, else in a notification that can be cancelled. */
export type Place = 'view' | 'health' | 'migrations' | 'notification';

const views = {
  view: 'remoteSwarm.instances',
  health: 'remoteSwarm.health',
  migrations: 'remoteSwarm.migrations',
} as const;

/** Runs what may take longer than a second. */
export function withProgress<T>(place: Place, title: string, work: (ctx: OperationContext) => Promise<T>): Promise<T> {
  const location = place === 'notification' ? vscode.ProgressLocation.Notification : { viewId: views[place] };
  const options = { location, title, cancellable: place === 'notification' };
  return Promise.resolve(vscode.window.withProgress(options, (progress, token) => work(contextOf(token, progress))));
}
