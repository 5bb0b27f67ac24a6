import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { homeMissing } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { HomeProcess, HomeTask, Provider } from '../../model/provider.ts';

/** What a home holds; the digest is equal for two homes only when they are (semantics 16). */
export interface HomeSize {
  readonly bytes: number;
  readonly files: number;
}
export interface HomeFacts extends HomeSize {
  readonly digest: string;
}

/** How homes are compared, and brought from one provider to another. */
export interface HomeCarrier {
  /** Whether it can do so at this provider. */
  reaches(provider: Provider): boolean;
  /** Reads the whole home, of an instance that runs or not. */
  look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts>;
  /** Makes the home at the target equal with the source's; what the target has already may be left as it is. */
  copy(source: Provider, target: Provider, instanceId: string, ctx: OperationContext): Promise<HomeSize>;
}

/** The last line of what `home.mjs` writes. */
const Size = z.object({ bytes: z.int().min(0), files: z.int().min(0) });
const Facts = Size.extend({ digest: z.string().regex(/^[a-f0-9]{64}$/) });

/** More than any last line has. */
const longestLine = 1024 * 1024;
const reportEvery = 500;

/**
 * Through programs that run beside the homes, piped into each other: what the target has goes to the source, and what
 * it lacks comes back. Nothing is held here but what is on its way.
 */
export class StreamCarrier implements HomeCarrier {
  reaches(provider: Provider): boolean {
    return provider.abilities.openHome !== undefined;
  }

  async look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts> {
    const process = await open(provider, instanceId, 'digest', ctx);
    try {
      process.stdin.end();
      const [line] = await Promise.all([lastLine(process, ctx.signal), process.done]);
      return Facts.parse(JSON.parse(line));
    } finally {
      await process.end();
    }
  }

  async copy(source: Provider, target: Provider, instanceId: string, ctx: OperationContext): Promise<HomeSize> {
    const opened: HomeProcess[] = [];
    const start = async (provider: Provider, task: HomeTask) => {
      const process = await open(provider, instanceId, task, ctx);
      opened.push(process);
      return process;
    };
    try {
      const there = await start(target, 'digest');
      const outgoing = await start(source, 'export');
      const incoming = await start(target, 'import');
      const { signal } = ctx;
      there.stdin.end();
      const [line] = await Promise.all([
        lastLine(incoming, signal),
        pipeline(there.stdout, outgoing.stdin, { signal }),
        pipeline(outgoing.stdout, counting(ctx), incoming.stdin, { signal }),
        ...opened.map(({ done }) => done),
      ]);
      return Size.parse(JSON.parse(line));
    } catch (error) {
      ctx.signal.throwIfAborted();
      // That a stream broke is told better by the program at its end.
      throw (await saidBy(opened)) ?? error;
    } finally {
      await Promise.all(opened.map(process => process.end()));
    }
  }
}

function open(provider: Provider, instanceId: string, task: HomeTask, ctx: OperationContext): Promise<HomeProcess> {
  const { openHome } = provider.abilities;
  if (!openHome) throw homeMissing(instanceId, provider.id);
  return openHome.call(provider.abilities, instanceId, task, ctx);
}

/** Why one of them failed; undefined when none has, within the moment that an end takes. */
async function saidBy(processes: readonly HomeProcess[]): Promise<unknown> {
  await Promise.all(processes.map(process => process.end()));
  const outcomes = await Promise.allSettled(processes.map(({ done }) => done));
  return outcomes.find(outcome => outcome.status === 'rejected')?.reason;
}

async function lastLine({ stdout }: HomeProcess, signal: AbortSignal): Promise<string> {
  let tail = '';
  await pipeline(
    stdout,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) tail = (tail + chunk.toString('latin1')).slice(-longestLine);
    },
    { signal },
  );
  return tail.trimEnd().split('\n').at(-1) ?? '';
}

/** Lets everything through and reports how much it was. */
function counting(ctx: OperationContext): Transform {
  let bytes = 0;
  let reported = performance.now();
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      if (performance.now() - reported > reportEvery) {
        reported = performance.now();
        ctx.report(`Copying the home: ${(bytes / 1e6).toFixed(0)} MB`);
      }
      next(undefined, chunk);
    },
  });
}
