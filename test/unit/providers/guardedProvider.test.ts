import { beforeEach, describe, expect, test, vi } from 'vitest';
import { isAbort, lockLost, providerRefused, providerUnreachable } from '../../../src/model/errors.ts';
import { quietContext, withTimeout } from '../../../src/model/operationContext.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import { newSpec } from '../../contract/specs.ts';
import { type LoneProvider, loneProvider } from '../../fakes/loneProvider.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';

const times = { read: 200, change: 300, create: 400, rollBack: 200, retryPause: 1 };
const swarmId = '0123456789abcdef';
const unreachable = () => providerUnreachable('memory', 'refused', 'Start it.');

let place: MemoryPlace;
let inner: MemoryProvider;
let provider: LoneProvider;

beforeEach(() => {
  place = new MemoryPlace();
  inner = new MemoryProvider(place);
  provider = loneProvider(new GuardedProvider(inner, times));
});

const created = async () => (await provider.createInstance(newSpec(swarmId))).id;
const countOf = (call: string) => place.calls.filter(made => made === call).length;

describe('a guarded provider', () => {
  test('gives up a read that hangs, and says so', async () => {
    const id = await created();
    place.hang('getInstance');
    await expect(provider.getInstance(id)).rejects.toMatchObject({ code: 'timed-out', retryable: true });
    expect(await provider.getInstance(id)).toMatchObject({ id });
  });

  test('gives up a method that ignores its signal', async () => {
    inner.getInstance = () => new Promise(() => {});
    inner.stopInstance = () => new Promise(() => {});
    await expect(provider.getInstance('abcdefabcdef')).rejects.toMatchObject({ code: 'timed-out' });
    await expect(provider.stopInstance('abcdefabcdef')).rejects.toMatchObject({ code: 'timed-out' });
    const controller = new AbortController();
    const stopping = provider.stopInstance('abcdefabcdef', false, { ...quietContext, signal: controller.signal });
    controller.abort();
    await expect(stopping).rejects.toBe(controller.signal.reason);
  });

  test('lets a change last that reports progress', async () => {
    const spec = newSpec(swarmId);
    inner.createInstance = async (_, ctx) => {
      for (let step = 0; step < 5; step++) {
        await new Promise(resolve => setTimeout(resolve, times.create / 2));
        ctx?.report(`step ${step}`);
      }
      return new MemoryProvider(place).createInstance(spec);
    };
    const reports: string[] = [];
    const ctx = { ...quietContext, report: (message: string) => reports.push(message) };
    expect(await provider.createInstance(spec, ctx)).toMatchObject({ id: spec.identity.id });
    expect(reports).toHaveLength(5);
  });

  test('answers an aborted change when it has rolled back, with the caller’s reason', async () => {
    let rolledBack = false;
    inner.createInstance = (_, ctx = quietContext) =>
      new Promise((_resolve, reject) => {
        ctx.signal.addEventListener('abort', () =>
          setTimeout(() => {
            rolledBack = true;
            reject(ctx.signal.reason);
          }, 10),
        );
      });
    const controller = new AbortController();
    const creating = provider.createInstance(newSpec(swarmId), { ...quietContext, signal: controller.signal });
    controller.abort();
    const error = await creating.catch((thrown: unknown) => thrown);
    expect(error).toBe(controller.signal.reason);
    expect(isAbort(error)).toBe(true);
    expect(rolledBack).toBe(true);
  });

  test('calls nothing for a caller that has gone already', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(provider.getInstance('abcdefabcdef', { ...quietContext, signal: controller.signal })).rejects.toBe(
      controller.signal.reason,
    );
    expect(place.calls).toEqual([]);
  });

  test('repeats what the network broke, reads and changes, at most three times', async () => {
    const id = await created();
    place.failNext('getInstance', unreachable());
    place.failNext('getInstance', unreachable());
    expect(await provider.getInstance(id)).toMatchObject({ id });
    expect(countOf('getInstance')).toBe(3);
    for (let i = 0; i < 3; i++) place.failNext('stopInstance', unreachable());
    await expect(provider.stopInstance(id)).rejects.toMatchObject({ code: 'provider-unreachable' });
    expect(countOf('stopInstance')).toBe(3);
  });

  test('adopts what a create made whose answer was lost', async () => {
    const spec = newSpec(swarmId);
    place.loseReply('createInstance');
    expect(await provider.createInstance(spec)).toMatchObject({ id: spec.identity.id, status: 'running' });
    expect(place.instances.size).toBe(1);
    expect(countOf('createInstance')).toBe(2);
  });

  test('never repeats a refusal, nor a command', async () => {
    const id = await created();
    place.failNext('startInstance', providerRefused('quota', 'No.', 'Ask for more.'));
    await expect(provider.startInstance(id)).rejects.toMatchObject({ code: 'quota' });
    expect(countOf('startInstance')).toBe(1);
    place.failNext('executeCommand', unreachable());
    await expect(provider.executeCommand(id, 'true')).rejects.toMatchObject({ code: 'provider-unreachable' });
    expect(countOf('executeCommand')).toBe(1);
  });

  test('never repeats a probe, and waits for what it says at the end of its time', async () => {
    const id = await created();
    place.failNext('probe', unreachable());
    await expect(provider.abilities.probe(id, undefined, quietContext)).rejects.toMatchObject({
      code: 'provider-unreachable',
    });
    expect(countOf('probe')).toBe(1);
    const said = { answered: false, latencyMs: times.read * 2, seen: 'did not answer in time' } as const;
    inner.abilities.probe = (_, __, { signal }) =>
      new Promise(resolve => signal.addEventListener('abort', () => setTimeout(() => resolve(said), 5)));
    const limited = withTimeout(quietContext, times.read * 2);
    expect(await provider.abilities.probe(id, undefined, limited)).toEqual(said);
  });

  test('repeats a recreate that the network broke, and observes anew after it', async () => {
    const spec = newSpec(swarmId);
    await provider.createInstance(spec);
    await place.loseServer(spec.identity.id);
    expect(await provider.abilities.observe()).toEqual([]);
    place.loseReply('recreateInstance');
    expect(await provider.abilities.recreateInstance(spec)).toMatchObject({ status: 'running' });
    expect(countOf('recreateInstance')).toBe(2);
    expect(await provider.abilities.observe()).toMatchObject([{ status: 'running' }]);
    place.failNext('hasHome', unreachable());
    expect(await provider.abilities.hasHome(spec.identity.id)).toBe(true);
    await place.loseHome(spec.identity.id);
    await expect(provider.abilities.recreateInstance(spec)).rejects.toMatchObject({ code: 'home-missing' });
    expect(countOf('recreateInstance')).toBe(3);
  });

  test('lets a command run as long as it takes', async () => {
    const id = await created();
    place.shell = async () => {
      await new Promise(resolve => setTimeout(resolve, times.change * 2));
      return { exitCode: 0, stdout: 'late', stderr: '', truncated: false };
    };
    expect(await provider.executeCommand(id, 'slow')).toMatchObject({ stdout: 'late' });
  });

  test.each([
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'network', 'provider-unreachable'],
    [
      new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) }),
      'network',
      'provider-unreachable',
    ],
    [Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' }), 'provider', 'no-space'],
    [Object.assign(new Error('EACCES: denied'), { code: 'EACCES' }), 'provider', 'no-access'],
    [new Error('something of the engine'), 'provider', 'provider-failed'],
    ['a string', 'provider', 'provider-failed'],
  ])('makes a SwarmError of %s', async (foreign, family, code) => {
    for (let i = 0; i < 3; i++) place.failNext('getInstance', foreign);
    await expect(provider.getInstance('abcdefabcdef')).rejects.toMatchObject({
      name: 'SwarmError',
      family,
      code,
      cause: foreign,
      hint: expect.stringMatching(/\.$/),
    });
  });

  test('has exactly the abilities of what it guards', () => {
    const withAll = new GuardedProvider({
      ...inner,
      getCapabilities: () => inner.getCapabilities(),
      abilities: { ...inner.abilities, attachUri: async () => ({ uri: 'vscode://x', extensionId: 'a.b' }) },
    } as unknown as MemoryProvider);
    expect(Object.keys(provider.abilities).sort()).toEqual(Object.keys(inner.abilities).sort());
    expect(withAll.abilities.attachUri).toBeDefined();
    expect(provider.abilities.listPorts).toBeUndefined();
  });
});

