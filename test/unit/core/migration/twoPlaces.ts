import type { SwarmController } from '../../../../src/core/swarmController.ts';
import { defaultPolicy, type MigrationConfig } from '../../../../src/model/config.ts';
import { BlastRadius, DestroyBudget } from '../../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../../src/operations/operationGate.ts';
import { fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider, type MemoryProviderOptions } from '../../../fakes/memoryProvider.ts';
import { MemoryDisk, MemoryStore } from '../../../fakes/memoryStore.ts';
import { MemoryLock, memorySwarm } from '../../../fakes/memorySwarm.ts';

const call = { actor: 'test', signal: new AbortController().signal, report: () => {}, confirm: async () => true };

export const identityOf = (controller: SwarmController, instanceId: string) => {
  const { id, swarmId, owner, createdAt } = controller.getInstance(instanceId);
  return { id, swarmId, owner, createdAt };
};

/** Two places, or more, and an instance with a home on the first one. */
export async function twoPlaces(
  target: MemoryProviderOptions = {},
  migration: Partial<MigrationConfig> = {},
  homes = new MemoryCarrier(),
  others: readonly MemoryProvider[] = [],
) {
  const here = new MemoryProvider(new MemoryPlace(), { id: 'here' });
  const there = new MemoryProvider(new MemoryPlace(), { id: 'there', ...target });
  const migrationDisk = new MemoryDisk();
  const locks = new MemoryLock();
  const swarm = memorySwarm({
    providers: [here, there, ...others],
    defaultProviderType: 'here',
    migrationDisk,
    migration,
    locks,
    homes,
  });
  const { controller } = swarm;
  await controller.initialize();
  await controller.refresh();
  const gate = new OperationGate(
    controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  const as = (caller: 'agent' | 'person') => (name: string, input: unknown) =>
    // biome-ignore lint/suspicious/noExplicitAny: the type differs by operation
    gate.invoke(name, input, { ...call, caller }) as Promise<any>;
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  fill(here, id, 'uncommitted work');
  return { ...swarm, migrationDisk, locks, here, there, id, agent: as('agent'), person: as('person') };
}
