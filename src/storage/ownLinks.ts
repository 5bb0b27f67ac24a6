import { readlink, realpath } from 'node:fs/promises';
import * as path from 'node:path';
import { type CopyPlan, inside, isWithin, joined, someOf } from './copyPlan.ts';

/** Lets no link lead back into the folder, or into the repository that it comes from; tells of those that lead elsewhere. */
export async function settleLinks(plan: CopyPlan, links: readonly string[]): Promise<void> {
  const [back, away]: [string[], string[]] = [[], []];
  for (const link of links) {
    plan.allowance.check();
    if (plan.isLeftOut(link)) continue;
    const at = path.join(plan.root, link);
    const target = await readlink(at).catch(() => undefined);
    if (target === undefined) continue;
    const said = `${link} -> ${target}`;
    if (!path.isAbsolute(target)) {
      if (!inside(path.posix.normalize(joined(path.posix.dirname(link), target)))) away.push(said);
      continue;
    }
    if (await isRenamed(plan, target)) continue;
    const real = await realOf(target);
    if (plan.theirs.some(folder => isWithin(folder, real) || isWithin(folder, target))) {
      plan.leftOut.add(link);
      back.push(said);
    } else away.push(said);
  }
  if (back.length > 0)
    plan.notes.push(
      `Links into the repository that the folder comes from were left out, so that nothing in the instance changes it: ${someOf(back)}. Put files of its own there.`,
    );
  if (away.length > 0)
    plan.notes.push(
      `Links that lead out of the folder were copied as they are, without what they lead to: ${someOf(away)}.`,
    );
}

/** Whether a link's target is in the folder; then the name that it has for it is known from now on. */
async function isRenamed(plan: CopyPlan, target: string): Promise<boolean> {
  for (const name of plan.renamed.keys()) if (isWithin(name, target)) return true;
  const names = target.split('/');
  for (let count = 2; count <= names.length; count++) {
    const above = names.slice(0, count).join('/');
    const real = isWithin(plan.root, above) ? above : await realpath(above).catch(() => undefined);
    if (real === undefined) return false;
    if (!isWithin(plan.root, real)) continue;
    plan.renamed.set(above, path.relative(plan.root, real));
    return true;
  }
  return false;
}

/** Where it really lies, as far as it is there. */
async function realOf(file: string): Promise<string> {
  const above = path.dirname(file);
  if (above === file) return file;
  return realpath(file).catch(async () => path.join(await realOf(above), path.basename(file)));
}