describe('the observation of a guarded provider', () => {
  test('is made once for all who ask within a moment', async () => {
    await created();
    const rows = await Promise.all([1, 2, 3].map(() => provider.abilities.observe()));
    await provider.abilities.observe();
    expect(rows.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(countOf('observe')).toBe(1);
  });

  test('is made anew after two seconds', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    await provider.abilities.observe();
    now.mockReturnValue(2_999);
    await provider.abilities.observe();
    expect(countOf('observe')).toBe(1);
    now.mockReturnValue(3_001);
    await provider.abilities.observe();
    expect(countOf('observe')).toBe(2);
    now.mockRestore();
  });

  test('is made anew after each change and each event', async () => {
    const id = await created();
    expect(await provider.abilities.observe()).toMatchObject([{ status: 'running' }]);
    await provider.stopInstance(id);
    expect(await provider.abilities.observe()).toMatchObject([{ status: 'stopped' }]);
    const woken: (string | undefined)[] = [];
    const subscription = provider.abilities.watch?.(changed => woken.push(changed));
    await new MemoryProvider(place).startInstance(id);
    expect(woken).toEqual([id]);
    expect(await provider.abilities.observe()).toMatchObject([{ status: 'running' }]);
    subscription?.dispose();
  });

  test('that began before a change is not given to those who ask after it', async () => {
    const id = await created();
    let release = () => {};
    place.latency = async call => {
      if (call === 'observe' && countOf('observe') === 0) await new Promise<void>(resolve => (release = resolve));
    };
    const stale = place.observations();
    inner.abilities.observe = inner.abilities.observe.bind(inner.abilities);
    const before = provider.abilities.observe();
    await provider.stopInstance(id);
    place.latency = async () => {};
    const after = provider.abilities.observe();
    release();
    expect((await after)[0]?.status).toBe('stopped');
    expect(stale[0]?.status).toBe('running');
    await before;
  });

  test('that failed is told to those who wait, and then tried again', async () => {
    for (let i = 0; i < 3; i++) place.failNext('observe', unreachable());
    const [one, other] = await Promise.allSettled([provider.abilities.observe(), provider.abilities.observe()]);
    expect([one.status, other.status]).toEqual(['rejected', 'rejected']);
    expect(await provider.abilities.observe()).toEqual([]);
  });

  test('is not ended for others when one of them goes', async () => {
    await created();
    let release = () => {};
    place.latency = () => new Promise<void>(resolve => (release = resolve));
    const controller = new AbortController();
    const one = provider.abilities.observe({ ...quietContext, signal: controller.signal });
    const other = provider.abilities.observe();
    controller.abort();
    await expect(one).rejects.toBe(controller.signal.reason);
    release();
    expect(await other).toHaveLength(1);
  });
});

describe('a change through a guarded provider', () => {
  const lost = lockLost('the instance');

  test('is not made, nor made again, once its lock is lost', async () => {
    const id = await created();
    let held = true;
    const ctx = {
      ...quietContext,
      lock: {
        assertHeld: () => {
          if (!held) throw lost;
        },
      },
    };
    place.failNext('stopInstance', unreachable());
    place.latency = async call => {
      if (call === 'stopInstance') held = false;
    };
    await expect(provider.stopInstance(id, false, ctx)).rejects.toBe(lost);
    await expect(provider.deleteInstance(id, ctx)).rejects.toBe(lost);
    await expect(provider.abilities.setRole(id, 'parked', ctx)).rejects.toBe(lost);
    expect(place.instances.get(id)).toMatchObject({ role: 'owner', running: true });
    expect(countOf('stopInstance')).toBe(1);
  });
});
