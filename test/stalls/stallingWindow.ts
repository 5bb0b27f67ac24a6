import { running, type Stallable } from './stalled.ts';

/** Where a window is stopped: at a point, when it comes there for the so-many-th time, counted from 1. */
export interface Stall {
  readonly point: string;
  readonly time: number;
}

/** A process whose act is written down point by point, and which may be stopped, whole, at one of them. */
export class StallingWindow implements Stallable {
  /** The points that its act came to, in their order, and whether it held a lock there. */
  readonly reached: { readonly point: string; readonly locked: boolean }[] = [];
  readonly #times = new Map<string, number>();
  readonly #holdsLock: () => boolean;
  #counts = false;
  #frozen: PromiseWithResolvers<void> | undefined;

  constructor(holdsLock: (window: StallingWindow) => boolean) {
    this.#holdsLock = () => holdsLock(this);
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** What is done within `work` is done by this process. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return running.run(this, work);
  }

  /** The same, written down, with all that comes of it; `stopped` is called where it is stopped. */
  act<T>(work: () => Promise<T>, stall?: Stall, stopped: () => void = () => {}): Promise<T> {
    const reach = (point: string) => {
      if (this.#counts && !this.#frozen && this.#note(point, stall)) {
        this.#frozen = Promise.withResolvers();
        // What comes of that is not this window's to do.
        running.exit(stopped);
      }
      return this.reach();
    };
    this.#counts = true;
    return running.run({ reach }, work);
  }

  /** No point that it comes to from now on is a part of its act. */
  endAct(): void {
    this.#counts = false;
  }

  reach(): Promise<void> | undefined {
    return this.#frozen?.promise;
  }

  /** It goes on, and knows nothing of the time that went by. */
  wake(): void {
    this.#frozen?.resolve();
    this.#frozen = undefined;
  }

  /** Whether it is to be stopped there. */
  #note(point: string, stall: Stall | undefined): boolean {
    const time = (this.#times.get(point) ?? 0) + 1;
    this.#times.set(point, time);
    this.reached.push({ point, locked: this.#holdsLock() });
    return stall?.point === point && stall.time === time;
  }
}
