import type Dockerode from 'dockerode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diskOf, readUsage } from '../../../../src/providers/docker/containerDisks.ts';
import { usageOf } from '../../../../src/providers/docker/containerStats.ts';
import { instanceOf } from '../../../../src/providers/docker/engineWatch.ts';
import { PullProgress } from '../../../../src/providers/docker/pull.ts';
import { listeningPorts } from '../../../../src/providers/listeningPorts.ts';

test('the ports in the kernel tables: listening ones only, IPv4 and IPv6, each once, not the name server', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const line = (address: string, port: number, state: string) =>
    `   0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 1`;
  const tables = [
    header,
    line('00000000', 8080, '0A'),
    line('0100007F', 3000, '0A'),
    line('0100007F', 4000, '01'),
    line('0B00007F', 45_113, '0A'),
    header,
    line('00000000000000000000000000000000', 3000, '0A'),
    line('00000000000000000000000001000000', 5173, '0A'),
  ].join('\n');
  expect(listeningPorts(tables)).toEqual([3000, 5173, 8080]);
  fc.assert(fc.property(fc.string(), text => listeningPorts(text).length === 0));
});

test('an event tells its instance, and any other line nothing', () => {
  const event = {
    Type: 'container',
    Action: 'die',
    Actor: { Attributes: { 'remote-swarm.instance': 'abcdefabcdef' } },
  };
  expect(instanceOf(JSON.stringify(event))).toBe('abcdefabcdef');
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), line => instanceOf(line) === undefined));
});

describe('the progress of a pull', () => {
  test('goes by size, from nothing to all', () => {
    const progress = new PullProgress();
    expect(progress.fraction).toBe(0);
    progress.note({ status: 'Pulling from team/editor', id: 'v1' });
    progress.note({ status: 'Pulling fs layer', id: 'a' });
    progress.note({ status: 'Downloading', id: 'a', progressDetail: { current: 500_000, total: 1_000_000 } });
    progress.note({ status: 'Already exists', id: 'b' });
    expect(progress.summary).toBe('1 of 2 layers');
    expect(progress.fraction).toBeCloseTo(0.4, 2);
    progress.note({ status: 'Download complete', id: 'a' });
    expect(progress.fraction).toBeCloseTo(0.8, 2);
    progress.note({ status: 'Pull complete', id: 'a' });
    expect(progress.summary).toBe('2 of 2 layers');
    expect(progress.fraction).toBe(1);
  });

  test('is a fraction, whatever the engine says', () => {
    const line = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      status: fc.constantFrom('Pulling fs layer', 'Downloading', 'Extracting', 'Pull complete', 'Status: done'),
      progressDetail: fc.record({ current: fc.nat(100), total: fc.integer({ min: 100, max: 200 }) }),
    });
    fc.assert(
      fc.property(fc.array(line), lines => {
        const progress = new PullProgress();
        for (const each of lines) progress.note(each);
        expect(progress.fraction).toBeGreaterThanOrEqual(0);
        expect(progress.fraction).toBeLessThanOrEqual(1);
      }),
    );
  });
});

test('usage is counted as the engine counts, on both generations of cgroups', () => {
  const stats = (memory: object) =>
    ({
      cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 2_000, online_cpus: 4 },
      precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 1_000 },
      memory_stats: memory,
    }) as Dockerode.ContainerStats;
  const limit = 1_000_000;
  expect(usageOf('i', stats({ usage: 500, limit, stats: { total_inactive_file: 100 } }))).toEqual({
    ...{ id: 'i', cpuCores: 0.8, memoryBytes: 400, memoryLimitBytes: limit },
  });
  expect(usageOf('i', stats({ usage: 500, limit, stats: { inactive_file: 200 } }))?.memoryBytes).toBe(300);
  expect(usageOf('i', stats({ usage: 500, limit: 2 ** 63 }))?.memoryLimitBytes).toBeUndefined();
  expect(usageOf('i', stats({}))).toBeUndefined();
});

test('volumes of the engine share its disk; those with a driver or options of their own may not', () => {
  const plain = { Driver: 'local', Options: null };
  expect(diskOf({ Name: 'a', ...plain })).toBe(diskOf({ Name: 'b', ...plain, Options: {} }));
  const own = [
    { Name: 'a', ...plain, Options: { type: 'tmpfs' } },
    { Name: 'b', ...plain, Options: { type: 'tmpfs' } },
    { Name: 'c', ...plain, Driver: 'nfs' },
    { Name: 'd', ...plain },
  ].map(diskOf);
  expect(new Set(own).size).toBe(4);
});

test('a disk is counted as df counts, and what says no such thing is no disk', () => {
  const facts = { blocks: 1_000, bfree: 300, bavail: 250, bsize: 4_096 };
  expect(readUsage(JSON.stringify({ type: 1, ...facts }))).toEqual({
    diskUsedBytes: 700 * 4_096,
    diskTotalBytes: 950 * 4_096,
  });
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => readUsage(text) === undefined));
});
