import type { InstanceRecord } from '../../../src/model/instance.ts';
import { InstanceConfig } from '../../../src/model/instance.ts';
import type { InstanceObservation } from '../../../src/model/provider.ts';
import type { ProviderState } from '../../../src/model/swarmStatus.ts';
import { defaultChoice, type FoundResource, type TreeFacts } from '../../../src/vscode/instanceTree.ts';

export const idOf = (number: number) => String(number).padStart(12, '0');

type Change = Partial<Omit<InstanceRecord, 'config'>> & { config?: Partial<InstanceConfig> };

/** A running instance called `web-<number>` on the provider `local`, changed as the test wants it. */
export function record(number: number, { config, ...change }: Change = {}): InstanceRecord {
  return {
    schemaVersion: 1,
    revision: 1,
    id: idOf(number),
    swarmId: 'aaaabbbbccccdddd',
    epoch: 1,
    owner: { user: 'mara', machine: 'desk' },
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
    providerId: 'local',
    role: 'owner',
    status: 'running',
    desired: 'running',
    statusSince: '2026-01-01T09:00:00.000Z',
    config: { ...InstanceConfig.parse({ name: `web-${number}` }), ...config },
    ...change,
  };
}

export const provider = (id: string, change: Partial<ProviderState> = {}): ProviderState => ({
  id,
  type: id,
  reachable: true,
  instances: 0,
  ...change,
});

export function found(number: number, providerId = 'docker'): FoundResource {
  const observation: InstanceObservation = {
    id: idOf(number),
    swarmId: 'zzzzyyyyxxxxwwww',
    epoch: 1,
    role: 'owner',
    status: 'running',
    createdAt: '2026-01-01T12:00:00.000Z',
  };
  return { providerId, observation };
}

export const facts = (change: Partial<TreeFacts> = {}): TreeFacts => ({
  records: [],
  found: [],
  providers: [provider('local')],
  choice: defaultChoice,
  ...change,
});
