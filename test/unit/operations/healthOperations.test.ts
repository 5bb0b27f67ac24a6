import { describe, expect, test } from 'vitest';
import { recoveryRefused } from '../../../src/model/errors.ts';
import type { InstanceHealth } from '../../../src/model/health.ts';
import { bytesOf } from '../../../src/model/textCut.ts';
import { instanceDetail, nextStep } from '../../../src/operations/instanceViews.ts';
import { FakeSwarm, idOf, makeRecord } from './fakeSwarm.ts';
import { errorOf, makeBench } from './gateBench.ts';

const at = '2026-01-01T12:00:00.000Z';

const healthOf = (number: number, change: Partial<InstanceHealth> = {}): InstanceHealth => ({
  id: idOf(number),
  schemaVersion: 1,
  revision: 1,
  observerEpoch: 1,
  status: 'healthy',
  since: at,
  reason: 'It runs, and its editor server answers.',
  checks: [
    { name: 'connectivity', outcome: 'passed', seen: 'Its editor server answered.', at, latencyMs: 12.4, times: 9 },
  ],
  recovery: { attempts: [] },
  history: [],
  ...change,
});

/** Instances in trouble that talk a lot. */
const talkative = (number: number) => {
  const long = 'ü"\\'.repeat(400);
  const check = { outcome: 'failed', seen: long, at, times: 1, latencyMs: 1.23456789 } as const;
  return healthOf(number, {
    status: 'unhealthy',
    reason: long,
    next: { act: long, at },
    checks: [
      { name: 'provider', ...check },
      { name: 'status', ...check },
      { name: 'connectivity', ...check, outcome: 'passed' },
      { name: 'resources', ...check },
    ],
    recovery: {
      attempts: Array.from({ length: 30 }, () => ({
        rung: 'restart',
        cause: 'unresponsive',
        at,
        outcome: 'failed',
        note: long,
      })),
      crashLoop: { since: at, reason: long },
    },
  });
};

function swarmWith(count: number, health: (number: number) => InstanceHealth | undefined): FakeSwarm {
  const swarm = new FakeSwarm(count);
  for (let number = 1; number <= count; number += 1) {
    const known = health(number);
    if (known) swarm.healths.set(known.id, known);
  }
  return swarm;
}

describe('check_instance_health', () => {
  test('tells status, reason, evidence and what is done', async () => {
    const next = { act: 'Restart it.', at };
    const recovery: InstanceHealth['recovery'] = {
      attempts: [{ rung: 'restart', cause: 'exited', at, outcome: 'succeeded' }],
    };
    const bench = makeBench({ swarm: swarmWith(1, number => healthOf(number, { next, recovery })) });
    expect(await bench.invoke('check_instance_health', { instanceIds: [idOf(1)] })).toEqual({
      instances: [
        {
          instanceId: idOf(1),
          name: 'box 1',
          status: 'healthy',
          since: at,
          reason: 'It runs, and its editor server answers.',
          next,
          checks: [{ name: 'connectivity', outcome: 'passed', seen: 'Its editor server answered.', latencyMs: 12 }],
          attempts: [{ rung: 'restart', cause: 'exited', at, outcome: 'succeeded' }],
        },
      ],
    });
  });

  test('one that cannot be looked at is told beside the others', async () => {
    const bench = makeBench({ swarm: swarmWith(2, number => (number === 1 ? healthOf(1) : undefined)) });
    const { instances } = await bench.invoke('check_instance_health', { instanceIds: [idOf(1), idOf(2), idOf(9)] });
    expect(instances).toMatchObject([
      { status: 'healthy' },
      { name: 'box 2', error: expect.stringContaining('start it first') },
      { instanceId: idOf(9), error: expect.stringContaining('There is no instance') },
    ]);
  });

  test.each([
    [1, 1],
    [5, 5],
    [20, 8],
  ])('stays within 8 kB for %i instances in trouble, and leaves none out silently', async (count, least) => {
    const swarm = swarmWith(count, talkative);
    for (const [id, record] of swarm.records) {
      swarm.records.set(id, { ...record, config: { ...record.config, name: `${'𝒳'.repeat(28)}${id.slice(-2)}` } });
    }
    const instanceIds = [...swarm.records.keys()];
    const answer = await makeBench({ swarm }).invoke('check_instance_health', { instanceIds });
    expect(bytesOf(JSON.stringify(answer))).toBeLessThanOrEqual(8192);
    const told = answer.instances.map(({ instanceId }: { instanceId: string }) => instanceId);
    expect([...told, ...(answer.leftOut ?? [])]).toEqual(instanceIds);
    expect(told.length).toBeGreaterThanOrEqual(least);
    for (const { status, reason } of answer.instances) expect([status, reason !== '']).toEqual(['unhealthy', true]);
  });

  test('asks for at most 20, and each once', async () => {
    const bench = makeBench({ swarm: swarmWith(21, healthOf) });
    const ids = [...bench.swarm.records.keys()];
    expect((await errorOf(bench.invoke('check_instance_health', { instanceIds: ids }))).message).toContain(
      'at most 20',
    );
    const { instances } = await bench.invoke('check_instance_health', { instanceIds: [idOf(1), idOf(1)] });
    expect(instances).toHaveLength(1);
  });

  test('giving up ends it', async () => {
    const gone = new AbortController();
    const bench = makeBench({ swarm: swarmWith(3, healthOf) });
    bench.swarm.checkInstanceHealth = async () => {
      gone.abort();
      throw gone.signal.reason;
    };
    const work = bench.invoke('check_instance_health', { instanceIds: [idOf(1)] }, { signal: gone.signal });
    await expect(work).rejects.toThrow(/abort/i);
  });
});

