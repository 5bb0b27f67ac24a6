import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { suspectProviders } from '../../../../src/core/health/suspectProviders.ts';
import type { InstanceHealth } from '../../../../src/model/health.ts';
import { config, health } from './healthFacts.ts';

describe('a provider is suspect (semantics 10)', () => {
  const rows = (providerId: string, failing: number, well: number, unheard = 0) =>
    [
      ...Array<InstanceHealth>(failing).fill(health({}, { provider: 'passed', connectivity: 'failed' })),
      ...Array<InstanceHealth>(well).fill(health({}, { provider: 'passed', resources: 'failed' })),
      ...Array<InstanceHealth>(unheard).fill(health({}, { provider: 'unknown' })),
    ].map(of => ({ providerId, health: of }));
  const suspicion = (...all: ReturnType<typeof rows>[]) => {
    const { suspects, ownNetwork } = suspectProviders(all.flat(), config());
    return { suspects: suspects.map(({ providerId }) => providerId), ownNetwork };
  };

  test.each([
    ['11 of 20 fail', rows('a', 11, 9), ['a']],
    ['10 of 20 fail', rows('a', 10, 10), []],
    ['3 of 3 fail', rows('a', 3, 0), ['a']],
    ['2 of 2 fail', rows('a', 2, 0), []],
    ['nobody is watched', [], []],
  ])('%s', (_what, of, suspects) => {
    expect(suspicion(of)).toEqual({ suspects, ownNetwork: false });
  });

  test('and says why', () => {
    expect(suspectProviders(rows('a', 3, 1), config()).suspects).toEqual([
      { providerId: 'a', reason: '3 of 4 instances on "a" fail at once.' },
    ]);
  });

  test('by its own instances only', () => {
    expect(suspicion(rows('a', 3, 0), rows('b', 0, 5))).toEqual({ suspects: ['a'], ownNetwork: false });
  });

  test('when every provider fails it is our own network', () => {
    expect(suspicion(rows('a', 3, 0), rows('b', 4, 1))).toEqual({ suspects: ['a', 'b'], ownNetwork: true });
    expect(suspicion(rows('a', 3, 0), rows('b', 0, 0, 1))).toEqual({ suspects: ['a'], ownNetwork: true });
    expect(suspicion(rows('a', 0, 0, 2), rows('b', 0, 0, 1))).toEqual({ suspects: [], ownNetwork: true });
    expect(suspicion(rows('a', 1, 0), rows('b', 1, 0))).toEqual({ suspects: [], ownNetwork: false });
    expect(suspicion(rows('a', 3, 0), rows('b', 0, 1, 1))).toEqual({ suspects: ['a'], ownNetwork: false });
  });

  test('exactly when three or more fail, and they are the share that the settings say', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.nat(12), fc.double({ min: 0.01, max: 1, noNaN: true }), (failing, well, share) => {
        const { suspects } = suspectProviders(rows('a', failing, well), config({ suspectShare: share }));
        expect(suspects.length).toBe(failing >= 3 && failing / (failing + well) >= share ? 1 : 0);
      }),
    );
  });
});
