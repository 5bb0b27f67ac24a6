import { messageOf } from '../model/errors.ts';
import type { InstanceRecord, SetupState, WorkspaceSource } from '../model/instance.ts';
import { type LockedContext, withSignal, withTimeout } from '../model/operationContext.ts';
import type { CommandResult, Provider } from '../model/provider.ts';
import type { AgreedFolder, CredentialUse, FolderFacts, SetupConsent } from '../model/setupConsent.ts';
import { onOneLine } from '../model/textCut.ts';
import { cloneScript, isOverSsh, silent, wantsCredential, wantsCredentialForMore } from './cloneScript.ts';
import { toldOf, usefulLines } from './cloneTold.ts';
import { randomId } from './instanceId.ts';
import { inCleanEnvironment, moveInScript, occupied, unpackScript } from './setupScripts.ts';

/** What the first start needs from the machine that runs the controller. */
export interface SetupSources {
  /** Looks at a local folder. Rejects when it is none that is copied. */
  surveyFolder(path: string, signal: AbortSignal): Promise<FolderFacts>;
  /**
   * A tar of a local folder with its uncommitted files, for a copy at `workspace` that leads to no repository outside of
   * itself. `note` is told of what it lacks. Rejects when a repository would come along that was not agreed to.
   */
  packFolder(
    folder: AgreedFolder,
    workspace: string,
    signal: AbortSignal,
    note: (problem: string) => void,
  ): AsyncIterable<Uint8Array>;
  /** What opens private repositories of the same scheme and host as `url`; undefined when there is nothing for them. */
  gitCredential(url: string): GitCredential | undefined;
}

/** The person's way into the repositories of one host. */
export interface GitCredential {
  /** The password of a clone; undefined when there is none. With `mayAsk` the person, who is there, may be asked to sign in. */
  read(mayAsk: boolean): Promise<string | undefined>;
}

/** How long each step of a first set-up may take; seconds. */
export interface SetupTimes {
  /** Without any progress of a clone. */
  readonly silence: number;
  /** In which an instance takes nothing of a folder. Longer than one set-up waits for another. */
  readonly stall: number;
  readonly fill: number;
  readonly extension: number;
}
const usualTimes: SetupTimes = { silence: 60, stall: 960, fill: 7_200, extension: 900 };

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** Calls `stop` when the taker of the chunks lets one wait for long, the first one too; how long it takes to read them is no matter. */
function watched(source: AsyncIterable<Uint8Array>, seconds: number, stop: () => void) {
  const wait = () => setTimeout(stop, seconds * 1000);
  let timer: ReturnType<typeof setTimeout> | undefined = wait();
  const end = () => clearTimeout(timer);
  async function* chunks() {
    end();
    for await (const chunk of source) {
      timer = wait();
      yield chunk;
      end();
    }
  }
  return { chunks: chunks(), end };
}

/**
 * Fills the workspace and installs the extensions of a running instance. Says what failed; rejects only when cancelled.
 * May be done again at any time: a workspace that something lies in is left as it is, unless it was we who put it there.
 * Without `consent` nobody is there to be asked.
 */
