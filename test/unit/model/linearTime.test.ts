import { expect, it } from 'vitest';
import { GitUrl } from '../../../src/model/instance.ts';

const millisecondsOf = (text: string) => {
  const times = [1, 2, 3].map(() => {
    const begin = performance.now();
    GitUrl.safeParse(text);
    return performance.now() - begin;
  });
  return Math.min(...times);
};

it('a long URL of colons costs no more than linear time', () => {
  const short = millisecondsOf(`ssh://a${':'.repeat(20_000)}`);
  const long = millisecondsOf(`ssh://a${':'.repeat(80_000)}`);
  expect(long).toBeLessThan(Math.max(20, 8 * short));
});
