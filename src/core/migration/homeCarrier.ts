import * as z from 'zod';
import { type HomeDifference, type HomeFacts, HomeNames, type HomeSize } from '../../model/homeArchive.ts';
import { homeEntriesIn } from '../../model/homeEntries.ts';
import { homeMissing, homeSilent, homeTaskFailed } from '../../model/homeErrors.ts';
import type { LockedContext, OperationContext } from '../../model/operationContext.ts';
import type { HomeProcess, HomeTask, Provider } from '../../model/provider.ts';
import { differenceOf } from './homeDifference.ts';
import { LockWatch } from './lockWatch.ts';
import { longestSilence, SilenceWatch } from './silenceWatch.ts';

/** How homes are compared, and brought from one provider to another. */
export interface HomeCarrier {
  /** Whether it can do so at this provider. */
  reaches(provider: Provider): boolean;
  /** Reads the whole home, of an instance that runs or not. */
  look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts>;
  /**
   * Makes the home at the target equal with the source's; what the target has already may be left as it is. `tell` is
   * called with the bytes of each piece that is on its way.
   */
  copy(
    source: Provider,
    target: Provider,
    instanceId: string,
    ctx: LockedContext,
    tell?: (bytes: number) => void,
  ): Promise<HomeSize>;
  /** In what the home there differs from the one here. */
  compare(here: Provider, there: Provider, instanceId: string, ctx: OperationContext): Promise<HomeDifference>;
}

/** The last line of what `home.mjs` writes; without it, what came was cut off. */
export const Size = z.object({ bytes: z.int().min(0), files: z.int().min(0) });
const Facts = Size.extend({
  solid: z.int().min(0),
  digest: z.string().regex(/^[a-f0-9]{64}$/),
  skipped: HomeNames,
  attributed: HomeNames,
  foreign: HomeNames,
});

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

  look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts> {
    return together(ctx, async start => {
      const reader = await start(provider, instanceId, 'digest');
      return answerOf(reader, Facts, instanceId, provider);
    });
  }

  copy(
    source: Provider,
    target: Provider,
    instanceId: string,
    ctx: LockedContext,
    tell?: (bytes: number) => void,
  ): Promise<HomeSize> {
    return together(ctx, async start => {
      const [there, outgoing, incoming] = await Promise.all([
        start(target, instanceId, 'list'),
        start(source, instanceId, 'export'),
        start(target, instanceId, 'import'),
      ]);
      const told = progress(ctx);
      const [size] = await Promise.all([
        answerOf(incoming, Size, instanceId, target),
        pour(there, outgoing, () => {}),
        pour(outgoing, whileHeld(incoming, ctx), bytes => {
          told(bytes);
          tell?.(bytes);
        }),
        there.done,
        outgoing.done,
      ]);
      return size;
    });
  }

  compare(here: Provider, there: Provider, instanceId: string, ctx: OperationContext): Promise<HomeDifference> {
    return together(ctx, async start => {
      const homes = await Promise.all([start(here, instanceId, 'list'), start(there, instanceId, 'list')]);
      const [ours, theirs] = homes.map(({ output }) => homeEntriesIn(output)) as [HomeEntries, HomeEntries];
      const difference = await differenceOf(ours, theirs);
      await Promise.all(homes.map(({ done }) => done));
      return difference;
    });
  }
}

type HomeEntries = ReturnType<typeof homeEntriesIn>;

export type Start = (provider: Provider, instanceId: string, task: HomeTask) => Promise<HomeProcess>;

/** A program that was started. */
interface Worker {
  readonly providerId: string;
  readonly opening: Promise<HomeProcess>;
  /** Undefined until it is there. */
  program?: HomeProcess;
  hasEnded: boolean;
}

/**
 * Programs that end together: with the work, with the first that fails, with the context, when all are silent, or when the
 * lock is lost, after which no home gets anything more (semantics 44).
 */
