import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import type { Disposable } from '../../model/event.ts';

/**
 * Wakes when an instance's folder comes, goes or is renamed, and when something in its reserved part changes, whichever
 * window did it. `undefined` means that the watch itself was lost. Asks nothing by the clock.
 */
export class FolderWatch implements Disposable {
  readonly #directory: string;
  readonly #wake: (instanceId: string | undefined) => void;
  readonly #reserved = new Map<string, FSWatcher>();
  #root: FSWatcher | undefined;
  #disposed = false;

  /** Makes the directory when it is not there. Never throws: a watch that can't be had is lost at once. */
  constructor(directory: string, wake: (instanceId: string | undefined) => void) {
    this.#directory = directory;
    this.#wake = wake;
    const lost = () => {
      if (!this.#disposed) this.#wake(undefined);
    };
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#root = watch(directory, (_, name) => {
        if (name !== null) this.#noticed(name);
      });
      this.#root.on('error', lost);
    } catch {
      queueMicrotask(lost);
      return;
    }
    void readdir(directory).then(names => {
      for (const name of names) this.#follow(name);
    }, lost);
  }

  dispose(): void {
    this.#disposed = true;
    this.#root?.close();
    for (const watcher of this.#reserved.values()) watcher.close();
    this.#reserved.clear();
  }

  #noticed(name: string): void {
    const id = instanceOf(name);
    if (id === undefined) return;
    this.#forget(name);
    this.#follow(name);
    this.#wake(id);
  }

  #follow(name: string): void {
    const id = instanceOf(name);
    if (id === undefined || this.#disposed || this.#reserved.has(name)) return;
    try {
      const watcher = watch(path.join(this.#directory, name, 'reserved'), (_, file) => {
        // The log is written all the time, and drafts are renamed into place.
        if (file === 'process.json' || file === 'exit.json' || file === 'instance.json') this.#wake(id);
      });
      watcher.on('error', () => this.#forget(name));
      this.#reserved.set(name, watcher);
    } catch {
      // It went away again, or is no instance.
    }
  }

  #forget(name: string): void {
    this.#reserved.get(name)?.close();
    this.#reserved.delete(name);
  }
}

const instanceOf = (name: string) => /^([a-z0-9]{12})--[a-z]+$/.exec(name)?.[1];
