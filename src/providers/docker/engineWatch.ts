import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disposable } from '../../model/event.ts';
import { linesOf, longestJson } from '../../model/linesOf.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { label } from './instanceContainer.ts';

const firstPause = 1_000;
const longestPause = 30_000;
/** Podman looks for ends by its own words, and tells them by Docker's. */
const events = ['create', 'start', 'die', 'died', 'destroy', 'remove', 'rename', 'pause', 'unpause', 'update', 'oom'];

/**
 * Listens to the engine's events about our containers and tells which instance changed. A stream that is lost is told as
 * `undefined` and opened again, with growing pauses; then `undefined` is told once more, since events were missed and
 * are never replayed.
 */
export class EngineWatch implements Disposable {
  readonly #stop = new AbortController();

  constructor(engine: DockerEngine, wake: (instanceId: string | undefined) => void) {
    void this.#listen(engine, wake);
  }

  dispose(): void {
    this.#stop.abort();
  }

  async #listen(engine: DockerEngine, wake: (instanceId: string | undefined) => void): Promise<void> {
    const { signal } = this.#stop;
    let missed = false;
    for (let pause = firstPause; !signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      let open = false;
      try {
        const stream = await openEvents(engine, signal);
        open = true;
        pause = firstPause;
        if (missed) wake(undefined);
        await deliver(stream, signal, wake);
      } catch {
        // Whoever asks the engine next learns the reason; here only the silence matters.
      }
      if (signal.aborted) return;
      if (open) wake(undefined);
      missed = true;
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

async function openEvents(engine: DockerEngine, signal: AbortSignal): Promise<Readable> {
  const ctx = { signal, report: () => {} };
  // Not by our label: not each engine finds one whose value is not named, and the event itself tells.
  const filters = { type: ['container'], event: events };
  return (await engine.call('Listening to events', ctx, docker =>
    // Filters as text: dockerode's types know fewer of them than the engine.
    docker.getEvents({ filters: JSON.stringify(filters) }),
  )) as unknown as Readable;
}

async function deliver(stream: Readable, signal: AbortSignal, wake: (instanceId: string | undefined) => void) {
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) return;
    for await (const line of linesOf(stream, longestJson)) {
      const id = instanceOf(line);
      if (id !== undefined && !signal.aborted) wake(id);
    }
  } finally {
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

/** Pure: the instance that an event is about. */
export function instanceOf(line: string): string | undefined {
  try {
    const id: unknown = JSON.parse(line)?.Actor?.Attributes?.[label.instance];
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
