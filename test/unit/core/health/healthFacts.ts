import { expect } from 'vitest';
import { judge } from '../../../../src/core/health/healthRules.ts';
import type { RoundFacts } from '../../../../src/core/health/roundFacts.ts';
import { defaultHealthConfig, type HealthConfig } from '../../../../src/model/config.ts';
import type { CheckOutcome, HealthCheckName, InstanceHealth } from '../../../../src/model/health.ts';
import { InstanceConfig, type InstanceRecord } from '../../../../src/model/instance.ts';
import type { InstanceObservation, InstanceStats, Probe } from '../../../../src/model/provider.ts';

/** A time long after every start: 2026-03-01, noon. */
export const noon = Date.UTC(2026, 2, 1, 12);

/** The default check interval. */
export const period = 30_000;

export const iso = (at: number) => new Date(at).toISOString();

export const config = (over: Partial<HealthConfig> = {}): HealthConfig => ({ ...defaultHealthConfig, ...over });

const identity = { id: 'aaaaaaaaaaaa', swarmId: 'bbbbbbbbbbbbbbbb', epoch: 1, createdAt: '2026-01-01T00:00:00.000Z' };

export const record = (over: Partial<InstanceRecord> = {}): InstanceRecord => ({
  ...identity,
  owner: { user: 'ada', machine: 'm' },
  providerId: 'docker',
  role: 'owner',
  config: InstanceConfig.parse({ name: 'one' }),
  status: 'running',
  desired: 'running',
  schemaVersion: 1,
  revision: 1,
  statusSince: identity.createdAt,
  ...over,
});

export const seen = (over: Partial<InstanceObservation> = {}): RoundFacts['place'] => ({
  kind: 'seen',
  observation: { ...identity, role: 'owner', status: 'running', ...over },
});

export const answer: Probe = { answered: true, latencyMs: 12 };
export const silence: Probe = { answered: false, latencyMs: 5000, seen: 'did not answer within 5 s' };

/** A round in which all is well, unless told otherwise. */
export const round = (over: Partial<RoundFacts> = {}): RoundFacts => ({
  at: noon,
  place: seen(),
  probe: answer,
  observerEpoch: 1,
  ...over,
});

const gib = 2 ** 30;
export const stats = (memoryShare: number, diskShare: number): InstanceStats => ({
  id: identity.id,
  cpuCores: 0.5,
  memoryBytes: memoryShare * 4 * gib,
  memoryLimitBytes: 4 * gib,
  diskUsedBytes: diskShare * 10 * gib,
  diskTotalBytes: 10 * gib,
});

/** A health with checks of these outcomes, made at noon. */
export function health(
  over: Partial<InstanceHealth> = {},
  outcomes: Partial<Record<HealthCheckName, CheckOutcome>> = {},
): InstanceHealth {
  const checks = (Object.keys(outcomes) as HealthCheckName[]).map(name => ({
    name,
    outcome: outcomes[name] ?? 'unknown',
    seen: 'Something was seen.',
    at: iso(noon),
    times: 1,
  }));
  return {
    id: identity.id,
    schemaVersion: 1,
    revision: 3,
    observerEpoch: 1,
    status: 'healthy',
    since: iso(noon),
    reason: 'It runs, and its editor server answers.',
    checks,
    recovery: { attempts: [] },
    history: [],
    ...over,
  };
}

/** The same with every object in it frozen, so that a rule that changes its facts fails. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}

/** One round of each of the facts after another, a period apart; all the healths that they led to. */
export function rounds(facts: readonly Partial<RoundFacts>[], over: Partial<HealthConfig> = {}, of = record()) {
  const judged: InstanceHealth[] = [];
  for (const [index, each] of facts.entries()) {
    judged.push(judge(of, judged.at(-1), frozen(round({ at: noon + index * period, ...each })), config(over)));
  }
  return judged;
}

export const last = (judged: readonly InstanceHealth[]) => judged.at(-1) ?? expect.fail('no round');

/** The list call failed. */
export const down = { place: { kind: 'failed', reason: 'connect ECONNREFUSED.' } } as const;
