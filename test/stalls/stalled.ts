import { AsyncLocalStorage } from 'node:async_hooks';

/** A process, as far as it can be stopped where it waits. */
export interface Stallable {
  /** It is about to go on from there; a promise when it may not do so yet. */
  reach(point: string): Promise<void> | undefined;
}

/** Who runs now; nobody for what belongs to no process. */
export const running = new AsyncLocalStorage<Stallable>();

/** What source that was rewritten waits for. */
export async function stalled<T>(point: string, waited: T): Promise<Awaited<T>> {
  const process = running.getStore();
  try {
    return await waited;
  } finally {
    const held = process?.reach(point);
    if (held) await held;
  }
}

export async function* stalledEach<T>(point: string, waited: AsyncIterable<T>): AsyncGenerator<T> {
  const process = running.getStore();
  for await (const each of waited) {
    const held = process?.reach(point);
    if (held) await held;
    yield each;
  }
}
