import fc from 'fast-check';
import { expect, test } from 'vitest';
import { authorizationOf } from '../../../../src/providers/fly/flyApi.ts';
import { FlyAnswer, flyError } from '../../../../src/providers/fly/flyErrors.ts';
import { endOf, readMachine } from '../../../../src/providers/fly/instanceMachine.ts';
import { guestOf, largest } from '../../../../src/providers/fly/machineConfig.ts';
import { instanceOn } from '../../../../src/providers/fly/machineInstance.ts';
import { RateLimiter } from '../../../../src/providers/fly/rateLimiter.ts';

test.each([
  ['fo1_abc', 'Bearer fo1_abc'],
  [' fm2_abc,fm2_def\n', 'FlyV1 fm2_abc,fm2_def'],
  ['fm1r_abc,fm2_def', 'FlyV1 fm1r_abc,fm2_def'],
  ['FlyV1 fm2_abc', 'FlyV1 fm2_abc'],
  ['bearer xyz', 'Bearer xyz'],
])('the token %j is sent as %j', (token, header) => expect(authorizationOf(token)).toBe(header));

test.each([
  [412, '', 'insufficient resources to create new machine with existing volume', 'no-capacity'],
  [409, '', 'could not reserve resource for machine: insufficient memory', 'no-capacity'],
  [400, '', 'no capacity available in fra', 'no-capacity'],
  [422, 'insufficient_capacity', 'try another region', 'no-capacity'],
  [422, 'volume_placement_capacity', 'try another region', 'no-capacity'],
  [403, '', 'organization is over the allowed quota', 'quota-used-up'],
  [403, '', 'forbidden', 'not-allowed'],
  [401, '', 'unauthorized', 'token-refused'],
  [422, 'name_taken', 'Validation failed', 'id-taken'],
  [409, '', 'aborted: lease is currently held', 'leased'],
  [429, '', 'rate limit exceeded', 'rate-limited'],
  [503, '', 'unavailable', 'provider-unreachable'],
  [408, '', 'deadline_exceeded', 'timed-out'],
  [400, '', 'invalid config', 'fly-refused'],
])('%i %j "%s" is %s, with the next step', (status, code, said, expected) => {
  const error = flyError('fly', 'Making the machine', new FlyAnswer(status, code, said, null));
  expect(error).toMatchObject({ code: expected, hint: expect.stringMatching(/\.$/) });
});

test('a size that Fly sells has at least what was asked for, and is of its own steps', () => {
  const asked = { cpuCores: fc.integer({ min: 1, max: 16 }), memoryMb: fc.integer({ min: 256, max: 32_768 }) };
  fc.assert(
    fc.property(fc.record(asked), ({ cpuCores, memoryMb }) => {
      const { cpus = 0, memory_mb: memory = 0, cpu_kind: kind } = guestOf({ cpuCores, memoryMb });
      const [least, most] = kind === 'shared' ? [256, 2_048] : [2_048, 8_192];
      expect(cpus).toBeGreaterThanOrEqual(cpuCores);
      expect(memory).toBeGreaterThanOrEqual(memoryMb);
      expect(memory % 256).toBe(0);
      expect(memory / cpus).toBeGreaterThanOrEqual(least);
      expect(memory / cpus).toBeLessThanOrEqual(most);
    }),
  );
  expect(guestOf({})).toEqual({ cpu_kind: 'shared', cpus: 2, memory_mb: 2_048 });
  expect(guestOf({ cpuCores: 99 }).cpus).toBe(largest.cores);
});

test('a limiter lets a burst through, and then keeps to its rate, key by key', async () => {
  const limiter = new RateLimiter();
  const { signal } = new AbortController();
  const begin = performance.now();
  await Promise.all(Array.from({ length: 5 }, () => limiter.turn('one', { perSecond: 20, burst: 3 }, signal)));
  const took = performance.now() - begin;
  await limiter.turn('other', { perSecond: 1, burst: 1 }, signal);
  expect(took).toBeGreaterThan(95);
  expect(performance.now() - begin - took).toBeLessThan(500);
});

test('who no longer wants a call does not wait for it', async () => {
  const limiter = new RateLimiter();
  const slow = { perSecond: 0.001, burst: 1 };
  await limiter.turn('one', slow, new AbortController().signal);
  await expect(limiter.turn('one', slow, AbortSignal.timeout(10))).rejects.toThrow();
});

test('only a machine with all our marks is ours, and a state that nobody knows is told', () => {
  const metadata = {
    'remote-swarm.instance': 'abcdefabcdef',
    'remote-swarm.swarm': '0123456789abcdef',
    'remote-swarm.role': 'owner',
  };
  const row = { id: 'm', state: 'started', config: { metadata } };
  expect(readMachine(row)).toMatchObject({ id: 'abcdefabcdef', status: 'running' });
  expect(readMachine({ ...row, state: 'dreaming' })).toMatchObject({
    status: 'unknown',
    detail: 'Fly.io says dreaming',
  });
  expect(readMachine({ ...row, state: 'destroyed' })).toBeUndefined();
  for (const key of Object.keys(metadata)) {
    const fewer = Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== key));
    expect(readMachine({ ...row, config: { metadata: fewer } })).toBeUndefined();
  }
  for (const other of [
    { 'remote-swarm.role': 'frozen' },
    { 'remote-swarm.swarm': 'a swarm of another kind' },
    { 'remote-swarm.generation': `${Number.MAX_SAFE_INTEGER}` },
    { 'remote-swarm.epoch': `${Number.MAX_SAFE_INTEGER}` },
  ])
    expect(readMachine({ ...row, config: { metadata: { ...metadata, ...other } } })).toMatchObject({
      ...{ id: 'abcdefabcdef', status: 'unknown', untold: true, detail: expect.any(String) },
    });
});

test('a machine whose notes cannot be read is still an instance, that can be stopped or deleted', () => {
  const marks = {
    'remote-swarm.instance': 'abcdefabcdef',
    'remote-swarm.swarm': '0123456789abcdef',
    'remote-swarm.role': 'owner',
  };
  for (const text of ['', '{', '5', '{"name":5}', '{"__proto__":{}}']) {
    const metadata = { ...marks, 'remote-swarm.config': text, 'remote-swarm.owner': text };
    const machine = readMachine({ id: 'm', state: 'started', config: { metadata } });
    expect(machine && instanceOn('fly', machine)).toMatchObject({
      ...{ id: 'abcdefabcdef', status: 'running', config: { name: 'abcdefabcdef' } },
      owner: { user: 'unknown', machine: 'unknown' },
    });
  }
});

test('why a machine ended is told by its last end, unless it was asked to', () => {
  const exit = (exit_event: object) => ({ type: 'exit', request: { exit_event } as object as Record<string, never> });
  expect(endOf([])).toBeUndefined();
  expect(endOf([exit({ requested_stop: true, exit_code: 1 })])).toBeUndefined();
  expect(endOf([exit({ oom_killed: true, exit_code: 137 })])).toMatchObject({ cause: 'out-of-memory' });
  expect(endOf([exit({ exit_code: 127 })])).toEqual({ cause: 'bad-config', detail: 'exited with code 127' });
  expect(endOf([{ type: 'update' }, exit({ exit_code: 0 })])).toMatchObject({ cause: 'exited' });
  expect(endOf([{ type: 'start' }, exit({ exit_code: 1 })])).toBeUndefined();
});
