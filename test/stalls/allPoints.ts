import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { type AwaitPoint, awaitPointsOf } from './awaitPoints.ts';
import { stalledFiles } from './stalledSource.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

/** Every point at which a window may be stopped. */
export const allPoints: readonly AwaitPoint[] = stalledFiles.flatMap(
  file => awaitPointsOf(file, readFileSync(path.join(root, file), 'utf8')).points,
);

/** The id of the first one that begins so. */
export function pointAt(beginning: string): string {
  const point = allPoints.find(({ id }) => id.startsWith(beginning));
  if (!point) throw new Error(`Nothing waits at ${beginning}.`);
  return point.id;
}
