import { readdir, realpath } from 'node:fs/promises';
import * as path from 'node:path';
import { invalidInput } from '../model/errors.ts';
import { type Allowance, between, CopyPlan, inside, joined, type OwnRepositories } from './copyPlan.ts';
import { editedConfig } from './gitConfigText.ts';
import { settleLinks } from './ownLinks.ts';
import { borrow } from './ownObjects.ts';
import { mendConfig } from './ownSettings.ts';
import { commonOf, exists, isInRepository, pointed, textOf } from './repositoryFiles.ts';

/** What a walk through a folder saw that can lead out of it. Names are relative to the folder, with slashes. */
export interface GitFindings {
  /** Folders with a `.git` that is a file or a link. */
  readonly pointing: readonly string[];
  /** Folders with what a repository of git has in it. */
  readonly repositories: readonly string[];
  /** Files in which Mercurial, Sapling and Jujutsu say where the repository is. */
  readonly others: readonly string[];
  readonly links: readonly string[];
}

/** What each worktree has for itself, in git's own list, and what is of no use elsewhere. */
const ofOneWorktree =
  /^(worktrees|modules|HEAD|[A-Z_]+_HEAD|AUTO_MERGE|(MERGE|SQUASH|COMMIT|BISECT)_\w+|(shared)?index(\..*)?|config\.worktree|commondir|gitdir|gc\.pid|(rebase|sequencer|fsmonitor)[^/]*|info\/sparse-checkout|logs\/HEAD|(logs\/)?refs\/(bisect|worktree|rewritten))(\/|$)/;
/** What no copy needs. */
const neverTaken = /^(worktrees|commondir|gitdir|gc\.pid|fsmonitor--daemon[^/]*)(\/|$)|\.lock$/;

/**
 * What has to be different in a copy of `root` so that nothing of git in it leads back here. What a repository has
 * outside of the folder comes along: the same commits, index and unfinished work. Reads `root` and what it leads to, and
 * runs nothing.
 */
export async function ownRepositories(
  root: string,
  findings: GitFindings,
  allowance: Allowance,
): Promise<OwnRepositories> {
  const plan = new CopyPlan(root, allowance);
  const byDepth = [...findings.pointing].sort((a, b) => a.length - b.length);
  try {
    for (const folder of byDepth) await bringIn(plan, folder);
    await bringInLinked(plan, findings);
    for (const folder of findings.repositories) await mend(plan, folder);
    for (const file of findings.others) await settleOther(plan, file);
    await settleEnclosing(plan, findings);
    await settleLinks(plan, findings.links);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw invalidInput('The source', [
      `source.path: ${root} is a part of a repository that this user can't read: ${error.message}. Clone it instead, or ask for the right to read it`,
    ]);
  }
  return plan.result();
}

/** Makes a repository of its own in `folder`, whose `.git` leads to another place. */
async function bringIn(plan: CopyPlan, folder: string): Promise<void> {
  const at = path.join(plan.root, folder, '.git');
  const place = joined(folder, '.git');
  const found = await pointed(at);
  const to = found?.isRepository ? plan.placeOf(found.real) : undefined;
  // A link is told of with the others; a file that leads nowhere is not git's.
  if (found === undefined) return;
  if (!found.isRepository) {
    if (found.isLink) return;
    plan.leftOut.add(place);
    plan.notes.push(
      `${place} leads to ${found.named}, where no repository is, and was left out: git knows nothing of this folder in the instance. Run "git worktree repair" in its main repository, or clone it anew, and create the instance again.`,
    );
  } else if (to === undefined) {
    plan.leftOut.add(place);
    await compose(plan, found.real, place);
  } else if (!found.isLink) {
    const relative = !path.isAbsolute(found.named) && inside(path.posix.normalize(joined(folder, found.named)));
    if (!relative || plan.isMoved(to)) await plan.write(place, at, () => `gitdir: ${between(folder, to)}\n`);
  }
}

/** Takes along what a repository in the folder has by links to another one. */
async function bringInLinked(plan: CopyPlan, { links, repositories }: GitFindings): Promise<void> {
  for (const link of links) {
    plan.allowance.check();
    if (plan.isLeftOut(link)) continue;
    const owner = repositories.find(folder => link.startsWith(`${folder}/`));
    if (owner === undefined || link.startsWith(`${owner}/hooks/`)) continue;
    const real = await realpath(path.join(plan.root, link)).catch(() => undefined);
    if (real === undefined || plan.placeOf(real) !== undefined || !(await isInRepository(real))) continue;
    plan.leftOut.add(link);
    plan.outside.add(real);
    plan.settle(real, link);
    await plan.take(real, link, () => true);
  }
}

