import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import * as path from 'node:path';

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Whether a swarm's state lies in a directory. */
export const holdsState = (directory: string) => exists(path.join(directory, 'swarm.json'));

/**
 * Moves a swarm's state while nobody uses it. Everything is copied before anything is removed, and `swarm.json`, which
 * makes a directory hold a state, comes first in `entries` and is moved last: what is cut off can be done again.
 */
export async function moveState(entries: readonly string[], from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  const present: string[] = [];
  for (const entry of entries) if (await exists(path.join(from, entry))) present.push(entry);
  const ordered = present.toReversed();
  for (const entry of ordered) {
    const target = path.join(to, entry);
    const copy = path.join(to, `.${entry}.moving`);
    await rm(copy, { recursive: true, force: true });
    await cp(path.join(from, entry), copy, { recursive: true, preserveTimestamps: true });
    await rm(target, { recursive: true, force: true });
    await rename(copy, target);
  }
  for (const entry of present) await rm(path.join(from, entry), { recursive: true, force: true });
}
