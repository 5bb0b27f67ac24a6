import { createHash } from 'node:crypto';
import type { HomeKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import type { HomeFacts, HomeSize } from '../../src/model/homeArchive.ts';
import { homeMissing, snapshotDamaged } from '../../src/model/homeErrors.ts';
import type { OperationContext } from '../../src/model/operationContext.ts';
import type { Provider } from '../../src/model/provider.ts';
import { contentOf, fill } from './memoryCarrier.ts';

/** {@link HomeKeeper} of memory places whose homes are one text each. */
export class MemoryKeeper implements HomeKeeper {
  readonly kept = new Map<string, string>();

  async keep(
    provider: Provider,
    instanceId: string,
    { id }: { readonly id: string },
    ctx: OperationContext,
  ): Promise<HomeFacts & { readonly added: number }> {
    ctx.signal.throwIfAborted();
    const text = contentOf(provider, instanceId);
    if (text === undefined) throw homeMissing(instanceId, provider.id);
    this.kept.set(id, text);
    const digest = createHash('sha256').update(text).digest('hex');
    return { digest, bytes: text.length, files: 1, skipped: { count: 0, names: [] }, added: text.length };
  }

  async bringBack(
    provider: Provider,
    instanceId: string,
    snapshotId: string,
    ctx: OperationContext,
  ): Promise<HomeSize> {
    ctx.signal.throwIfAborted();
    const text = this.kept.get(snapshotId);
    if (text === undefined) throw snapshotDamaged(snapshotId, new Error('it is not there'));
    fill(provider, instanceId, text);
    return { bytes: text.length, files: 1 };
  }

  async forget(snapshotIds: readonly string[]): Promise<void> {
    for (const id of snapshotIds) this.kept.delete(id);
  }
}
