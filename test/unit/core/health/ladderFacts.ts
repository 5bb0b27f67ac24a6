import type { LadderFacts } from '../../../../src/core/health/recoveryLadder.ts';
import type { RecoveryRung } from '../../../../src/model/health.ts';
import { config, frozen, health, iso, noon, record } from './healthFacts.ts';

export const seconds = 1000;
export const minutes = 60 * seconds;

/** An instance that has exited, alone in its fleet, with a home that nobody looked at. */
export const ladderFacts = (over: Partial<LadderFacts> = {}): LadderFacts =>
  frozen({
    record: record(),
    health: health({ status: 'unhealthy' }),
    cause: 'exited',
    hasHome: undefined,
    canMigrate: false,
    inRecovery: 0,
    fleet: 1,
    config: config(),
    now: noon,
    ...over,
  });

/** An unhealthy instance on which these were tried, each so long before noon; it was healthy after each. */
export function having(...past: readonly [RecoveryRung, number][]) {
  const attempts = past.map(([rung, ago]) => ({
    rung,
    cause: 'exited' as const,
    at: iso(noon - ago),
    outcome: 'succeeded' as const,
    helped: true as const,
  }));
  return health({ status: 'unhealthy', recovery: { attempts } });
}

export const threeRestarts = [
  ['restart', 9 * minutes],
  ['restart', 8 * minutes],
  ['restart', 7 * minutes],
] as const satisfies [RecoveryRung, number][];
