import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

/** A temporary folder and a home as few have them: each character of the name is special to something. */
export const oddFolder = path.join(tmpdir(), `odd-${process.pid}`, 'ü Büro [1]');

export function setup(): () => void {
  mkdirSync(oddFolder, { recursive: true });
  return () => rmSync(path.dirname(oddFolder), { recursive: true, force: true });
}
