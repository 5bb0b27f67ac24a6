import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePlacement, type PlacementCandidate } from '../../../src/core/placement.ts';

function candidate(
  id: string,
  options: {
    reachable?: boolean;
    instances?: number;
    most?: number;
    cores?: number;
    memory?: number;
    images?: boolean;
    limits?: boolean;
  } = {},
): PlacementCandidate {
  const {
    reachable = true,
    instances = 0,
    most = 100,
    cores = 8,
    memory = 16_384,
    images = true,
    limits = true,
  } = options;
  return {
    provider: { id, abilities: { images, limits } },
    capabilities: {
      supportsLiveResize: false,
      supportsSnapshotting: false,
      supportsMultiRegion: false,
      maxInstancesPerUser: most,
      maxResourcesPerInstance: { cpu: { cores }, memory: { min: 128, max: memory } },
    },
    reachable,
    instances,
  };
}

describe('placement', () => {
  test('takes the provider with the fewest instances, and the first of equals', () => {
    const placed = choosePlacement({ resources: {} }, [
      candidate('a', { instances: 2 }),
      candidate('b', { instances: 1 }),
      candidate('c', { instances: 1 }),
    ]);
    expect(placed).toEqual({
      providerId: 'b',
      reason: 'Of the 3 providers that can take it, it has the fewest instances (1).',
    });
  });

  test.each([
    ['an unreachable provider', candidate('p', { reachable: false }), {}, '"p" does not answer'],
    ['a full provider', candidate('p', { instances: 3, most: 3 }), {}, '"p" already holds 3 instances, its most'],
    ['too many cores', candidate('p'), { cpuCores: 9 }, '"p" has 8 CPU cores, 9 are asked for'],
    ['too much memory', candidate('p'), { memoryMb: 32_768 }, '"p" has 16384 MiB of memory, 32768 are asked for'],
    [
      'limits where none are enforced',
      candidate('p', { limits: false }),
      { memoryMb: 512 },
      '"p" cannot limit resources',
    ],
  ])('refuses %s, and says why', (_what, only, resources, refusal) => {
    expect(choosePlacement({ resources }, [only])).toEqual({ providerId: undefined, refusals: [refusal] });
  });

  test('an image goes only where there are images', () => {
    const placed = choosePlacement({ resources: {}, image: 'debian:12' }, [
      candidate('local', { images: false }),
      candidate('docker', { instances: 50 }),
    ]);
    expect(placed).toMatchObject({ providerId: 'docker' });
  });

  test('a region is chosen among those of the provider', () => {
    const { capabilities, ...rest } = candidate('cloud', { instances: 50 });
    const cloud = { ...rest, capabilities: { ...capabilities, supportedRegions: ['ams', 'fra'] } };
    const placed = (region: string) => choosePlacement({ resources: {} }, [candidate('local'), cloud], region);
    expect(placed('fra')).toMatchObject({ providerId: 'cloud' });
    expect(placed('iad')).toEqual({
      providerId: undefined,
      refusals: ['"local" has no regions to choose from', '"cloud" has no region "iad"'],
    });
  });

  test('never chooses a provider that does not fit, and always one that does', () => {
    const someCandidate = fc.record({
      reachable: fc.boolean(),
      instances: fc.nat(10),
      most: fc.nat(10),
      cores: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(someCandidate, { maxLength: 6 }), fc.integer({ min: 1, max: 8 }), (options, cpuCores) => {
        const placed = choosePlacement(
          { resources: { cpuCores } },
          options.map((option, index) => candidate(`p${index}`, option)),
        );
        const fits = options.map(o => o.reachable && o.instances < o.most && cpuCores <= o.cores);
        if (placed.providerId === undefined) return !fits.includes(true) && placed.refusals.length === options.length;
        return fits[Number(placed.providerId.slice(1))] === true;
      }),
    );
  });
});
