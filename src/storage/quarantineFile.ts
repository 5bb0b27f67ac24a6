import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import * as path from 'node:path';
import { unlessInUse } from './fileInUse.ts';

/**
 * Moves a file that cannot be read to `quarantine/` beside it, unchanged, under a name of its own; nothing there is ever
 * deleted or overwritten (semantics 29). Answers where it lies now. The caller holds the file's lock.
 */
export async function quarantineFile(file: string): Promise<string> {
  const { dir, name, ext } = path.parse(file);
  const directory = path.join(dir, 'quarantine');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const target = path.join(directory, `${name}.${randomUUID()}${ext}`);
  await unlessInUse(() => rename(file, target));
  return target;
}
