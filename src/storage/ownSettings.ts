import * as path from 'node:path';
import { between, type CopyPlan, joined } from './copyPlan.ts';
import { editedConfig, type GitSetting } from './gitConfigText.ts';
import { textOf } from './repositoryFiles.ts';

/** Settings whose values are names of files. */
const fileSettings = new Set([
  ...['core.worktree', 'core.hookspath', 'core.excludesfile', 'core.attributesfile', 'core.fsmonitor'],
  ...['commit.template', 'include.path', 'includeif.path', 'lfs.storage', 'mailmap.file', 'blame.ignorerevsfile'],
]);

/** Leaves out of a configuration file of the repository `repository`, which lies at `at` here, what leads out of the copy. */
export async function mendConfig(
  plan: CopyPlan,
  file: string,
  place: string,
  at: string,
  repository: string,
): Promise<void> {
  const text = await textOf(file);
  if (text === undefined) return;
  const isBroughtIn = plan.isPlace(repository);
  const leftOut: string[] = [];
  /** Where the copy lies is not known yet; what is left out is the same everywhere. */
  const own = (workspace: string) =>
    editedConfig(text, setting => {
      const name = `${setting.section}.${setting.name}`;
      // Its own folder is where it lies now, and it is the only one.
      if (isBroughtIn && /^(core\.(worktree|bare)|extensions\.relativeworktrees)$/.test(name)) return undefined;
      const settled = settledValue(plan, setting, at, repository, workspace);
      if (settled === undefined) leftOut.push(shown(setting));
      return settled;
    });
  if (own('/') === text) return;
  plan.settingsLeftOut.push(...leftOut);
  await plan.write(place, file, own);
}

/** The value of a setting in a copy at `workspace`; undefined when it leads out of it. */
function settledValue(
  plan: CopyPlan,
  setting: GitSetting,
  at: string,
  repository: string,
  workspace: string,
): string | undefined {
  const { section, subsection, name, value } = setting;
  const key = `${section}.${name}`;
  const isAddress =
    (section === 'remote' && (name === 'url' || name === 'pushurl')) || (section === 'submodule' && name === 'url');
  const isBase = section === 'url';
  const named = isBase ? subsection : value;
  if (isAddress || isBase ? !isLocalAddress(named) : !fileSettings.has(key) || /^~/.test(named)) return value;
  const bare = named.replace(/^file:\/\/(localhost)?/, '');
  const isOfRepository = key === 'core.worktree' || key === 'lfs.storage' || section.startsWith('include');
  const top = path.basename(at) === '.git' && !isOfRepository ? path.dirname(at) : at;
  const to = plan.placeOf(path.resolve(top, bare));
  const topPlace = top === at ? repository : path.posix.dirname(repository);
  if (to !== undefined && !isBase) {
    const isSame = !path.isAbsolute(bare) && path.posix.normalize(joined(topPlace, bare)) === (to || '.');
    return isSame ? value : key === 'core.worktree' ? between(repository, to) : joined(workspace, to);
  }
  return undefined;
}

const shown = ({ section, subsection, name, value }: GitSetting) =>
  section === 'url' ? `url.${subsection}` : `${[section, subsection, name].filter(Boolean).join('.')} = ${value}`;

/** Whether git takes it for a place in the file system. */
function isLocalAddress(address: string): boolean {
  if (/^file:\/\//i.test(address) || path.isAbsolute(address)) return true;
  if (address.includes('://') || address.includes('::')) return false;
  const [beforeSlash = ''] = address.split('/');
  return address !== '' && !beforeSlash.includes(':');
}
