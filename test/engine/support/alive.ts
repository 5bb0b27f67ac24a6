import { readFileSync } from 'node:fs';

/** Whether a process runs; one that has ended, and only waits to be noticed, does not. */
export function alive(pid: number): boolean {
  try {
    return pid > 0 && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
