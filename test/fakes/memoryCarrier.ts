import { createHash } from 'node:crypto';
import type { HomeCarrier } from '../../src/core/migration/homeCarrier.ts';
import type { HomeDifference, HomeFacts, HomeSize } from '../../src/model/homeArchive.ts';
import { homeMissing } from '../../src/model/homeErrors.ts';
import type { OperationContext } from '../../src/model/operationContext.ts';
import type { Provider } from '../../src/model/provider.ts';
import type { MemoryHome } from './memoryPlace.ts';
import { MemoryProvider } from './memoryProvider.ts';

/** What is in a home of a memory place; it goes where the home goes. */
const contents = new WeakMap<MemoryHome, string>();

const nothing = { count: 0, names: [] };

/** {@link HomeCarrier} between memory places whose homes are one text each. */
export class MemoryCarrier implements HomeCarrier {
  /** Awaited at the beginning and the end of each call. */
  step: () => Promise<void> = async () => {};

  reaches(provider: Provider): boolean {
    return provider instanceof MemoryProvider;
  }

  async look(provider: Provider, instanceId: string, ctx: OperationContext): Promise<HomeFacts> {
    ctx.signal.throwIfAborted();
    await this.step();
    const text = wholeOf(provider, instanceId);
    await this.step();
    return { digest: createHash('sha256').update(text).digest('hex'), bytes: text.length, files: 1, skipped: nothing };
  }

  async copy(
    source: Provider,
    target: Provider,
    instanceId: string,
    ctx: OperationContext,
    tell?: (bytes: number) => void,
  ): Promise<HomeSize> {
    ctx.signal.throwIfAborted();
    await this.step();
    const text = wholeOf(source, instanceId);
    fill(target, instanceId, text);
    tell?.(text.length);
    await this.step();
    return { bytes: text.length, files: 1 };
  }

  async compare(here: Provider, there: Provider, instanceId: string, ctx: OperationContext): Promise<HomeDifference> {
    ctx.signal.throwIfAborted();
    const [ours, theirs] = [wholeOf(here, instanceId), wholeOf(there, instanceId)];
    if (ours === theirs) return { count: 0, changes: [] };
    return { count: 1, changes: [{ path: 'text', what: 'changed', bytes: theirs.length }] };
  }
}

/** Undefined when there is no home. */
export function contentOf(provider: Provider, instanceId: string): string | undefined {
  const home = homeOf(provider, instanceId);
  return home && (contents.get(home) ?? '');
}

function wholeOf(provider: Provider, instanceId: string): string {
  const text = contentOf(provider, instanceId);
  if (text === undefined) throw homeMissing(instanceId, provider.id);
  return text;
}

export function fill(provider: Provider, instanceId: string, text: string): void {
  const home = homeOf(provider, instanceId);
  if (!home) throw homeMissing(instanceId, provider.id);
  contents.set(home, text);
}

const homeOf = (provider: Provider, instanceId: string) =>
  provider instanceof MemoryProvider ? provider.place.homesOf.get(instanceId) : undefined;