export async function together<T>(ctx: OperationContext, work: (start: Start) => Promise<T>): Promise<T> {
  const workers: Worker[] = [];
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(ctx.signal.reason);
  ctx.signal.addEventListener('abort', abort, { once: true });
  const watch = new SilenceWatch(
    () => signsOf(workers),
    () => homeSilent(namesOf(workers.filter(({ hasEnded }) => !hasEnded)), longestSilence),
  );
  const lockWatch = ctx.lock && new LockWatch(ctx.lock);
  const start: Start = async (provider, instanceId, task) => {
    ctx.signal.throwIfAborted();
    ctx.lock?.assertHeld();
    const { openHome } = provider.abilities;
    if (!openHome) throw homeMissing(instanceId, provider.id);
    const opening = openHome.call(provider.abilities, instanceId, task, ctx);
    const worker: Worker = { providerId: provider.id, opening, hasEnded: false };
    workers.push(worker);
    const program = await opening;
    worker.program = program;
    const end = () => {
      worker.hasEnded = true;
    };
    program.done.then(end, end);
    const { output, done } = program;
    const write = async (chunk: Uint8Array) => {
      lockWatch?.prove();
      await program.write(chunk);
    };
    return { output, done, write, signs: () => program.signs(), end: () => program.end() };
  };
  try {
    const ends = [aborted.promise, watch.silence, ...(lockWatch ? [lockWatch.loss] : [])];
    return await Promise.race([work(start), ...ends]);
  } finally {
    watch.stop();
    lockWatch?.stop();
    ctx.signal.removeEventListener('abort', abort);
    await Promise.all(
      workers.map(({ opening }) =>
        opening.then(
          program => program.end(),
          () => {},
        ),
      ),
    );
  }
}

/** Undefined while there is nothing to be heard: an opening has a time-out of its own. */
function signsOf(workers: readonly Worker[]): number | undefined {
  if (workers.some(({ program }) => !program) || workers.every(({ hasEnded }) => hasEnded)) return undefined;
  return workers.reduce((sum, { program }) => sum + (program?.signs() ?? 0), 0);
}

const namesOf = (workers: readonly Worker[]) => [...new Set(workers.map(({ providerId }) => providerId))];

/** What a program says last, once it has ended well. */
export async function answerOf<T>(
  worker: HomeProcess,
  schema: z.ZodType<T>,
  instanceId: string,
  provider: Provider,
): Promise<T> {
  let tail = '';
  const decoder = new TextDecoder('latin1');
  for await (const chunk of worker.output) tail = (tail + decoder.decode(chunk)).slice(-longestLine);
  await worker.done;
  try {
    return schema.parse(JSON.parse(tail.trimEnd().split('\n').at(-1) ?? ''));
  } catch {
    throw homeTaskFailed(instanceId, provider.id, 'what it told was cut off');
  }
}

/**
 * All of one program's output into another one, which sees by itself where that ends: its input stays open, since an
 * engine may drop what it still holds when an input is closed.
 */
export async function pour(
  from: Pick<HomeProcess, 'output'>,
  to: Pick<HomeProcess, 'write'>,
  tell: (bytes: number) => void,
): Promise<void> {
  for await (const chunk of from.output) {
    tell(chunk.length);
    await to.write(chunk);
  }
}

/** A program that changes a home is given more only while the lock is held (semantics 44). */
export const whileHeld = (program: HomeProcess, { lock }: LockedContext): Pick<HomeProcess, 'write'> => ({
  write: async chunk => {
    lock.assertHeld();
    await program.write(chunk);
  },
});

export function progress(ctx: OperationContext): (bytes: number) => void {
  let sum = 0;
  let reported = performance.now();
  return bytes => {
    sum += bytes;
    if (performance.now() - reported < reportEvery) return;
    reported = performance.now();
    ctx.report(`Copying the home: ${(sum / 1e6).toFixed(0)} MB`);
  };
}
