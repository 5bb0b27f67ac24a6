import { Emitter } from '../../src/model/event.ts';
import type { ObserverLease } from '../../src/model/stateStore.ts';

/** What the windows of a test contend for. */
export class ObserverSeat {
  /** In the order of their coming. */
  readonly waiting = new Set<MemoryLease>();
  epoch = 0;
  holder: MemoryLease | undefined;

  /** Gives the seat to the one who waits longest, when there is one. The holder of before knows it when it asks. */
  pass(): void {
    const [next] = this.waiting;
    this.holder = next;
    if (next === undefined) return;
    this.waiting.delete(next);
    this.epoch += 1;
    next.hold(this.epoch);
  }
}

/** {@link ObserverLease} in memory; leases on one {@link ObserverSeat} see each other as windows do. */
export class MemoryLease implements ObserverLease {
  readonly #seat: ObserverSeat;
  readonly #changes = new Emitter<void>();
  #epoch: number | undefined;

  readonly onDidChange = this.#changes.event;

  constructor(seat: ObserverSeat = new ObserverSeat()) {
    this.#seat = seat;
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  isHeld(): boolean {
    if (this.#epoch === undefined) return false;
    if (this.#seat.holder === this) return true;
    this.#epoch = undefined;
    this.#tell();
    this.start();
    return false;
  }

  start(): void {
    if (this.#epoch !== undefined) return;
    this.#seat.waiting.add(this);
    if (this.#seat.holder === undefined) this.#seat.pass();
  }

  resign(): void {
    const wasHeld = this.#epoch !== undefined;
    this.#epoch = undefined;
    this.#seat.waiting.delete(this);
    if (this.#seat.holder === this) this.#seat.pass();
    if (wasHeld) this.#tell();
  }

  dispose(): void {
    this.#changes.dispose();
    this.resign();
  }

  /** The seat's word that it is this one's now. */
  hold(epoch: number): void {
    this.#epoch = epoch;
    this.#tell();
  }

  #tell(): void {
    queueMicrotask(() => this.#changes.fire());
  }
}
