import { messageOf } from '../model/errors.ts';
import type { InstanceRecord, SetupState } from '../model/instance.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { Provider } from '../model/provider.ts';

/** What the first start needs from the machine that runs the controller. */
export interface SetupSources {
  /** A tar of a local folder, with its uncommitted files. */
  packFolder(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The password with which a private repository at `url` can be read; undefined when there is none. */
  gitCredential(url: string): Promise<string | undefined>;
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Clones beside the workspace and moves the result in, so that a clone that was cut off leaves the workspace empty and
 * can be done again. The credential comes on standard input and is known to git for this one command only.
 */
function cloneCommand(url: string, ref: string | undefined): string {
  const helper = `!f() { echo username=x-access-token; echo "password=$REMOTE_SWARM_GIT_CREDENTIAL"; }; f`;
  const branch = ref === undefined ? '' : `git -C "$part" checkout --quiet ${quote(ref)} -- &&`;
  return [
    'IFS= read -r REMOTE_SWARM_GIT_CREDENTIAL || true; export REMOTE_SWARM_GIT_CREDENTIAL GIT_TERMINAL_PROMPT=0;',
    'command -v git >/dev/null || { echo "git is not installed in this instance" >&2; exit 127; };',
    'part="$HOME/.clone"; rm -rf "$part";',
    `git -c ${quote(`credential.helper=${helper}`)} clone --quiet -- ${quote(url)} "$part" && ${branch}`,
    'cp -a "$part/." . && rm -rf "$part"',
  ].join(' ');
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** Fills the workspace and installs the extensions of a running instance. Says what failed; rejects only when cancelled. */
export async function setUpWorkspace(
  provider: Provider,
  { id, config: { source, extensions } }: InstanceRecord,
  sources: SetupSources,
  ctx: OperationContext,
): Promise<SetupState> {
  const problems: string[] = [];
  const run = async (what: string, command: string, stdin?: () => Promise<AsyncIterable<Uint8Array>>) => {
    ctx.signal.throwIfAborted();
    ctx.report(`${what}…`);
    try {
      const options = stdin ? { ...ctx, stdin: await stdin() } : { ...ctx };
      const { exitCode, stderr } = await provider.executeCommand(id, command, options);
      if (exitCode !== 0) problems.push(`${what} failed: ${lastLine(stderr) || `exit code ${exitCode}`}`);
    } catch (error) {
      ctx.signal.throwIfAborted();
      problems.push(`${what} failed: ${messageOf(error)}`);
    }
  };
  if (source.kind === 'git') {
    const { url, ref } = source;
    await run(`Cloning ${url}`, cloneCommand(url, ref), async () =>
      once(`${(await sources.gitCredential(url)) ?? ''}\n`),
    );
  }
  if (source.kind === 'folder') {
    const { path } = source;
    await run(`Copying ${path}`, 'tar -x -f -', async () => sources.packFolder(path, ctx.signal));
  }
  for (const extension of extensions) {
    await run(`Installing ${extension}`, provider.abilities.installExtensionCommand(id, extension));
  }
  return { status: problems.length === 0 ? 'done' : 'failed', problems };
}

const lastLine = (text: string) => text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
