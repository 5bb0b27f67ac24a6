import type { Readable } from 'node:stream';
import * as z from 'zod';
import { messageOf, providerRefused, providerUnreachable } from '../../model/errors.ts';
import { linesOf, longestJson } from '../../model/linesOf.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import { pinned } from '../pinnedImage.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus, translateEngineError } from './engineErrors.ts';

/** A pull that says nothing for so long hangs. */
const patience = 120_000;

const PullLine = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string() }).optional(),
});
type PullLine = z.infer<typeof PullLine>;

/** What an engine calls an image by its content, whether a registry has it or not. */
export const isEngineId = (reference: string): boolean => /^sha256:[0-9a-f]{64}$/.test(reference);

/** An image that an engine has. */
export interface EngineImage {
  readonly id: string;
  /** The same by the digest that its registry has, with its name; by its id when no registry is known to have it. */
  readonly pinned: string;
  /** The processor that it says it is for; empty when it says nothing. */
  readonly architecture: string;
  /** Its own variables, as `NAME=value`. */
  readonly env: readonly string[];
}

/** Pulled when it is not there; with `renew` whenever its registry has it. */
export async function ensureImage(
  engine: DockerEngine,
  reference: string,
  ctx: OperationContext,
  renew = false,
): Promise<EngineImage> {
  const find = async () => {
    try {
      const { Id, RepoDigests, Architecture, Config } = await engine.call(
        `Looking for the image ${reference}`,
        ctx,
        docker => docker.getImage(reference).inspect(),
      );
      return {
        id: Id,
        pinned: pinnedReference(reference, Id, RepoDigests ?? []),
        architecture: Architecture ?? '',
        env: Config?.Env ?? [],
      };
    } catch (error) {
      if (engineStatus(error) !== 404) throw error;
      return undefined;
    }
  };
  const there = await find();
  if (there && !renew) return there;
  if (isEngineId(reference)) throw imageGone(engine.providerId, reference);
  try {
    await pullImage(engine, reference, ctx);
  } catch (error) {
    ctx.signal.throwIfAborted();
    // It was made on the engine, or its registry does not answer.
    if (there) return there;
    throw error;
  }
  const pulled = await find();
  if (pulled) return pulled;
  throw imageGone(engine.providerId, reference);
}

/** Pure: the reference with the digest that its own repository has for the image, of those that the engine knows. */
export function pinnedReference(reference: string, id: string, repoDigests: readonly string[]): string {
  if (reference.includes('@') || isEngineId(reference)) return reference;
  const repository = familiar(reference.replace(/:[^:/]*$/, ''));
  const [, digest] =
    repoDigests.map(known => known.split('@', 2)).find(([of = '']) => familiar(of) === repository) ?? [];
  return digest === undefined ? id : pinned(reference, digest);
}

/** As engines show it: without what goes without saying. */
const familiar = (repository: string) =>
  repository.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\/(?=[^/]+$)/, '');

const imageGone = (providerId: string, image: string) =>
  providerRefused(
    'image-not-found',
    `The Docker engine "${providerId}" no longer has the image that the instance was made of, ${image}, and no registry is known to have it.`,
    'Load it there again, or choose an image for the instance.',
  );

/**
 * Pulls one image, says how far it is, and ends the pull when the context is cancelled. The person's credentials for its
 * registry are used only where the context says so.
 */
async function pullImage(engine: DockerEngine, reference: string, ctx: OperationContext): Promise<void> {
  const doing = `Pulling the image ${reference}`;
  const silence = new AbortController();
  const signal = AbortSignal.any([ctx.signal, silence.signal]);
  const timer = setTimeout(() => silence.abort(), patience);
  let stream: Readable | undefined;
  let unavailable: unknown;
  // Most images are for everybody.
  const noted = (error: unknown) => {
    signal.throwIfAborted();
    unavailable = error;
    return undefined;
  };
  const abort = () => stream?.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    ctx.report(doing);
    const auth = ctx.pullsAsPerson ? await engine.credentials.of(reference, signal).catch(noted) : undefined;
    timer.refresh();
    stream = (await engine.call(
      doing,
      ctx,
      docker => docker.pull(reference, { abortSignal: signal, ...(auth && { authconfig: auth }) }),
      patience,
    )) as Readable;
    const progress = new PullProgress();
    for await (const line of jsonLines(stream)) {
      timer.refresh();
      const failure = line.errorDetail?.message ?? line.error;
      if (failure !== undefined) throw new Error(failure);
      progress.note(line);
      ctx.report(`${doing}: ${progress.summary}`, progress.fraction);
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (silence.signal.aborted) {
      const hint = 'The registry may be slow. Try again; layers that are there already are not loaded twice.';
      throw providerUnreachable(engine.providerId, `${doing} stood still for ${patience / 1000} s`, hint);
    }
    const failed = translateEngineError(error, { providerId: engine.providerId, address: 'the engine', doing });
    throw failed.code === 'image-not-found' && unavailable ? unavailable : failed;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    stream?.destroy();
  }
}

/** How far all layers are together, downloading counted for four fifths and unpacking for the rest. */
export class PullProgress {
  readonly #layers = new Map<string, { size: number; downloaded: number; unpacked: number }>();

  note({ id, status = '', progressDetail = {} }: PullLine): void {
    if (
      !id ||
      !/^(Pulling fs layer|Waiting|Downloading|Verifying|Download complete|Extracting|Pull complete|Already)/.test(
        status,
      )
    )
      return;
    const layer = this.#layers.get(id) ?? { size: 0, downloaded: 0, unpacked: 0 };
    const { current = 0, total = 0 } = progressDetail;
    layer.size = Math.max(layer.size, total);
    if (status === 'Downloading' && total > 0) layer.downloaded = current / total;
    if (/^(Verifying|Download complete|Extracting)/.test(status)) layer.downloaded = 1;
    if (status === 'Extracting' && total > 0) layer.unpacked = current / total;
    if (/^(Pull complete|Already)/.test(status)) Object.assign(layer, { downloaded: 1, unpacked: 1 });
    this.#layers.set(id, layer);
  }

  get summary(): string {
    const layers = [...this.#layers.values()];
    return `${layers.filter(({ unpacked }) => unpacked === 1).length} of ${layers.length} layers`;
  }

  get fraction(): number {
    const layers = [...this.#layers.values()];
    // A layer whose size is not known yet counts as a small one.
    const weight = ({ size }: { size: number }) => Math.max(size, 1024);
    const whole = layers.reduce((sum, layer) => sum + weight(layer), 0);
    const done = layers.reduce(
      (sum, layer) => sum + weight(layer) * (0.8 * layer.downloaded + 0.2 * layer.unpacked),
      0,
    );
    return whole === 0 ? 0 : done / whole;
  }
}

async function* jsonLines(stream: Readable): AsyncGenerator<PullLine> {
  for await (const line of linesOf(stream, longestJson)) {
    if (line.trim() === '') continue;
    try {
      yield PullLine.parse(JSON.parse(line));
    } catch (error) {
      throw new Error(`the engine's progress can't be read: ${messageOf(error)}`);
    }
  }
}
