import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { messageOf, providerRefused } from '../../model/errors.ts';
import type { CommandResult, ExecuteOptions } from '../../model/provider.ts';
import { CappedOutput, defaultMostBytes, feed, outputGrace } from '../commandStreams.ts';

/** What to run: a file with arguments, never through a shell of ours. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs to the end and answers with exit code and both streams. An abort calls `end`, which must end the process with
 * all its children, and rejects with the signal's reason once that is done.
 */
export async function runCommand(
  command: Command,
  options: ExecuteOptions,
  end: (pid: number) => Promise<void>,
): Promise<CommandResult> {
  const { signal, maxOutputBytes = defaultMostBytes } = options;
  signal.throwIfAborted();
  const child = spawn(command.file, command.args, { cwd: command.cwd, env: command.env, detached: true });
  const stdout = new CappedOutput(maxOutputBytes);
  const stderr = new CappedOutput(maxOutputBytes);
  child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));

  const closed = new Promise<void>(resolve => child.on('close', () => resolve()));
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', error => reject(notStarted(error)));
    child.on('exit', (code, killedBy) => resolve(code ?? 128 + (killedBy ? constants.signals[killedBy] : 0)));
  });
  const feeding = feed(options.stdin, child.stdin);
  let ending: Promise<unknown> | undefined;
  let rejectEnded: (reason: unknown) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    rejectEnded = reject;
  });
  const stop = (reason: unknown) => {
    ending ??= (child.pid === undefined ? Promise.resolve() : end(child.pid)).finally(() => rejectEnded(reason));
    ending.catch(() => {});
  };
  const abort = () => stop(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  feeding.catch(stop);

  try {
    const exitCode = await Promise.race([exited, ended]);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise(resolve => {
      timer = setTimeout(resolve, outputGrace);
    });
    await Promise.race([closed, grace]);
    clearTimeout(timer);
    // It may be our own signal that ended it: then its end is no result, and all its children must be gone first.
    if (ending) await ended;
    const truncated = stdout.truncated || stderr.truncated;
    return { exitCode, stdout: stdout.text(), stderr: stderr.text(), truncated };
  } finally {
    signal.removeEventListener('abort', abort);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  }
}

const notStarted = (cause: unknown) =>
  providerRefused(
    'command-not-started',
    `The command could not be started: ${messageOf(cause)}.`,
    'Check that the workspace folder of the instance still exists, or restart the instance.',
    cause,
  );
