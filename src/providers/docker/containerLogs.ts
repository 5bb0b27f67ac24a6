import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { providerUnreachable } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceLogs, LogOptions } from '../../model/provider.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { linesIn, linesOf } from './frames.ts';

/** The last lines that the editor server printed, each after its time. The token is not in them: the server's launcher takes it out. */
export async function readLogs(
  engine: DockerEngine,
  containerId: string,
  { tail = 200, since }: LogOptions,
  ctx: OperationContext,
): Promise<InstanceLogs> {
  const after = since === undefined ? undefined : Date.parse(since);
  const log = await engine.call('Reading the logs', ctx, (docker, abortSignal) =>
    docker.getContainer(containerId).logs({
      follow: false,
      stdout: true,
      stderr: true,
      timestamps: true,
      // One more than wanted, which tells whether something was left out.
      tail: tail + 1,
      ...(after !== undefined && { since: after / 1000 }),
      abortSignal,
    }),
  );
  const lines = await linesIn(log);
  const wanted = after === undefined ? lines : lines.filter(line => timeOf(line) > after);
  return { lines: tail === 0 ? [] : wanted.slice(-tail), truncated: wanted.length > tail };
}

/** Gives each line to `sink` from now on. Resolves when the server has ended, and not when only the stream has. */
export async function followLogs(
  engine: DockerEngine,
  containerId: string,
  sink: (line: string) => void,
  stillRuns: () => Promise<boolean>,
  ctx: OperationContext,
): Promise<void> {
  const source = (await engine.call('Following the logs', ctx, docker =>
    docker.getContainer(containerId).logs({ follow: true, stdout: true, stderr: true, timestamps: true, tail: 0 }),
  )) as unknown as Readable;
  const abort = () => source.destroy();
  ctx.signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const line of linesOf(source)) sink(line);
  } catch {
    // A connection that was cut is told from a server that ended by the question below.
  } finally {
    ctx.signal.removeEventListener('abort', abort);
    source.destroy();
  }
  // The engine ends the stream a moment before it notes that the server has ended.
  for (let look = 0; look < 20; look++) {
    ctx.signal.throwIfAborted();
    if (!(await stillRuns())) return;
    await sleep(100, undefined, { signal: ctx.signal });
  }
  throw providerUnreachable(engine.providerId, 'the stream of the log was lost', 'Open the log again.');
}

const timeOf = (line: string) => Date.parse(line.slice(0, line.indexOf(' ')));
