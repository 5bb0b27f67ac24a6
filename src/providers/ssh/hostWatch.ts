import { setTimeout as sleep } from 'node:timers/promises';
import type { Disposable } from '../../model/event.ts';
import type { SshProvider } from './sshProvider.ts';

const firstPause = 1_000;
const longestPause = 30_000;

/**
 * Has the host tell which instance changed. When it is lost that is told as `undefined`, and it begins again, with
 * growing pauses; then `undefined` is told once more, since changes were missed.
 */
export class HostWatch implements Disposable {
  readonly #stop = new AbortController();

  constructor(provider: SshProvider, wake: (instanceId: string | undefined) => void) {
    void this.#listen(provider, wake);
  }

  dispose(): void {
    this.#stop.abort();
  }

  async #listen(provider: SshProvider, wake: (instanceId: string | undefined) => void): Promise<void> {
    const { signal } = this.#stop;
    let missed = false;
    for (let pause = firstPause; !signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      let open = false;
      const begun = () => {
        open = true;
        pause = firstPause;
        if (missed) wake(undefined);
      };
      // Whoever asks the host next learns why it failed; here only the silence matters.
      await provider.stream('watch', [], { signal, report: () => {} }, { begun, wake }).catch(() => {});
      if (signal.aborted) return;
      if (open) wake(undefined);
      missed = true;
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
