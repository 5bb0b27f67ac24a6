import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge } from '../../../../src/core/health/healthRules.ts';
import type { RoundFacts } from '../../../../src/core/health/roundFacts.ts';
import type { HealthConfig } from '../../../../src/model/config.ts';
import { HealthCheckName, InstanceHealth } from '../../../../src/model/health.ts';
import { InstanceRole, InstanceStatus } from '../../../../src/model/instance.ts';
import { answer, config, frozen, iso, noon, period, record, seen, silence, stats } from './healthFacts.ts';

describe('whatever the rounds see', () => {
  const place = fc.oneof(
    fc.constant<RoundFacts['place']>({ kind: 'failed', reason: 'a time-out' }),
    fc.record({ kind: fc.constant('absent' as const), confirmed: fc.boolean() }),
    fc
      .record({
        status: fc.oneof(fc.constant('running' as const), fc.constantFrom(...InstanceStatus.options)),
        role: fc.oneof(fc.constant('owner' as const), fc.constantFrom(...InstanceRole.options)),
      })
      .map(seen),
  );
  const facts = fc.record(
    {
      place,
      confirmed: fc.record({ status: fc.constantFrom(...InstanceStatus.options) }),
      probe: fc.constantFrom(answer, silence),
      stats: fc
        .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
        .map(([memory, disk]) => stats(memory, disk)),
      passed: fc.oneof(fc.constant(period), fc.nat(400_000)),
    },
    { requiredKeys: ['place', 'passed'] },
  );
  const sequence = fc.array(facts, { minLength: 1, maxLength: 20 });
  const settings = fc.record({
    failureThreshold: fc.integer({ min: 1, max: 4 }),
    startupGrace: fc.constantFrom(0, 60, 300),
    historySize: fc.integer({ min: 1, max: 5 }),
  });

  type Told = Omit<RoundFacts, 'at' | 'observerEpoch'> & { passed: number };

  /** Judges one after the other, and lets `look` see each step. */
  function play(
    told: readonly Told[],
    over: Partial<HealthConfig>,
    since: number,
    look: (after: InstanceHealth, facts: RoundFacts, before: InstanceHealth | undefined) => void,
  ) {
    let before: InstanceHealth | undefined;
    let at = noon;
    for (const { passed, ...each } of told) {
      at += passed;
      const facts = frozen({ ...each, at, observerEpoch: 1 });
      const after = frozen(judge(record({ statusSince: iso(since) }), before, facts, config(over)));
      look(after, facts, before);
      before = after;
    }
  }

  test('what could not be found out is never unhealthy, and what is unhealthy has its proof', () => {
    const proofs = new Set<string>();
    fc.assert(
      fc.property(sequence, settings, fc.nat(600_000), (told, over, ago) => {
        const since = noon - ago;
        let silences = 0;
        play(told, over, since, (after, { at, place, confirmed, probe }, before) => {
          if (place.kind === 'failed' || (place.kind === 'absent' && !place.confirmed)) {
            expect(after.status).toBe('unknown');
          }
          const owner = place.kind === 'seen' && place.observation.role === 'owner';
          const status = owner ? (confirmed?.status ?? place.observation.status) : undefined;
          const heard = before?.checks.find(({ name }) => name === 'connectivity');
          const isUp =
            (heard && heard.at > iso(since) && (heard.outcome === 'passed' || heard.outcome === 'failed')) ||
            before?.history.some(sample => sample.at > iso(since) && sample.latencyMs !== undefined);
          const inGrace = at - since < over.startupGrace * 1000 && !isUp;
          silences = status === 'running' && probe === silence && !inGrace ? silences + 1 : 0;
          const proof = proofOf();
          expect(after.status === 'unhealthy').toBe(proof !== undefined);
          if (proof) proofs.add(proof);

          function proofOf() {
            if (place.kind === 'absent' && place.confirmed) return 'absent';
            if (confirmed && (status === 'stopped' || status === 'failed')) return 'exited';
            if (confirmed && status === 'starting' && !inGrace) return 'stuck';
            return silences >= over.failureThreshold ? 'silent' : undefined;
          }
        });
      }),
      { numRuns: 1000 },
    );
    expect([...proofs].sort()).toEqual(['absent', 'exited', 'silent', 'stuck']);
  });

  test('resources never make an instance unhealthy, nor hide that it is', () => {
    fc.assert(
      fc.property(sequence, settings, (told, over) => {
        const statuses = (of: readonly Told[]) => {
          const all: string[] = [];
          play(of, over, noon, ({ status }) => all.push(status === 'healthy' ? 'degraded' : status));
          return all;
        };
        expect(statuses(told)).toEqual(statuses(told.map(({ stats: _stats, ...rest }) => rest)));
      }),
      { numRuns: 500 },
    );
  });

  test('it is healthy only when it answered in this very round', () => {
    fc.assert(
      fc.property(sequence, settings, (told, over) => {
        play(told, over, noon, (after, { probe, place }) => {
          if (after.status !== 'healthy') return;
          expect([probe, place.kind]).toEqual([answer, 'seen']);
        });
      }),
      { numRuns: 500 },
    );
  });

  test('a health is as its schema says, bounded, in order, and counted', () => {
    fc.assert(
      fc.property(sequence, settings, (told, over) => {
        play(told, over, noon, (after, { at }, before) => {
          expect(InstanceHealth.safeParse(after).error).toBeUndefined();
          expect(after.history.length).toBeLessThanOrEqual(over.historySize);
          const times = after.history.map(sample => Date.parse(sample.at));
          expect(times).toEqual(times.toSorted((one, other) => one - other));
          expect(after.since).toBe(before?.status === after.status ? before.since : iso(at));
          const names = after.checks.map(({ name }) => name);
          expect(names).toEqual(HealthCheckName.options.slice(0, names.length));
          expect(names.length).toBeGreaterThanOrEqual(3);
          for (const check of after.checks) {
            const same = before?.checks.find(({ name }) => name === check.name);
            if (check !== same) expect(check.times).toBe(same?.outcome === check.outcome ? same.times + 1 : 1);
          }
        });
      }),
      { numRuns: 500 },
    );
  });
});
