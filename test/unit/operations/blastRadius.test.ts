import { afterEach, describe, expect, test, vi } from 'vitest';
import { defaultPolicy, type Policy } from '../../../src/model/config.ts';
import { FakeSwarm, idOf } from './fakeSwarm.ts';
import { errorOf, makeBench, scratchFolder } from './gateBench.ts';

const destroyFreely: Policy = { ...defaultPolicy, agent: { ...defaultPolicy.agent, destroy: 'allow' } };
const ids = (...numbers: number[]) => ({ instanceIds: numbers.map(idOf) });
const trashed = (swarm: FakeSwarm) => swarm.listInstances().filter(({ status }) => status === 'trashed').length;

afterEach(() => {
  vi.useRealTimers();
});

describe('the cap on what agents destroy', () => {
  test('holds whatever the policy says; the rest of a batch says when to try again', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10), policy: destroyFreely });
    const { results } = await bench.invoke('delete_swarm_instance', ids(1, 2, 3, 4, 5));
    expect(results.map((result: { outcome: string }) => result.outcome)).toEqual([
      'done',
      'done',
      'done',
      'failed',
      'failed',
    ]);
    expect(results[0].restorableUntil).toMatch(/^\d{4}-/);
    expect(results[4].error).toMatchObject({
      code: 'destroy-limit-reached',
      message: expect.stringMatching(/^Denied: /),
    });
    expect(results[4].error.hint).toMatch(/after \d\d:\d\d/);
    const error = await errorOf(bench.invoke('delete_swarm_instance', ids(6)));
    expect(error.code).toBe('destroy-limit-reached');
    expect(bench.phases()).toEqual(['asked', 'done', 'denied']);
    expect(trashed(bench.swarm)).toBe(3);
  });

  test('ten single calls of an agent whose every question is answered with yes: three', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10) });
    const calls = Array.from({ length: 10 }, (_, index) => bench.invoke('delete_swarm_instance', ids(index + 1)));
    const settled = await Promise.allSettled(calls);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(bench.questions).toHaveLength(3);
    expect(trashed(bench.swarm)).toBe(3);
  });

  test('is shared by two windows and outlives a restart', async () => {
    const folder = scratchFolder();
    const swarm = new FakeSwarm(10);
    const one = makeBench({ swarm, folder });
    const two = makeBench({ swarm, folder });
    await one.invoke('delete_swarm_instance', ids(1, 2));
    await two.invoke('delete_swarm_instance', ids(3));
    const restarted = makeBench({ swarm, folder });
    for (const bench of [one, two, restarted]) {
      expect((await errorOf(bench.invoke('delete_swarm_instance', ids(4)))).code).toBe('destroy-limit-reached');
    }
    expect(trashed(swarm)).toBe(3);
  });

  test('two windows race for the last place: one gets it', async () => {
    const folder = scratchFolder();
    const swarm = new FakeSwarm(10);
    const one = makeBench({ swarm, folder, agentDestroyLimit: 1 });
    const two = makeBench({ swarm, folder, agentDestroyLimit: 1 });
    const settled = await Promise.allSettled([
      one.invoke('delete_swarm_instance', ids(1)),
      two.invoke('delete_swarm_instance', ids(2)),
    ]);
    expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(trashed(swarm)).toBe(1);
  });

  test('counts clients with agents, and no persons', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10) });
    await bench.invoke('delete_swarm_instance', ids(1, 2, 3, 4), { caller: 'person' });
    await bench.invoke('delete_swarm_instance', ids(5, 6, 7), { caller: 'client' });
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(8)))).code).toBe('destroy-limit-reached');
    expect(trashed(bench.swarm)).toBe(7);
  });

  test('is given back when the person says no, when nothing was destroyed, and when the log is full', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10), agentDestroyLimit: 1 });
    bench.agrees = async () => false;
    await errorOf(bench.invoke('delete_swarm_instance', ids(1)));
    bench.agrees = async () => true;
    bench.auditWorks = false;
    await errorOf(bench.invoke('delete_swarm_instance', ids(1)));
    bench.auditWorks = true;
    bench.swarm.before = () => Promise.reject(new Error('engine away'));
    const { results } = await bench.invoke('delete_swarm_instance', ids(1));
    expect(results).toMatchObject([{ outcome: 'failed' }]);
    bench.swarm.before = () => {};
    await bench.invoke('delete_swarm_instance', ids(1));
    expect(trashed(bench.swarm)).toBe(1);
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(2)))).code).toBe('destroy-limit-reached');
  });

  test('is kept when a delete failed half-way: the instance is doomed already', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10), agentDestroyLimit: 1 });
    bench.swarm.before = (_method, id) => {
      bench.swarm.add({ ...bench.swarm.getInstance(id), desired: 'trashed' });
      throw new Error('engine away');
    };
    await bench.invoke('delete_swarm_instance', ids(1));
    bench.swarm.before = () => {};
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(2)))).code).toBe('destroy-limit-reached');
  });

  test('a no costs nothing, not even when the instance lies in the trash already', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(2), agentDestroyLimit: 1 });
    await bench.invoke('delete_swarm_instance', ids(1), { caller: 'person' });
    bench.agrees = async () => false;
    await errorOf(bench.invoke('delete_swarm_instance', ids(1)));
    bench.agrees = async () => true;
    await bench.invoke('delete_swarm_instance', ids(2));
    expect(trashed(bench.swarm)).toBe(2);
  });

  test('an id that nobody knows costs nothing', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1), agentDestroyLimit: 1 });
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(99)))).code).toBe('instance-not-found');
    const { results } = await bench.invoke('delete_swarm_instance', ids(98, 1));
    expect(results).toMatchObject([{ outcome: 'failed' }, { outcome: 'done' }]);
  });

  test('there is room again after ten minutes, and not because a clock was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1, 12) });
    const bench = makeBench({ swarm: new FakeSwarm(10), agentDestroyLimit: 1 });
    await bench.invoke('delete_swarm_instance', ids(1));
    vi.setSystemTime(Date.UTC(2030, 0, 1, 6));
    await errorOf(bench.invoke('delete_swarm_instance', ids(2)));
    vi.setSystemTime(Date.UTC(2030, 0, 1, 12, 9, 59));
    await errorOf(bench.invoke('delete_swarm_instance', ids(2)));
    vi.setSystemTime(Date.UTC(2030, 0, 1, 12, 10));
    await bench.invoke('delete_swarm_instance', ids(2));
    expect(trashed(bench.swarm)).toBe(2);
  });

  test('a limit of nothing never promises a time', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1), agentDestroyLimit: 0 });
    const error = await errorOf(bench.invoke('delete_swarm_instance', ids(1)));
    expect(error.hint).toBe('Ask a person to delete it in the Instances view.');
  });

  test('a batch works on four at a time and goes on after a failure', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(10) });
    let now = 0;
    let most = 0;
    bench.swarm.before = async (_method, id) => {
      most = Math.max(most, ++now);
      await new Promise(resolve => setImmediate(resolve));
      now -= 1;
      if (id === idOf(1)) throw new Error('no');
    };
    const { results } = await bench.invoke('stop_swarm_instance', ids(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10));
    expect(most).toBe(4);
    expect(results).toHaveLength(10);
    expect(results.filter((result: { outcome: string }) => result.outcome === 'done')).toHaveLength(9);
  });
});
