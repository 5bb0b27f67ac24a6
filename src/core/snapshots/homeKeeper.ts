import { SwarmError } from '../../model/errors.ts';
import type { HomeArchive, HomeFacts, HomeSize } from '../../model/homeArchive.ts';
import type { LockedContext, OperationContext } from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';
import { answerOf, pour, progress, Size, together, whileHeld } from '../migration/homeCarrier.ts';

/** Homes between their providers and the archive. */
export interface HomeKeeper {
  /**
   * Keeps the home, of an instance that runs or not, as a snapshot; of what `base` has, unless that is damaged, only what
   * is another now.
   */
  keep(
    provider: Provider,
    instanceId: string,
    snapshot: { readonly id: string; readonly base: string | undefined },
    ctx: OperationContext,
  ): Promise<HomeFacts & { readonly added: number }>;
  /** Makes the home equal with a snapshot. */
  bringBack(provider: Provider, instanceId: string, snapshotId: string, ctx: LockedContext): Promise<HomeSize>;
  forget(snapshotIds: readonly string[]): Promise<void>;
}

/** Through programs that run beside the homes, which take the archive for another home. */
export class StreamKeeper implements HomeKeeper {
  readonly #archive: HomeArchive;

  constructor(archive: HomeArchive) {
    this.#archive = archive;
  }

  async keep(
    provider: Provider,
    instanceId: string,
    snapshot: { readonly id: string; readonly base: string | undefined },
    ctx: OperationContext,
  ): Promise<HomeFacts & { readonly added: number }> {
    try {
      return await this.#keep(provider, instanceId, snapshot, ctx);
    } catch (error) {
      const isDamaged = error instanceof SwarmError && error.code === 'snapshot-damaged';
      if (!isDamaged || snapshot.base === undefined) throw error;
      return this.#keep(provider, instanceId, { ...snapshot, base: undefined }, ctx);
    }
  }

  #keep(
    provider: Provider,
    instanceId: string,
    { id, base }: { readonly id: string; readonly base: string | undefined },
    ctx: OperationContext,
  ): Promise<HomeFacts & { readonly added: number }> {
    return together(ctx, async start => {
      const outgoing = await start(provider, instanceId, 'export');
      const known = base === undefined ? nothingKnown() : this.#archive.manifest(base);
      const [facts] = await Promise.all([
        this.#archive.save(id, base, counted(outgoing.output, progress(ctx))),
        pour({ output: known }, outgoing, () => {}),
        outgoing.done,
      ]);
      return facts;
    });
  }

  bringBack(provider: Provider, instanceId: string, snapshotId: string, ctx: LockedContext): Promise<HomeSize> {
    return together(ctx, async start => {
      const there = await start(provider, instanceId, 'list');
      const incoming = await start(provider, instanceId, 'import');
      const [size] = await Promise.all([
        answerOf(incoming, Size, instanceId, provider),
        pour({ output: this.#archive.load(snapshotId, there.output) }, whileHeld(incoming, ctx), progress(ctx)),
        there.done,
      ]);
      return size;
    });
  }

  forget(snapshotIds: readonly string[]): Promise<void> {
    return this.#archive.forget(snapshotIds);
  }
}

/** The list of a home that holds nothing. */
async function* nothingKnown(): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify({ digest: '' })}\n`);
}

async function* counted(stream: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    tell(chunk.length);
    yield chunk;
  }
}
