import { renameSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { unlessInUse } from './fileInUse.ts';

/**
 * Gives `file` the content `text`, at once or not at all: written to `temporary` (same file system, must not exist),
 * flushed, renamed; then the folder is flushed too. Mode 0600. `check` runs right before the rename, in the same turn
 * of the event loop, at each try; when it throws, nothing was changed (semantics 30). write-file-atomic has no place for
 * it.
 */
export async function replaceFile(file: string, text: string, temporary: string, check: () => void): Promise<void> {
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await unlessInUse(() => {
      check();
      renameSync(temporary, file);
    });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushDirectory(path.dirname(file));
}

/** Makes the names in a folder durable. Never rejects: Windows and some file systems cannot flush a folder. */
export async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
