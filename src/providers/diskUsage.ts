import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import * as z from 'zod';
import type { InstanceStats } from '../model/provider.ts';

/** What the kernel tells of a file system, as `statfs` names it: counts of blocks, and a block's size in bytes. */
export const FileSystemFacts = z.object({
  blocks: z.number().min(0),
  bfree: z.number().min(0),
  bavail: z.number().min(0),
  bsize: z.number().min(1),
});
export type FileSystemFacts = z.infer<typeof FileSystemFacts>;

export type DiskUsage = Required<Pick<InstanceStats, 'diskUsedBytes' | 'diskTotalBytes'>>;

/** Pure: as `df` counts. What only root may fill is neither used nor there: a disk is full when nothing can be written. */
export function diskUsage({ blocks, bfree, bavail, bsize }: FileSystemFacts): DiskUsage {
  const used = blocks - bfree;
  return { diskUsedBytes: used * bsize, diskTotalBytes: (used + bavail) * bsize };
}

/** Bytes that may still be written below a folder of this machine; undefined when it is not there. */
export const freeBytesOf = (folder: string): Promise<number | undefined> =>
  statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );

/** Bytes that a folder of this machine takes with all that is in it; undefined when that can't be told. */
export const takenBytesOf = (folder: string, signal: AbortSignal): Promise<number | undefined> =>
  promisify(execFile)('du', ['-sk', folder], { signal }).then(
    ({ stdout }) => Number.parseInt(stdout, 10) * 1024,
    () => undefined,
  );
