/** Milliseconds between two looks at whether something came, and how many in vain mean that something hangs. */
const lookEvery = 5_000;
const looksInVain = 12;
export const longestSilence = (lookEvery * looksInVain) / 1_000;

/**
 * Rejects once `signs`, which grows with all that comes, was the same for a minute; undefined says that nothing is to
 * come now. Looks are counted, since time in which this window itself stood still proves nothing.
 */
export class SilenceWatch {
  readonly silence: Promise<never>;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(signs: () => number | undefined, failure: () => Error) {
    const silence = Promise.withResolvers<never>();
    this.silence = silence.promise;
    let before: number | undefined;
    let inVain = 0;
    const look = () => {
      const now = signs();
      inVain = now !== undefined && now === before ? inVain + 1 : 0;
      before = now;
      if (inVain >= looksInVain) silence.reject(failure());
      else this.#timer = setTimeout(look, lookEvery);
    };
    look();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
