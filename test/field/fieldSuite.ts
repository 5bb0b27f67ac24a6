import { afterAll, describe, expect, test } from 'vitest';

/** One input as people bring it. */
export interface FieldCase {
  /** What somebody brings, in a few words. */
  readonly input: string;
  /** The public report that it comes from, as `owner/repository#number`. */
  readonly report: string;
  /** What has to come of it. */
  readonly right: unknown;
  /** What does come of it. */
  readonly found: () => unknown;
}

/** A suite with one test for each input; at its end it prints what came of each, and how long that took. */
export function fieldSuite(kind: string, cases: readonly FieldCase[]): void {
  const rows: string[] = [];
  describe(kind, () => {
    test.each(cases.map(each => [each.input, each] as const))('%s', async (_, { input, report, right, found }) => {
      expect(report).toMatch(/^[\w.-]+\/[\w.-]+#\d+$/);
      const began = performance.now();
      const value = await found();
      rows.push(`| ${input} | ${report} | ${Math.round(performance.now() - began)} |`);
      expect(value).toEqual(right);
    });
    afterAll(() => console.log([`| ${kind} | Report | Took, ms |`, '| --- | --- | --- |', ...rows].join('\n')));
  });
}
