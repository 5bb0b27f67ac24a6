import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { causeOf } from '../../../../src/core/health/recoveryCause.ts';
import type { RoundFacts } from '../../../../src/core/health/roundFacts.ts';
import {
  CheckOutcome,
  type HealthCheckName,
  HealthStatus,
  type InstanceHealth,
  RecoveryCause,
} from '../../../../src/model/health.ts';
import { StopCause } from '../../../../src/model/instance.ts';
import { config, health, noon, round } from './healthFacts.ts';

const unhealthy = (outcomes: Partial<Record<HealthCheckName, CheckOutcome>>) =>
  health({ status: 'unhealthy' }, outcomes);
const stopped = (cause?: StopCause) => round({ confirmed: { status: 'stopped', cause } });

describe('the cause', () => {
  test.each<[string, InstanceHealth, RoundFacts, boolean | undefined, RecoveryCause | undefined]>([
    ['of good health is none', health(), round(), undefined, undefined],
    [
      'of an exit is what the place says',
      unhealthy({ status: 'failed' }),
      stopped('out-of-memory'),
      undefined,
      'out-of-memory',
    ],
    ['of an exit may be its config', unhealthy({ status: 'failed' }), stopped('bad-config'), undefined, 'bad-config'],
    ['of an exit without a word is the exit itself', unhealthy({ status: 'failed' }), stopped(), undefined, 'exited'],
    ['of silence', unhealthy({ status: 'passed', connectivity: 'failed' }), round(), undefined, 'unresponsive'],
    ['of confirmed absence', unhealthy({ provider: 'failed' }), round(), undefined, 'missing'],
    ['of absence with a home', unhealthy({ provider: 'failed' }), round(), true, 'missing'],
    ['of absence without a home', unhealthy({ provider: 'failed' }), round(), false, 'home-missing'],
    ['of an exit without a home', unhealthy({ status: 'failed' }), stopped('exited'), false, 'home-missing'],
    [
      'of degraded health may be a full disk',
      health({ status: 'degraded' }, { resources: 'failed' }),
      round(),
      undefined,
      'disk-full',
    ],
    ['of a shortage is none', health({ status: 'degraded' }, { resources: 'warned' }), round(), undefined, undefined],
    [
      'of an exit on a full disk is the disk',
      unhealthy({ status: 'failed', resources: 'failed' }),
      stopped('exited'),
      undefined,
      'disk-full',
    ],
    [
      'of silence on a full disk is the disk',
      unhealthy({ connectivity: 'failed', resources: 'failed' }),
      round(),
      undefined,
      'disk-full',
    ],
    [
      'is not a disk that was full long ago',
      unhealthy({ status: 'failed', resources: 'failed' }),
      { ...stopped('exited'), at: noon + 600_000 },
      undefined,
      'exited',
    ],
    [
      'is not known while what was counted was thrown away',
      unhealthy({ status: 'passed', connectivity: 'unknown' }),
      round(),
      undefined,
      undefined,
    ],
  ])('%s', (_what, of, facts, hasHome, cause) => {
    expect(causeOf(of, facts, config(), hasHome)).toBe(cause);
  });

  test('is never named while it is unknown how the instance is, and never that the provider is gone', () => {
    const named = new Set<RecoveryCause | undefined>();
    fc.assert(
      fc.property(
        fc.constantFrom(...HealthStatus.options),
        fc.record({
          provider: fc.constantFrom(...CheckOutcome.options),
          status: fc.constantFrom(...CheckOutcome.options),
          connectivity: fc.constantFrom(...CheckOutcome.options),
          resources: fc.constantFrom(...CheckOutcome.options),
        }),
        fc.constantFrom(undefined, ...StopCause.options),
        fc.constantFrom(true, false, undefined),
        (status, outcomes, stop, hasHome) => {
          const cause = causeOf(health({ status }, outcomes), stopped(stop), config(), hasHome);
          named.add(cause);
          if (status === 'unknown' || status === 'recovering' || status === 'healthy') expect(cause).toBeUndefined();
          if (cause === 'home-missing') expect(hasHome).toBe(false);
          if (status === 'degraded') expect([undefined, 'disk-full']).toContain(cause);
        },
      ),
      { numRuns: 5000 },
    );
    const nameable = RecoveryCause.options.filter(cause => cause !== 'provider-gone');
    expect([...named].sort()).toEqual([...nameable, undefined].sort());
  });
});
