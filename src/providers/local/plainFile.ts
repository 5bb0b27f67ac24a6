import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
const flags = { read: O_RDONLY, append: O_WRONLY | O_APPEND | O_CREAT };

/**
 * Opens what has to be a file: whoever works in the instance may have put a pipe there, whose opening may have no end.
 * Rejects with the system's error, or one that says what is there instead.
 */
export async function openPlainFile(file: string, to: 'read' | 'append' = 'read'): Promise<FileHandle> {
  const handle = await open(file, flags[to] | O_NONBLOCK, 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENXIO' ? noFile(file, error) : error;
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw noFile(file);
}

const noFile = (file: string, cause?: unknown) =>
  new Error(`${file} is no file; something in the instance has put something else there`, { cause });
