import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { providerUnreachable } from '../../model/errors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type { CommandResult, ExecuteOptions } from '../../model/provider.ts';
import { CappedOutput, defaultMostBytes, feed, outputGrace } from '../commandStreams.ts';
import { launcher, layout, node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { frames, streamOf } from './frames.ts';

/** Marks everything that one exec starts, so that it can be found and ended: an engine can't end an exec. */
const markName = 'REMOTE_SWARM_EXEC';

/** Bytes that a short program of ours may print. */
const mostPrinted = 16 * 1024 * 1024;

/** A process that was started in a container, and the connection to its standard streams. */
export interface RunningExec {
  readonly stream: Duplex;
  /** The exit code; undefined while it runs. */
  exitCode(ctx: OperationContext): Promise<number | undefined>;
  resize(size: { columns: number; rows: number }): Promise<void>;
  /** Ends it with all that it started. */
  end(): Promise<void>;
}

/** Starts `argv` in the container. With `tty` the stream is plain, else it is framed. */
export async function startExec(
  engine: DockerEngine,
  containerId: string,
  argv: readonly string[],
  ctx: OperationContext,
  tty?: { columns: number; rows: number },
): Promise<RunningExec> {
  const mark = randomBytes(8).toString('hex');
  const exec = await engine.call('Preparing a command', ctx, (docker, abortSignal) =>
    docker.getContainer(containerId).exec({
      Cmd: [...argv],
      Env: [`${markName}=${mark}`, ...(tty ? ['TERM=xterm-256color', 'COLORTERM=truecolor'] : [])],
      WorkingDir: layout.home,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty !== undefined,
      abortSignal,
    }),
  );
  const stream = await engine.call('Starting a command', ctx, () =>
    exec.start({ hijack: true, stdin: true, Tty: tty !== undefined }),
  );
  const resize = ({ columns, rows }: { columns: number; rows: number }) =>
    engine.call('Resizing a terminal', quietContext, (_, abortSignal) =>
      exec.resize({ w: columns, h: rows, abortSignal }),
    );
  if (tty) await resize(tty);
  return {
    stream,
    resize,
    exitCode: async context => {
      const { Running, ExitCode } = await engine.call('Asking for the exit code', context, (_, abortSignal) =>
        exec.inspect({ abortSignal }),
      );
      return Running ? undefined : (ExitCode ?? undefined);
    },
    end: async () => {
      stream.destroy();
      const killer = await startExec(engine, containerId, [node, '-e', endMarked, `${markName}=${mark}`], quietContext);
      killer.stream.end();
      await engine.call('Ending a command', quietContext, () => CappedOutput.textOf(streamOf(killer.stream, 'stderr')));
    },
  };
}

/** What a short program prints. `doing` as in {@link DockerEngine.call}. */
export async function outputOf(
  engine: DockerEngine,
  containerId: string,
  argv: readonly string[],
  doing: string,
  ctx: OperationContext,
): Promise<string> {
  const exec = await startExec(engine, containerId, argv, ctx);
  exec.stream.end();
  try {
    return await engine.call(doing, ctx, () => CappedOutput.textOf(streamOf(exec.stream, 'stdout'), mostPrinted));
  } finally {
    exec.stream.destroy();
  }
}

/** Runs inside: kills whatever has the mark in its environment, until a look finds nothing more. */
const endMarked = `
const { readdirSync, readFileSync } = require('fs');
for (let round = 0, found = true; found && round < 50; round++) {
  found = false;
  for (const pid of readdirSync('/proc').filter(name => /^\\d+$/.test(name) && name !== String(process.pid))) {
    try {
      if (!readFileSync('/proc/' + pid + '/environ', 'latin1').split('\\0').includes(process.argv[1])) continue;
      process.kill(Number(pid), 'SIGKILL');
      found = true;
    } catch {}
  }
}`;

/** Arguments that run `command` with the instance's shell, in its workspace when that exists, with its variables. */
const shellArguments = (command: string) => [
  node,
  launcher,
  'exec',
  layout.reserved,
  '/bin/sh',
  '-c',
  'cd "$1" 2>/dev/null; exec /bin/sh -c "$2"',
  'sh',
  layout.workspace,
  command,
];

/**
 * Runs a shell command to its end. An abort ends the command with all that it started, and rejects with the signal's
 * reason once that is done. That its streams ended is no proof that it did: the engine is asked (semantics 25).
 */
export async function runInContainer(
  engine: DockerEngine,
  containerId: string,
  command: string,
  options: ExecuteOptions,
): Promise<CommandResult> {
  const { signal, stdin, maxOutputBytes = defaultMostBytes } = options;
  const exec = await startExec(engine, containerId, shellArguments(command), options);
  const output = { stdout: new CappedOutput(maxOutputBytes), stderr: new CappedOutput(maxOutputBytes) };
  const stop = Promise.withResolvers<never>();
  const abort = () => stop.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const feeding = feed(stdin, exec.stream);
  feeding.catch(stop.reject);
  const reading = (async () => {
    for await (const { stream, data } of frames(exec.stream)) output[stream].add(data);
  })();
  reading.catch(() => {});
  try {
    signal.throwIfAborted();
    const exitCode = await Promise.race([ended(exec, reading, engine.providerId), stop.promise]);
    return {
      exitCode,
      stdout: output.stdout.text(),
      stderr: output.stderr.text(),
      truncated: output.stdout.truncated || output.stderr.truncated,
    };
  } catch (error) {
    await exec.end().catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    exec.stream.destroy();
  }
}

async function ended(exec: RunningExec, reading: Promise<void>, providerId: string): Promise<number> {
  let closed = false;
  const close = () => {
    closed = true;
  };
  const closing = reading.then(close, close);
  // What a command left running may hold its streams open: then only the engine tells that it has ended.
  for (let pause = 100; !closed; pause = Math.min(pause * 2, 2_000)) {
    await Promise.race([closing, sleep(pause)]);
    if (closed) break;
    const exitCode = await exec.exitCode(quietContext);
    if (exitCode === undefined) continue;
    await Promise.race([closing, sleep(outputGrace)]);
    return exitCode;
  }
  const exitCode = await finalExitCode(exec);
  if (exitCode !== undefined) return exitCode;
  throw providerUnreachable(
    providerId,
    'the connection to a running command was lost',
    'It may still be running. Look at the instance before you try again.',
  );
}

/**
 * The exit code of an exec whose streams have ended; undefined when it still runs, and only the connection was lost. The
 * engine may need a moment to note an end.
 */
export async function finalExitCode(exec: RunningExec): Promise<number | undefined> {
  for (let look = 0; look < 20; look++) {
    const exitCode = await exec.exitCode(quietContext);
    if (exitCode !== undefined) return exitCode;
    await sleep(50);
  }
  return undefined;
}
