import { describe, expect, test } from 'vitest';
import {
  type ContainerPlan,
  canResizeLive,
  containerSpec,
  limitsOf,
  ownStart,
} from '../../../../src/providers/docker/containerSpec.ts';

const identity = {
  ...{ id: 'abcdefabcdef', swarmId: '0123456789abcdef', epoch: 3, createdAt: '2026-01-02T03:04:05.000Z' },
  owner: { user: 'u', machine: 'm' },
};
const plan: ContainerPlan = {
  identity,
  role: 'owner',
  env: ['PATH=/usr/local/go/bin:/bin', 'NODE_OPTIONS=--no-such-option', 'NODE_ENV=production'],
  image: 'img:1',
  resources: {},
  network: 'n1',
  shell: '/bin/sh',
  publish: true,
  proxies: ['HTTPS_PROXY=http://proxy:3128'],
};

describe('the request for a container', () => {
  test('names, labels and confines it', () => {
    const spec = containerSpec(plan);
    expect(spec).toMatchObject({
      name: 'remote-swarm-abcdefabcdef--owner',
      Image: 'img:1',
      User: '1000:1000',
      Labels: {
        'remote-swarm.swarm': '0123456789abcdef',
        'remote-swarm.instance': 'abcdefabcdef',
        'remote-swarm.epoch': '3',
        'remote-swarm.created': '2026-01-02T03:04:05.000Z',
      },
      HostConfig: {
        ...{ Init: true, Privileged: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] },
        ...{ PidsLimit: 4096, NetworkMode: 'n1' },
      },
    });
    expect(spec.HostConfig?.Memory).toBeUndefined();
    expect(spec.Env).toEqual([
      ...ownStart,
      'REMOTE_SWARM_HELD_BACK_NODE_OPTIONS=--no-such-option',
      'HTTPS_PROXY=http://proxy:3128',
      ...['HOME=/remote-swarm/home', 'SHELL=/bin/sh'],
    ]);
    expect(ownStart).toContain('NODE_OPTIONS');
    expect(spec.Cmd).toContain('--connection-token-file');
  });

  test('publishes the port on loopback, or not at all', () => {
    expect(containerSpec(plan).HostConfig?.PortBindings).toEqual({
      '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
    });
    expect(containerSpec({ ...plan, publish: false }).HostConfig?.PortBindings).toBeUndefined();
  });

  test('mounts the home, and an editor server read-only when the image has none', () => {
    const targets = (spec: ReturnType<typeof containerSpec>) =>
      (spec.HostConfig?.Mounts ?? []).map(({ Source, Target, ReadOnly }) => [Source, Target, ReadOnly ?? false]);
    const home = ['remote-swarm-abcdefabcdef', '/remote-swarm', false];
    expect(targets(containerSpec(plan))).toEqual([home]);
    const injected = containerSpec({ ...plan, runtimeVolume: 'runtime' });
    expect(targets(injected)).toEqual([home, ['runtime', '/usr/lib/code-server', true]]);
  });
});

describe('limits', () => {
  test('are in the units of the engine, without swap', () => {
    expect(limitsOf({ cpuCores: 1.5, memoryMb: 512, pids: 100 })).toEqual({
      ...{ NanoCpus: 1_500_000_000, Memory: 536_870_912, MemorySwap: 536_870_912, PidsLimit: 100 },
    });
    expect(limitsOf({})).toEqual({ PidsLimit: 4096 });
  });

  test('can be moved live, and not be taken away', () => {
    expect(canResizeLive({}, { cpuCores: 1, memoryMb: 200, pids: 100 })).toBe(true);
    expect(canResizeLive({ cpuCores: 1, memoryMb: 200, pids: 100 }, { cpuCores: 2, memoryMb: 100 })).toBe(true);
    expect(canResizeLive({ cpuCores: 1 }, {})).toBe(false);
    expect(canResizeLive({ memoryMb: 200 }, { cpuCores: 1 })).toBe(false);
  });
});
