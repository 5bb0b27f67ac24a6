import { type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs';
import type { Disposable } from '../model/event.ts';

/** Milliseconds in which events are gathered before they are told. */
const gather = 50;

/**
 * Tells which names in a folder changed, or undefined for "any of them". The folder must exist. Where the system has no
 * watch left to give (Linux: `fs.inotify.max_user_watches`), the folder's own time is looked at twice a second instead,
 * which sees files that were made, replaced and removed, and not what is written in place.
 */
export function watchDirectory(directory: string, changed: (names: readonly string[] | undefined) => void): Disposable {
  let names: Set<string> | undefined = new Set();
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;

  const notice = (name: string | null) => {
    if (name === null) names = undefined;
    else names?.add(name);
    timer ??= setTimeout(() => {
      const told = names && [...names];
      names = new Set();
      timer = undefined;
      changed(told);
    }, gather);
  };
  const look = () => notice(null);
  const fallBack = () => void watchFile(directory, { interval: 500, persistent: false }, look);

  try {
    watcher = watch(directory, { persistent: false }, (_, name) => notice(name));
    watcher.on('error', () => {
      watcher?.close();
      fallBack();
    });
  } catch {
    fallBack();
  }
  return {
    dispose: () => {
      watcher?.close();
      unwatchFile(directory, look);
      clearTimeout(timer);
    },
  };
}
