import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { messageOf, providerRefused, SwarmError } from '../../model/errors.ts';
import { linesOf, longestJson } from '../../model/linesOf.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import {
  dataWindow,
  type HostAnswer,
  type HostArguments,
  type HostCall,
  type HostInput,
  HostOutput,
  hostAnswers,
} from './hostProtocol.ts';
import { endChild, type SshConnection } from './sshConnection.ts';
import { afterMark, markLine } from './startMark.ts';

/** What a call may have beside its arguments. */
export interface HostCallOptions {
  /** How long it may roll back when it is cancelled, in milliseconds; without it, until its answer is there or not. */
  readonly rollBack?: number | undefined;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  begun?(): void;
  line?(line: string): void;
  wake?(instanceId: string | undefined): void;
}

/** How the shell says that the program, or the node that it runs on, is not there. */
export const notThere = 97;
/** How long a call that changes nothing may still answer when it is cancelled; milliseconds. */
const lastWord = 1_000;

/**
 * Calls the program on the host and answers as it does; `command` says the mark before it starts that. An abort is told to it, and the call rejects with the signal's
 * reason once it has rolled back.
 */
export async function callHost<C extends HostCall>(
  connection: SshConnection,
  command: string,
  call: C,
  args: HostArguments[C],
  ctx: OperationContext,
  { rollBack = lastWord, stdin, begun, line, wake }: HostCallOptions = {},
): Promise<HostAnswer<C>> {
  const { signal } = ctx;
  signal.throwIfAborted();
  const child = await started(connection, command, signal);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  child.on('error', error => {
    said = messageOf(error);
  });
  const closed = new Promise<number | null>(resolve => child.on('close', resolve));
  const say = (input: HostInput | object) => void child.stdin.write(`${JSON.stringify(input)}\n`);
  const room = new Room(dataWindow);
  let source: { readonly error: unknown } | undefined;
  let lost: { readonly error: unknown } | undefined;
  const isHeld = () => {
    try {
      ctx.lock?.assertHeld();
    } catch (error) {
      lost = { error };
    }
    return lost === undefined;
  };
  let timer: NodeJS.Timeout | undefined;
  const abort = () => {
    say({ abort: signal.reason instanceof Error ? signal.reason.name : 'AbortError' });
    timer = setTimeout(() => endChild(child), rollBack);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    ctx.lock?.assertHeld();
    say({ providerId: connection.providerId, call, args, claim: ctx.claim, isLocked: ctx.lock !== undefined });
    if (signal.aborted) abort();
    feed(stdin, room, say).catch((error: unknown) => {
      source = { error };
      say({ abort: 'AbortError' });
    });
    let isReached = false;
    let before = '';
    for await (const text of linesOf(child.stdout, longestJson)) {
      if (!isReached) {
        isReached = text === markLine;
        before = `${before}${text}\n`.slice(-2_000);
        continue;
      }
      const output = outputIn(text);
      if (!output) continue;
      if ('report' in output) ctx.report(output.report, output.fraction);
      else if ('line' in output) line?.(output.line);
      else if ('wake' in output) wake?.(output.wake ?? undefined);
      else if ('begun' in output) begun?.();
      else if ('taken' in output) room.give();
      else if ('prove' in output) say({ held: isHeld() });
      else if ('error' in output) throw lost?.error ?? errorOf(output.error);
      else if ('aborted' in output) break;
      else return answerOf(connection, call, output.result);
    }
    const code = await closed;
    if (source) throw source.error;
    signal.throwIfAborted();
    if (code === notThere) throw notPrepared(connection);
    const own = afterMark(said).trim();
    if (code === 255 || code === null || code < 0) throw connection.problem(own || 'the connection was lost');
    if (!isReached) throw connection.shellProblem(`${before}${said}`);
    throw programFailed(connection, `it ended with ${code}: ${own.slice(-500) || 'it said nothing'}`);
  } catch (error) {
    // What was ended has nothing to say of it.
    if (!(error instanceof SwarmError)) signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    room.close();
    child.stdin.end();
  }
}

/** The call's own `ssh`, unless its caller has gone before the connection is there. */
async function started(
  connection: SshConnection,
  command: string,
  signal: AbortSignal,
): Promise<ChildProcessWithoutNullStreams> {
  const starting = connection.start(command);
  const gone = Promise.withResolvers<never>();
  const abort = () => gone.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([starting, gone.promise]);
  } catch (error) {
    starting.then(endChild, () => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Undefined for what is none of the program's lines. */
function outputIn(text: string): HostOutput | undefined {
  try {
    return HostOutput.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function answerOf<C extends HostCall>(connection: SshConnection, call: C, result: unknown): HostAnswer<C> {
  const { data, error } = hostAnswers[call].safeParse(result);
  if (error) throw programFailed(connection, `its answer to "${call}" is not as promised`);
  return data as HostAnswer<C>;
}

type Told = Extract<HostOutput, { error: unknown }>['error'];
const errorOf = ({ hint, ...told }: Told) => new SwarmError({ ...told, ...(hint !== undefined && { hint }) });

const notPrepared = ({ target }: SshConnection) =>
  providerRefused(
    'ssh-host-not-prepared',
    `The editor server is not, or no longer, on ${target.host}.`,
    'Test the provider: that brings it there.',
  );

const programFailed = ({ target }: SshConnection, why: string) =>
  providerRefused(
    'ssh-host-program',
    `The program of Remote Swarm on ${target.host} failed: ${why}.`,
    'Look at the disk and the memory of the host, and try again.',
  );

/** How much may still be sent. */
class Room {
  #left: number;
  #closed = false;
  #wake = () => {};

  constructor(size: number) {
    this.#left = size;
  }

  give(): void {
    this.#left++;
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Resolves when there is some; false when nothing is taken any more. */
  async take(): Promise<boolean> {
    while (this.#left === 0 && !this.#closed) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    this.#left--;
    return !this.#closed;
  }
}

/** Sends all of the source, and its end. Rejects only when the source does. */
async function feed(
  source: AsyncIterable<Uint8Array> | undefined,
  room: Room,
  say: (input: HostInput) => void,
): Promise<void> {
  for await (const chunk of source ?? []) {
    if (!(await room.take())) return;
    say({ data: Buffer.from(chunk).toString('base64') });
  }
  say({ end: true });
}
