import * as fs from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod';
import { stateUnavailable } from '../model/errors.ts';
import { unlessInUseSync } from './fileInUse.ts';

/** What `moving-from.json` in the new directory holds as long as not everything is there: no identity is made beside it. */
export const MoveMarker = z.strictObject({
  from: z.string().min(1),
  /** What was brought from there up to now, or is about to be put in its place. */
  copied: z.array(z.string()),
});
export type MoveMarker = z.infer<typeof MoveMarker>;

export const markerOf = (directory: string) => path.join(directory, 'moving-from.json');

/** Where an entry lies while it is on its way. */
export const copyOf = (directory: string, entry: string) => path.join(directory, `.${entry}.moving`);

export function readMarker(directory: string): MoveMarker | undefined {
  const file = markerOf(directory);
  if (!fs.existsSync(file)) return undefined;
  try {
    return MoveMarker.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch (error) {
    throw stateUnavailable(file, error);
  }
}

export function writeMarker(directory: string, marker: MoveMarker): void {
  const draft = `${markerOf(directory)}.tmp`;
  fs.writeFileSync(draft, `${JSON.stringify(marker)}\n`, { mode: 0o600, flush: true });
  unlessInUseSync(() => fs.renameSync(draft, markerOf(directory)));
}
