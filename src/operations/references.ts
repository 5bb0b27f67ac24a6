import { referencesIn } from '../../media/instance/launcher.mjs';

/** What other tools put into a value, and no instance knows. */
const foreign =
  /\$\{(?:(?!containerEnv:)([A-Za-z]+):(?![-+])|((?:workspaceFolder|(?:local|container)WorkspaceFolder)(?:Basename)?|devcontainerId)\})/;
const literal = 'or write \\$ where a dollar sign is meant';

/**
 * Pure: what is wrong with the references in a variable's value; undefined when nothing is. Only what the image or the
 * system has is known when an instance starts, and never what is on this computer.
 */
export function referenceProblem(name: string, env: Readonly<Record<string, string>>): string | undefined {
  const value = env[name] ?? '';
  const [, kind, folder] = foreign.exec(value) ?? [];
  if (kind !== undefined)
    return `must not refer to \${${kind}:…}, which is not known in an instance; write the value itself, ${literal}`;
  if (folder !== undefined)
    return `must not refer to \${${folder}}, which is not known in an instance; write $HOME/workspace for its workspace, ${literal}`;
  const other = referencesIn(value).find(found => found !== name && Object.hasOwn(env, found));
  if (other === undefined) return undefined;
  return `must not refer to "${other}", another variable of the instance; write its value instead, ${literal}`;
}