/** Lets a working copy of another system lead to no repository elsewhere. */
async function settleOther(plan: CopyPlan, name: string): Promise<void> {
  const file = path.join(plan.root, name);
  const named = (await textOf(file))?.trimEnd();
  if (!named) return;
  const real = await realpath(path.resolve(path.dirname(file), named)).catch(() => undefined);
  const to = real === undefined ? undefined : plan.placeOf(real);
  if (to === undefined) {
    plan.leftOut.add(name);
    plan.notes.push(
      `${name} leads to the repository ${named}, and was left out: what it shares can only be copied of git. Clone that repository in the instance.`,
    );
  } else if (path.isAbsolute(named)) await plan.write(name, file, workspace => `${joined(workspace, to)}\n`);
}

/** Tells of the repository that the folder is only a part of. */
async function settleEnclosing(plan: CopyPlan, { pointing, repositories }: GitFindings): Promise<void> {
  if (pointing.includes('') || repositories.includes('.git') || repositories.includes('')) return;
  for (let above = path.dirname(plan.root); ; above = path.dirname(above)) {
    if (await exists(path.join(above, '.git'))) {
      plan.theirs.push(above);
      plan.notes.push(
        `The folder is a part of the repository ${above}, which was not copied: git knows nothing of it in the instance. Copy ${above} to have it there.`,
      );
      return;
    }
    if (path.dirname(above) === above) return;
  }
}

/** Lets nothing in a repository that lies in the folder lead out of it. */
async function mend(plan: CopyPlan, folder: string): Promise<void> {
  if (plan.isLeftOut(folder)) return;
  const at = path.join(plan.root, folder);
  await mendAt(plan, at, at, folder);
  const worktrees = await readdir(path.join(at, 'worktrees')).catch(() => []);
  for (const name of worktrees) await mendWorktree(plan, path.join(at, 'worktrees', name), folder, name);
}

/** What a repository knows of one of its worktrees. */
async function mendWorktree(plan: CopyPlan, at: string, repository: string, name: string): Promise<void> {
  const place = joined(repository, 'worktrees', name);
  const [gitdir, commondir] = await Promise.all([textOf(path.join(at, 'gitdir')), textOf(path.join(at, 'commondir'))]);
  if (gitdir === undefined) return;
  const named = gitdir.trimEnd();
  const real = await realpath(path.resolve(at, named)).catch(() => undefined);
  const to = real === undefined ? undefined : plan.placeOf(path.dirname(real));
  if (real === undefined || to === undefined) {
    plan.leftOut.add(place);
    plan.worktreesLeftOut.push(path.dirname(named));
    return;
  }
  if (path.isAbsolute(named)) {
    const text = (workspace: string) => `${joined(workspace, to)}/.git\n`;
    await plan.write(`${place}/gitdir`, path.join(at, 'gitdir'), text);
  }
  if (commondir !== undefined && path.isAbsolute(commondir.trimEnd()))
    await plan.write(`${place}/commondir`, path.join(at, 'commondir'), () => `${between(place, repository)}\n`);
  await mendConfig(plan, path.join(at, 'config.worktree'), joined(place, 'config.worktree'), at, place);
}

/** One repository out of what several worktrees share and of what this one has for itself. */
async function compose(plan: CopyPlan, own: string, place: string): Promise<void> {
  const common = await commonOf(own);
  const isShared = common !== own;
  plan.outside.add(common);
  // With its files, and with those of what it is a submodule of.
  const [top = common] = `${common}${path.sep}`.split(`${path.sep}.git${path.sep}`);
  plan.theirs.push(top);
  if (isShared) {
    let isTable = false;
    editedConfig((await textOf(path.join(common, 'config'))) ?? '', ({ section, name, value }) => {
      isTable ||= section === 'extensions' && name === 'refstorage' && value !== 'files';
      return value;
    });
    if (isTable) {
      plan.notes.push(
        `${place} was left out: the repository ${common} keeps its branches as a reftable, of which no part can be copied. Run "git refs migrate --ref-format=files" there and create the instance again, or clone it.`,
      );
      return;
    }
    await plan.take(common, place, name => !ofOneWorktree.test(name) && !neverTaken.test(name));
    plan.settle(common, place);
  }
  const nested = await plan.take(own, place, name => !neverTaken.test(name));
  plan.settle(own, place);
  await mendAt(plan, common, own, place);
  for (const name of nested) await mendAt(plan, path.join(own, name), path.join(own, name), joined(place, name));
}

async function mendAt(plan: CopyPlan, common: string, own: string, place: string): Promise<void> {
  await mendConfig(plan, path.join(common, 'config'), joined(place, 'config'), common, place);
  await mendConfig(plan, path.join(own, 'config.worktree'), joined(place, 'config.worktree'), own, place);
  await borrow(plan, path.join(common, 'objects'), joined(place, 'objects'));
}
