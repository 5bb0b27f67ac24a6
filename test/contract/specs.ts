import { randomBytes } from 'node:crypto';
import { InstanceConfig, type InstanceConfigInput } from '../../src/model/instance.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';

/** `length` random lower-case letters and digits, as ids are. */
export const randomId = (length: number) => randomBytes(length).toString('hex').slice(0, length);

/** The swarm of one test run. */
export const testSwarmId = () => randomId(16);

/** A whole spec; what is not given is small and plain. */
export function newSpec(
  swarmId: string,
  config: Partial<InstanceConfigInput> = {},
  secrets: Record<string, string> = {},
): InstanceSpec {
  const id = randomId(12);
  return {
    ...InstanceConfig.parse({ name: `test ${id}`, ...config }),
    identity: {
      id,
      swarmId,
      epoch: 1,
      owner: { user: 'tester', machine: 'test' },
      createdAt: new Date().toISOString(),
    },
    secrets,
  };
}

/** A record that only a later version can read. */
export const later = JSON.stringify({ all: 'else' });
