import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { OperationContext } from '../../model/operationContext.ts';
import { CappedOutput } from '../commandStreams.ts';
import { shellWord } from '../shellWord.ts';
import { forAnyShell } from './forAnyShell.ts';
import { endChild, type SshConnection } from './sshConnection.ts';
import { afterMark, hasMark, sayMark } from './startMark.ts';

/** Functions of these names are handed on to a `/bin/sh` that is bash, where start files export them. */
const foreign = 'cat cd chmod df find grep mkdir printf ps rm tail touch uname';
/** Begins each script: `$1` is the directory of the settings, or empty. */
const find = `unset -f ${foreign}; d=$1; [ -n "$d" ] || d=$HOME/.remote-swarm; shift; umask 077`;
const make = `set -e; ${find}; mkdir -p "$d"; cd "$d"`;

/** Input that nobody on the host could unpack yet is compressed by `ssh` itself. */
const compressed = ['-C'];

/** A script on the host that did not do what it was to do. */
export class ScriptFailed extends Error {}

/** Scripts for the `/bin/sh` of a host, in our directory there. Arguments are words of theirs, whatever is in them. */
export class HostShell {
  readonly #connection: SshConnection;
  readonly #directory: string;

  constructor(connection: SshConnection, directory = '') {
    this.#connection = connection;
    this.#directory = directory;
  }

  /** What `ssh` is to be given for a script that finds the directory's path in `$d`, whether it is there or not. */
  command(script: string, args: readonly string[]): string {
    return this.#command(`${find}; ${script}`, args);
  }

  /** Starts such a script, on a connection of its own. Its streams begin with the mark. */
  start(script: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return this.#connection.startAlone(this.command(`${sayMark}${script}`, args));
  }

  /** Runs a script in the directory, which is made at need, and answers with what it printed. Rejects with `ScriptFailed`. */
  async run(
    script: string,
    args: readonly string[],
    { signal }: OperationContext,
    input?: AsyncIterable<Uint8Array | string>,
  ): Promise<string> {
    signal.throwIfAborted();
    const command = this.#command(`${sayMark}${make}; ${script}`, args);
    const child = input ? this.#connection.startAlone(command, compressed) : await this.#connection.start(command);
    const abort = () => endChild(child);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
    try {
      const sending = pipeline(input ?? Readable.from([]), child.stdin).catch(() => {});
      const streams = [child.stdout, child.stderr].map(stream => CappedOutput.textOf(stream));
      const [[out = '', errors = ''], code] = await Promise.all([Promise.all(streams), closed, sending]);
      const said = afterMark(errors);
      if (code === 255 || code === null) throw this.#connection.problem(said.trim() || 'the connection was lost');
      if (!hasMark(out)) throw this.#connection.shellProblem(`${out}\n${errors}`);
      if (code === 0) return afterMark(out);
      throw new ScriptFailed(said.trim().slice(0, 300) || `a script ended with ${code}`);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #command(script: string, args: readonly string[]): string {
    return forAnyShell(`set -- ${[this.#directory, ...args].map(shellWord).join(' ')}; ${script}`);
  }
}