describe('recover_instance', () => {
  test('does it, says what came of it, and keeps the reason in the audit log', async () => {
    const bench = makeBench({ swarm: swarmWith(1, number => healthOf(number, { status: 'recovering' })) });
    const input = { instanceId: idOf(1), rung: 'recreate', reason: 'It hangs, says the user.' };
    expect(await bench.invoke('recover_instance', input)).toMatchObject({
      id: idOf(1),
      status: 'running',
      health: { status: 'recovering' },
      next: expect.any(String),
    });
    expect(bench.swarm.calls).toEqual(['recover']);
    expect(bench.events.at(-1)).toMatchObject({ phase: 'done', arguments: input, targets: [idOf(1)] });
  });

  test('a refusal is told with its reason', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.swarm.before = (_method, id) => {
      throw recoveryRefused(id, 'Its home is not proven to be safe.');
    };
    const error = await errorOf(bench.invoke('recover_instance', { instanceId: idOf(1), rung: 'recreate' }));
    expect(error.message).toContain('Its home is not proven to be safe');
    expect(bench.phases()).toEqual(['asked', 'failed']);
  });

  test('the question names the instance and what is lost', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    const client = { caller: 'client', actor: 'cli' } as const;
    await bench.invoke('recover_instance', { instanceId: idOf(1), rung: 'recreate', reason: 'a\u202Eb' }, client);
    const [question] = bench.questions;
    expect(question?.title).toBe('Recover "box 1"?');
    expect(question?.detail).toContain('what was installed outside its home is lost');
    expect(question?.detail).toContain('Reason: a\\u{202e}b');
  });

  test('the controller itself may, an agent may not be kept from reading why', async () => {
    const bench = makeBench({ swarm: swarmWith(1, healthOf) });
    const controller = { caller: 'controller', actor: 'health monitor' } as const;
    await bench.invoke('recover_instance', { instanceId: idOf(1), rung: 'restart', reason: 'exited' }, controller);
    expect(bench.questions).toEqual([]);
  });
});

describe('what is for persons only', () => {
  const person = { caller: 'person', actor: 'ada' } as const;

  test.each([
    ['reset_crash_loop', {}, 'reset'],
    ['pause_instance_monitoring', { paused: true }, 'pause'],
  ])('%s works on several, and tells of each', async (name, more, call) => {
    const bench = makeBench({ swarm: new FakeSwarm(2) });
    const input = { instanceIds: [idOf(1), idOf(2), idOf(9)], ...more };
    const { results } = await bench.invoke(name, input, person);
    expect(results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['done', 'done', 'failed']);
    expect(bench.swarm.calls).toEqual([call, call]);
    expect((await errorOf(bench.invoke(name, input))).code).toBe('denied');
  });
});

describe('health beside the other facts', () => {
  test('of an instance: the status and why, and what a model may do', () => {
    const health = healthOf(1, { status: 'unhealthy', reason: 'x'.repeat(900) });
    const detail = instanceDetail(makeRecord(1), health);
    expect(detail.health).toMatchObject({ status: 'unhealthy' });
    expect(detail.health?.reason.length).toBeLessThanOrEqual(200);
    expect(nextStep(makeRecord(1), health)).toContain('recover_instance');
    expect(instanceDetail(makeRecord(1))).not.toHaveProperty('health');
  });

  test('in a listing only of those that are not well', async () => {
    const bench = makeBench({
      swarm: swarmWith(2, number => healthOf(number, number === 1 ? {} : { status: 'degraded' })),
    });
    const { instances } = await bench.invoke('list_swarm_instances', {});
    expect(instances.map(({ health }: { health?: string }) => health)).toEqual([undefined, 'degraded']);
  });
});
