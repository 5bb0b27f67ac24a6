import { messageOf } from '../model/errors.ts';
import type { InstanceRecord, SetupState } from '../model/instance.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { CommandResult, Provider } from '../model/provider.ts';
import { randomId } from './instanceId.ts';
import { cloneScript, moveInScript, occupied, unpackScript } from './setupScripts.ts';

/** What the first start needs from the machine that runs the controller. */
export interface SetupSources {
  /** A tar of a local folder, with its uncommitted files. `note` is told of files that were in motion meanwhile. */
  packFolder(path: string, signal: AbortSignal, note: (problem: string) => void): AsyncIterable<Uint8Array>;
  /** The password with which a private repository at `url` can be read; undefined when there is none. */
  gitCredential(url: string): Promise<string | undefined>;
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/**
 * Fills the workspace and installs the extensions of a running instance. Says what failed; rejects only when cancelled.
 * May be done again at any time: a workspace that something lies in is left as it is, unless it was we who put it there.
 */
export async function setUpWorkspace(
  provider: Provider,
  { id, config: { source, extensions } }: InstanceRecord,
  sources: SetupSources,
  ctx: OperationContext,
): Promise<SetupState> {
  const problems: string[] = [];
  const notes: string[] = [];
  const run = async (what: string, command: string, stdin?: () => Promise<AsyncIterable<Uint8Array>>) => {
    ctx.signal.throwIfAborted();
    ctx.report(`${what}…`);
    try {
      const options = stdin ? { ...ctx, stdin: await stdin() } : { ...ctx };
      const result = await provider.executeCommand(id, command, options);
      if (result.exitCode !== 0) problems.push(problemOf(what, result));
      return result.exitCode === 0;
    } catch (error) {
      ctx.signal.throwIfAborted();
      problems.push(`${what} failed: ${messageOf(error)}`);
      return false;
    }
  };
  const part = randomId(8);
  const workspace = provider.abilities.workspacePath(id);
  if (source.kind === 'git') {
    const { url, ref } = source;
    const credential = async () => once(`${(await sources.gitCredential(url)) ?? ''}\n`);
    const filled = await run(`Cloning ${url}`, cloneScript(workspace, part, url, ref), credential);
    if (filled) await run('Filling the workspace', moveInScript(workspace, part));
  }
  if (source.kind === 'folder') {
    const { path } = source;
    const pack = async () => sources.packFolder(path, ctx.signal, note => notes.push(note));
    const filled = await run(`Copying ${path}`, unpackScript(workspace, part), pack);
    if (filled) await run('Filling the workspace', moveInScript(workspace, part));
  }
  for (const extension of extensions) {
    await run(`Installing ${extension}`, provider.abilities.installExtensionCommand(id, extension));
  }
  return { status: problems.length === 0 ? 'done' : 'failed', problems: [...problems, ...notes] };
}

const problemOf = (what: string, { exitCode, stderr }: CommandResult) =>
  exitCode === occupied
    ? `${what} was not done: the workspace is not empty, as when an earlier first set-up was cut off. What is in it was left as it is.`
    : `${what} failed: ${usefulLines(stderr) || `exit code ${exitCode}`}`;

/** The last three lines up to the last one that says it is an error, as git does: what follows those is advice. */
export function usefulLines(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '');
  const last = lines.findLastIndex(line => /^(fatal|error):/.test(line));
  return (last < 0 ? lines : lines.slice(0, last + 1)).slice(-3).join(' ').slice(-500);
}
