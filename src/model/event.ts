/** Something that must be ended by whoever made it. */
export interface Disposable {
  dispose(): void;
}

/** Subscribes; events announce what has happened, and never steer. */
export type Event<T> = (listener: (event: T) => void) => Disposable;

/** The owner's side of an {@link Event}. A listener that throws does not stop the others; its error is rethrown last. */
export class Emitter<T> {
  readonly #listeners = new Set<(event: T) => void>();

  readonly event: Event<T> = listener => {
    this.#listeners.add(listener);
    return { dispose: () => void this.#listeners.delete(listener) };
  };

  fire(event: T): void {
    const errors: unknown[] = [];
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'An event listener failed.');
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
