import { lstat, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import * as path from 'node:path';
import * as z from 'zod';
import { editorServerVersion } from './editorServer.ts';

/** What lies in the folder of an installed editor server, beside which nothing else is known to belong there. */
const InstalledMark = z.object({
  version: z.literal(editorServerVersion),
  platform: z.string(),
  /** What else was in the folder, and its size; releases before did not note it. */
  files: z.int().optional(),
  bytes: z.int().optional(),
});

/** The last thing that an installation writes. */
export async function markAsInstalled(file: string, platform: string): Promise<void> {
  const mark: z.infer<typeof InstalledMark> = { version: editorServerVersion, platform, ...(await sizeBeside(file)) };
  await writeFile(file, `${JSON.stringify(mark)}\n`);
}

/**
 * Whether all that was installed is still there: a machine that lost its power may have kept the names of files, and not
 * what was in them. Looked at once after each start of the machine, which is what the mark's own time tells.
 */
export async function isWhole(file: string): Promise<boolean> {
  try {
    const { files, bytes } = InstalledMark.parse(JSON.parse(await readFile(file, 'utf8')));
    const { mtimeMs } = await lstat(file);
    if (files === undefined || mtimeMs > Date.now() - uptime() * 1_000) return true;
    const found = await sizeBeside(file);
    if (found.files !== files || found.bytes !== bytes) return false;
    await utimes(file, new Date(), new Date());
    return true;
  } catch {
    return false;
  }
}

/** How many files there are in the mark's folder but itself, and how large they are together. */
async function sizeBeside(mark: string): Promise<{ files: number; bytes: number }> {
  const rows = await readdir(path.dirname(mark), { recursive: true, withFileTypes: true });
  const names = rows.filter(row => row.isFile()).map(row => path.join(row.parentPath, row.name));
  const sizes = await Promise.all(names.filter(name => name !== mark).map(async name => (await lstat(name)).size));
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
