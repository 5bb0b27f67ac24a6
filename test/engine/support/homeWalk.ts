import { execFileSync } from 'node:child_process';
import { expect } from 'vitest';

/** What a home holds, and when each of it was changed, in seconds since 1970. */
export interface HomeWalk {
  readonly what: string;
  readonly times: readonly number[];
}

/** By programs that are not ours; owners are another matter. */
export function homeWalk(home: string): HomeWalk {
  const run = (file: string, ...args: string[]) =>
    execFileSync(file, args, { cwd: home, env: { PATH: process.env.PATH, LC_ALL: 'C' }, maxBuffer: 2 ** 28 });
  const facts = run('find', '.', '-not', '-type', 'p', '-printf', '%p|%y|%m|%l|%T@|%n|%s\\0').toString('latin1');
  const sums = run('find', '.', '-type', 'f', '-exec', 'sha256sum', '{}', '+').toString('latin1');
  const entries = facts
    .split('\0')
    .sort()
    .map(fact => {
      const [name = '', type, mode, link, time = '', links, size] = fact.split('|');
      const told = type === 'd' ? [name, type, mode] : [name, type, mode, link, links, type === 'f' ? size : ''];
      return { told: told.join('|'), time: Number(time) };
    });
  return {
    what: [...entries.map(({ told }) => told), ...sums.split('\n').sort()].join('\n'),
    times: entries.map(({ time }) => time),
  };
}

/** Times are set to a quarter of a microsecond. */
export function expectSameHome(home: string, { what, times }: HomeWalk): void {
  const walk = homeWalk(home);
  expect(walk.what).toBe(what);
  const apart = walk.times.map((time, index) => Math.abs(time - (times[index] ?? Number.NaN)));
  expect(Math.max(...apart)).toBeLessThan(1e-6);
}
