import { describe, expect, test } from 'vitest';
import { isSameRun, SharedEndpoints } from '../../../src/core/sharedEndpoints.ts';
import { providerUnreachable } from '../../../src/model/errors.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import type { Endpoint } from '../../../src/model/provider.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

/** A running instance, and what is opened into it: each way has a port of its own. */
async function scene() {
  const { controller, place } = memorySwarm({ health: { enabled: false } });
  await controller.initialize();
  const record = await controller.createInstance({ name: 'web' });
  const ended: number[] = [];
  let made = 0;
  const connect = async (): Promise<Endpoint> => {
    const port = ++made;
    return { host: '127.0.0.1', port, dispose: () => void ended.push(port) };
  };
  const endpoints = new SharedEndpoints(controller.registry);
  const open = (port?: number, work = connect, ctx = quietContext) => endpoints.open(record, port, work, ctx);
  return { controller, place, record, endpoints, open, connect, ended, made: () => made };
}

describe('ways into an instance', () => {
  test('are one for each port, also while it is made, and end with the last who uses them', async () => {
    const { endpoints, open, ended, record, made } = await scene();
    const [one, two, editor] = await Promise.all([open(80), open(80), open()]);
    expect([one.port, two.port, editor.port]).toEqual([1, 1, 2]);
    expect((await open(80)).port).toBe(1);
    expect(endpoints.localPortOf(record.id, 80)).toBe(1);
    one.dispose();
    one.dispose();
    expect(ended).toEqual([]);
    endpoints.close(record.id, 80);
    await expect.poll(() => ended).toEqual([1]);
    two.dispose();
    editor.dispose();
    await expect.poll(() => ended).toEqual([1, 2]);
    expect(endpoints.localPortOf(record.id, 80)).toBeUndefined();
    expect((await open(80)).port).toBe(3);
    expect(made()).toBe(3);
  });

  test('that can not be made are tried again by the next who asks', async () => {
    const { open, ended } = await scene();
    const fail = () => Promise.reject(providerUnreachable('memory', 'it is away', 'Try again.'));
    await expect(Promise.allSettled([open(80, fail), open(80, fail)])).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    expect((await open(80)).port).toBe(1);
    expect(ended).toEqual([]);
  });

  test("are nobody else's loss when the first who asked gives up, and nobody's when all do", async () => {
    const { open, connect, ended } = await scene();
    const gate = Promise.withResolvers<void>();
    const slow = () => gate.promise.then(connect);
    const [one, two] = [new AbortController(), new AbortController()];
    const first = open(80, slow, { ...quietContext, signal: one.signal });
    const second = open(80, slow, { ...quietContext, signal: two.signal });
    const third = open(90, slow, { ...quietContext, signal: one.signal });
    one.abort();
    await expect(first).rejects.toThrow();
    await expect(third).rejects.toThrow();
    gate.resolve();
    const { port } = await second;
    await expect.poll(() => ended).toHaveLength(1);
    expect(ended).not.toContain(port);
  });

  test('end when the instance is stopped while one is made', async () => {
    const { controller, record, open, connect, ended } = await scene();
    const gate = Promise.withResolvers<void>();
    const opening = open(80, () => gate.promise.then(connect));
    await controller.stopInstance(record.id);
    gate.resolve();
    await expect(opening).rejects.toMatchObject({ code: 'wrong-state' });
    expect(ended).toEqual([1]);
  });

  test('last while the provider is silent, and end when it runs anew or elsewhere', async () => {
    const { controller, record } = await scene();
    const running = controller.getInstance(record.id);
    const since = '2030-01-01T00:00:00.000Z';
    const unknown = { ...running, status: 'unknown', statusSince: since } as const;
    expect(isSameRun(running, unknown)).toBe(true);
    expect(isSameRun(unknown, { ...running, statusSince: since })).toBe(true);
    expect(isSameRun(running, { ...running, statusSince: since })).toBe(false);
    expect(isSameRun(running, { ...running, epoch: 2 })).toBe(false);
    expect(isSameRun(running, { ...running, providerId: 'other' })).toBe(false);
    for (const status of ['starting', 'stopping', 'stopped', 'failed', 'deleting', 'trashed', 'lost'] as const) {
      expect(isSameRun(running, { ...running, status })).toBe(false);
    }
  });

  test.each([
    ['stopped', 'stopInstance'],
    ['restarted', 'restartInstance'],
    ['moved to the trash', 'deleteInstance'],
    ['removed', 'purgeInstance'],
  ] as const)('end when it is %s', async (_, act) => {
    const { controller, record, open, ended } = await scene();
    await Promise.all([open(), open(), open(80)]);
    await controller[act](record.id);
    await expect.poll(() => ended.toSorted()).toEqual([1, 2]);
  });
});
