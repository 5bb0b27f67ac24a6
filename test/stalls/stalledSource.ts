import { globSync } from 'node:fs';
import * as path from 'node:path';
import { awaitPointsOf } from './awaitPoints.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

/** The files in which a window may be stopped: all of the core, which acts on instances, and the archive of homes. */
export const stalledFiles: readonly string[] = [
  ...globSync('src/core/**/*.ts', { cwd: root }).map(file => file.replaceAll('\\', '/')),
  'src/storage/fileHomeArchive.ts',
];

/** The code of such a file with each wait told; undefined for any other one. */
export function stalledSource(file: string, code: string): string | undefined {
  if (!stalledFiles.includes(file)) return undefined;
  const told = awaitPointsOf(file, code);
  const runtime = JSON.stringify(path.join(import.meta.dirname, 'stalled.ts'));
  return told.points.length === 0 ? undefined : `import * as __stalls from ${runtime}; ${told.code}`;
}
