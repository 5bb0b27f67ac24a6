import { SwarmError } from '../model/errors.ts';

const fullOrBroken = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** Whether the disk refused something in a folder; what is written to an open file names no path. */
export function isRefusedBelow(directory: string, error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof SwarmError) return false;
  const { path: at, code = '' } = error as NodeJS.ErrnoException;
  return at === undefined ? fullOrBroken.has(code) : at.startsWith(directory);
}
