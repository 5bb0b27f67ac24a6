import { mkdir, open, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';

/** What persons were told already, in a folder that all windows share: an empty file for the last event of each kind. */
export class NoticeBook {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** True for one caller an event, in whatever window; who gets it tells the person. */
  async claim(
    instanceId: string,
    { kind, since }: { readonly kind: string; readonly since: string },
  ): Promise<boolean> {
    const prefix = `${instanceId}.${kind}.`;
    const name = `${prefix}${Date.parse(since)}`;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    try {
      await (await open(path.join(this.#directory, name), 'wx', 0o600)).close();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    }
    const older = (await readdir(this.#directory)).filter(other => other.startsWith(prefix) && other !== name);
    for (const other of older) await rm(path.join(this.#directory, other), { force: true });
    return true;
  }
}