export async function setUpWorkspace(
  provider: Provider,
  record: InstanceRecord,
  sources: SetupSources,
  ctx: LockedContext,
  consent?: SetupConsent,
  times = usualTimes,
): Promise<SetupState> {
  const { id, config } = record;
  const { source, extensions, env, secretEnv } = config;
  const chosen = [...Object.keys(env), ...secretEnv];
  const problems: string[] = [];
  const notes: string[] = [];
  const part = randomId(8);
  const workspace = provider.abilities.workspacePath(id);

  /** Undefined when it could not be run to its end: then the problem is noted. */
  const run = async (what: string, seconds: number, command: string, stdin?: AsyncIterable<Uint8Array>) => {
    ctx.signal.throwIfAborted();
    ctx.lock.assertHeld();
    ctx.report(`${what}…`);
    const stuck = new AbortController();
    const limited = withTimeout(withSignal(ctx, stuck.signal), seconds * 1000);
    const fed = stdin && watched(stdin, times.stall, () => stuck.abort());
    try {
      return await provider.executeCommand(id, command, { ...limited, ...(fed && { stdin: fed.chunks }) });
    } catch (error) {
      ctx.signal.throwIfAborted();
      const slow = `it was not through after ${seconds} seconds`;
      const still = `the instance took nothing for ${times.stall} seconds`;
      const why = stuck.signal.aborted ? still : limited.signal.aborted ? slow : messageOf(error);
      problems.push(`${what} failed: ${onOneLine(why, 500)}`);
      return undefined;
    } finally {
      fed?.end();
    }
  };
  const isDone = (what: string, result: CommandResult | undefined) => {
    if (result !== undefined && result.exitCode !== 0) problems.push(problemOf(what, result, times));
    return result?.exitCode === 0;
  };
  const fill = async (what: string, filling: Promise<CommandResult | undefined>) => {
    if (!isDone(what, await filling)) return;
    const moving = 'Filling the workspace';
    isDone(moving, await run(moving, times.fill, inCleanEnvironment(moveInScript(workspace, part), chosen)));
  };

  const clone = async (what: string, from: Extract<WorkspaceSource, { kind: 'git' }>) => {
    const { url } = from;
    const attempt = (password?: string) => {
      const how = { withCredential: password !== undefined, silence: times.silence };
      const script = cloneScript(workspace, part, { ...from, ...how });
      const stdin = password === undefined ? undefined : once(`${password}\n`);
      return run(what, times.fill, inCleanEnvironment(script, chosen), stdin);
    };
    const ask = (kind: CredentialUse['kind']) =>
      consent && orAborted(consent.mayUse({ kind, host: hostOf(url), url, instance: record }), ctx.signal);
    if (isOverSsh(url)) {
      // Without a key there is no way in, so that it is asked before. A person has asked for it themself.
      const agreed = (await ask('keys')) ?? record.setup?.askedByPerson === true;
      if (agreed) return attempt();
      problems.push(`${what} failed: nobody agreed that it may use ssh keys.`);
      return undefined;
    }
    const result = await attempt();
    const credential = sources.gitCredential(url);
    const isPrivate = result?.exitCode === wantsCredential || result?.exitCode === wantsCredentialForMore;
    if (!isPrivate || credential === undefined) return result;
    const agreed = (await ask('account')) ?? record.setup?.askedByPerson === true;
    const reading = agreed ? credential.read(consent !== undefined) : Promise.resolve(undefined);
    const password = await orAborted(reading, ctx.signal);
    if (password === undefined) return result;
    const again = await attempt(password);
    // What was checked out is only told of by the one that has cloned.
    const first = result.stdout.split('\n').filter(line => !/^(submodule|absent|large)\t/.test(line));
    return again && { ...again, stdout: `${first.join('\n')}\n${again.stdout}` };
  };
  /** Tells of what a clone lacks that is there; as far as it is, it is moved in. */
  const told = (result: CommandResult | undefined) => {
    if (result?.exitCode !== 0 && result?.exitCode !== wantsCredentialForMore) return result;
    const said = toldOf(result.stdout, times.silence);
    problems.push(...said.problems);
    notes.push(...said.notes);
    return { ...result, exitCode: 0 };
  };

  if (source.kind === 'git') {
    const what = `Cloning ${source.url}`;
    await fill(what, clone(what, source).then(told));
  }
  if (source.kind === 'folder') {
    const what = `Copying ${source.path}`;
    const agreed = { path: source.path, outside: record.setup?.outside ?? [] };
    const pack = sources.packFolder(agreed, workspace, ctx.signal, note => notes.push(note));
    await fill(what, run(what, times.fill, inCleanEnvironment(unpackScript(workspace, part), chosen), pack));
  }
  for (const extension of extensions) {
    const what = `Installing ${extension}`;
    const command = provider.abilities.installExtensionCommand(id, extension);
    isDone(what, await run(what, times.extension, command));
  }
  return { status: problems.length === 0 ? 'done' : 'failed', problems: [...problems, ...notes] };
}

const hostOf = (url: string) => /^(?:\w+:\/\/)?(?:[^/@]*@)?([^/]+?)(?:[/]|:(?!\d+(?:\/|$))|$)/.exec(url)?.[1] ?? url;

/** What it resolves to, unless the signal is aborted before. Nothing waits for a question that was given up. */
function orAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    waited.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function problemOf(what: string, { exitCode, stderr }: CommandResult, { silence }: SetupTimes): string {
  switch (exitCode) {
    case occupied:
      return `${what} was not done: the workspace is not empty, as when an earlier first set-up was cut off. What is in it was left as it is.`;
    case silent:
      return `${what} failed: nothing came for ${silence} seconds.`;
    case wantsCredential:
      return `${what} failed: the repository is private, or is not there, and no credential of yours opens it.`;
    default:
      return `${what} failed: ${onOneLine(usefulLines(stderr), 500) || `exit code ${exitCode}`}`;
  }
}
