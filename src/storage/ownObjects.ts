import { readdir, realpath } from 'node:fs/promises';
import * as path from 'node:path';
import { between, type CopyPlan, joined } from './copyPlan.ts';
import { exists, textOf } from './repositoryFiles.ts';

const looseFolder = /^[0-9a-f]{2}$/;
const looseObject = /^[0-9a-f]{38,62}$/;
const packFile = /^pack-[0-9a-f]+\.(pack|idx|rev|promisor|keep|mtimes)$/;

/** Takes what a repository borrows of another one's objects. */
export async function borrow(plan: CopyPlan, objects: string, place: string): Promise<void> {
  const file = path.join(objects, 'info', 'alternates');
  const seen = new Set([objects]);
  const kept: string[] = [];
  let hasBorrowed = false;
  const borrowFrom = async (from: string, isFirst: boolean) => {
    const text = await textOf(path.join(from, 'info', 'alternates'));
    for (const line of text?.split('\n') ?? []) {
      if (line === '' || line.startsWith('#')) continue;
      const real = await realpath(path.resolve(from, line)).catch(() => undefined);
      if (real === undefined) {
        plan.notes.push(
          `${place} borrows objects of ${line}, which is not there: parts of its history are missing in the instance, as they are here.`,
        );
        continue;
      }
      const to = plan.placeOf(real);
      if (to !== undefined) kept.push(between(place, to));
      if (to !== undefined || seen.has(real)) continue;
      seen.add(real);
      hasBorrowed = true;
      plan.outside.add(real);
      await takeObjects(plan, real, place, objects);
      await borrowFrom(real, false);
    }
    return isFirst ? text : undefined;
  };
  const text = await borrowFrom(objects, true);
  if (text === undefined) return;
  if (kept.length > 0) {
    const own = `${[...new Set(kept)].join('\n')}\n`;
    if (own !== text) await plan.write(joined(place, 'info/alternates'), file, () => own);
  } else plan.drop(joined(place, 'info/alternates'));
  // It may name parts that only the lender has.
  if (hasBorrowed && (await exists(path.join(objects, 'info', 'commit-graphs'))))
    plan.drop(joined(place, 'info/commit-graphs'));
}

async function takeObjects(plan: CopyPlan, from: string, place: string, existing: string): Promise<void> {
  for (const folder of await readdir(from)) {
    const wanted = looseFolder.test(folder) ? looseObject : folder === 'pack' ? packFile : undefined;
    if (wanted === undefined) continue;
    for (const name of await readdir(path.join(from, folder))) {
      if (!wanted.test(name) || (await exists(path.join(existing, folder, name)))) continue;
      await plan.add(joined(place, folder, name), path.join(from, folder, name));
    }
  }
}
