import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';

// A small file that several windows write. The calls are synchronous, so that between a look and what follows from it
// lies nothing but the next system call.

/** Removes the file if it still holds this text, and nothing that was put in its place (semantics 44). */
export function removeRevision(file: string, text: string): void {
  if (textOf(file) !== text) return;
  const aside = `${file}.${randomUUID()}`;
  fs.renameSync(file, aside);
  // Another may have been put there between our look and our rename.
  if (textOf(aside) !== text) fs.linkSync(aside, file);
  fs.unlinkSync(aside);
}

/** Gives the file another text if it still holds this one; answers whether it did. */
export function replaceRevision(file: string, text: string, next: string): boolean {
  const draft = `${file}.${randomUUID()}`;
  fs.writeFileSync(draft, next, { mode: 0o600, flush: true });
  const isSame = textOf(file) === text;
  if (isSame) fs.renameSync(draft, file);
  else fs.unlinkSync(draft);
  return isSame;
}

/** Undefined when it is not there. */
function textOf(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
