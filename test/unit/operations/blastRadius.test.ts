import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { defaultPolicy, type Policy } from '../../../src/model/config.ts';
import { FakeSwarm, idOf } from './fakeSwarm.ts';
import { errorOf, makeBench, scratchFolder } from './gateBench.ts';

const destroyFreely: Policy = { ...defaultPolicy, agent: { ...defaultPolicy.agent, destroy: 'allow' } };
const ids = (...numbers: number[]) => ({ instanceIds: numbers.map(idOf) });
const minute = 60_000;
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

  test('there is room again after ten minutes, and not because a clock was set or the machine started anew', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1, 12) });
    let uptime = 5 * minute;
    const bench = makeBench({ swarm: new FakeSwarm(10), agentDestroyLimit: 1, uptime: () => uptime });
    const isRefused = async () =>
      expect((await errorOf(bench.invoke('delete_swarm_instance', ids(2)))).code).toBe('destroy-limit-reached');
    await bench.invoke('delete_swarm_instance', ids(1));
    for (const month of [1, 6, 11]) {
      vi.setSystemTime(Date.UTC(2029 + (month % 3), month, 1));
      await isRefused();
    }
    uptime = 14 * minute;
    await isRefused();
    uptime = minute; // Started anew.
    await isRefused();
    uptime = 15 * minute;
    await bench.invoke('delete_swarm_instance', ids(2));
    expect(trashed(bench.swarm)).toBe(2);
  });

  test('what an older version has written counts by the clock', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1, 12) });
    const folder = scratchFolder();
    mkdirSync(path.join(folder, 'budgets'));
    const spent = [{ reservation: 'old', instanceId: idOf(9), at: '2030-01-01T11:55:00.000Z' }];
    writeFileSync(
      path.join(folder, 'budgets', 'agent.json'),
      JSON.stringify({ id: 'agent', schemaVersion: 1, revision: 4, spent }),
    );
    const bench = makeBench({ swarm: new FakeSwarm(10), agentDestroyLimit: 1, folder });
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(2)))).code).toBe('destroy-limit-reached');
    vi.setSystemTime(Date.UTC(2030, 0, 1, 12, 5));
    await bench.invoke('delete_swarm_instance', ids(2));
    expect(trashed(bench.swarm)).toBe(1);
  });

  test.each([
    ['this window', false],
    ['another window', true],
  ])(
    'dialogs that stay open for longer than ten minutes keep their places: asked again in %s',
    async (_where, isOther) => {
      vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
      const folder = scratchFolder();
      const swarm = new FakeSwarm(10);
      let uptime = 0;
      const one = makeBench({ swarm, folder, uptime: () => uptime });
      const other = isOther ? makeBench({ swarm, folder, uptime: () => uptime }) : one;
      const answers: (() => void)[] = [];
      one.agrees = () => new Promise(resolve => answers.push(() => resolve(true)));
      other.agrees = one.agrees;
      const calls = [1, 2, 3].map(number => one.invoke('delete_swarm_instance', ids(number)));
      await vi.waitFor(() => expect(answers).toHaveLength(3));
      for (const round of [1, 2]) {
        await passes(11 * minute);
        for (const number of [1, 2, 3]) {
          const code = (await errorOf(other.invoke('delete_swarm_instance', ids(round * 3 + number)))).code;
          expect(code).toBe('destroy-limit-reached');
        }
      }
      for (const answer of answers) answer();
      await Promise.all(calls);
      expect({ asked: answers.length, deleted: trashed(swarm) }).toEqual({ asked: 3, deleted: 3 });

      /** Time goes by on this machine; what its windows write meanwhile is on the disk then. */
      async function passes(milliseconds: number) {
        for (let passed = 0; passed < milliseconds; passed += minute) {
          uptime += minute;
          await vi.advanceTimersByTimeAsync(minute);
          await vi.waitFor(() => {
            const { spent } = JSON.parse(readFileSync(path.join(folder, 'budgets', 'agent.json'), 'utf8'));
            expect(Math.min(...spent.map((entry: { uptime: number }) => entry.uptime))).toBeGreaterThan(
              uptime - 3 * minute,
            );
          });
        }
      }
    },
  );

  test('instances that are busy for longer than ten minutes keep their places', async () => {
    let uptime = 0;
    const bench = makeBench({ swarm: new FakeSwarm(10), policy: destroyFreely, uptime: () => uptime });
    let free = () => {};
    const turn = new Promise<void>(resolve => {
      free = resolve;
    });
    bench.swarm.before = () => turn;
    const first = bench.invoke('delete_swarm_instance', ids(1, 2, 3));
    await vi.waitFor(() => expect(bench.swarm.calls).toHaveLength(3));
    uptime += 11 * minute;
    await errorOf(bench.invoke('delete_swarm_instance', ids(4, 5, 6)));
    free();
    await first;
    uptime += 9 * minute;
    // What was destroyed counts from when it was, not from when it was asked for.
    await errorOf(bench.invoke('delete_swarm_instance', ids(4, 5, 6)));
    expect(trashed(bench.swarm)).toBe(3);
  });

  test('a window that stood still for long finds its places gone at the deed', async () => {
    const folder = scratchFolder();
    const swarm = new FakeSwarm(10);
    let uptime = 0;
    const still = makeBench({ swarm, folder, uptime: () => uptime });
    const other = makeBench({ swarm, folder, uptime: () => uptime });
    still.agrees = async () => {
      uptime += 11 * minute;
      await other.invoke('delete_swarm_instance', ids(4, 5, 6));
      return true;
    };
    const { results } = await still.invoke('delete_swarm_instance', ids(1, 2, 3));
    expect(results.map(({ error }: { error?: { code: string } }) => error?.code)).toEqual(
      Array.from({ length: 3 }, () => 'destroy-limit-reached'),
    );
    expect(trashed(swarm)).toBe(3);
  });

  test('the limit and the policy are those of the deed, not those of the question', async () => {
    const settings = { policy: defaultPolicy, agentDestroyLimit: 3 };
    const bench = makeBench({ swarm: new FakeSwarm(10), settings: () => settings });
    bench.agrees = async () => {
      settings.agentDestroyLimit = 1;
      return true;
    };
    const { results } = await bench.invoke('delete_swarm_instance', ids(1, 2, 3));
    expect(results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['done', 'failed', 'failed']);
    settings.agentDestroyLimit = 9;
    bench.agrees = async () => {
      settings.policy = { ...defaultPolicy, agent: { ...defaultPolicy.agent, destroy: 'deny' } };
      return true;
    };
    expect((await errorOf(bench.invoke('delete_swarm_instance', ids(4)))).code).toBe('denied');
    expect(trashed(bench.swarm)).toBe(1);
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
