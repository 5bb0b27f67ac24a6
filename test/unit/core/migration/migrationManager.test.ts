import { describe, expect, test } from 'vitest';
import { defaultPolicy } from '../../../../src/model/config.ts';
import { BlastRadius, DestroyBudget } from '../../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../../src/operations/operationGate.ts';
import { contentOf, fill } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { MemoryStore } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

const call = { actor: 'test', signal: new AbortController().signal, report: () => {}, confirm: async () => true };

/** Two places, and an instance with a home on the first one. */
async function twoPlaces() {
  const here = new MemoryProvider(new MemoryPlace(), { id: 'here' });
  const there = new MemoryProvider(new MemoryPlace(), { id: 'there' });
  const swarm = memorySwarm({ providers: [here, there], defaultProviderType: 'here' });
  const { controller } = swarm;
  await controller.initialize();
  await controller.refresh();
  const gate = new OperationGate(
    controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget)),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  const as = (caller: 'agent' | 'person') => (name: string, input: unknown) =>
    // biome-ignore lint/suspicious/noExplicitAny: the type differs by operation
    gate.invoke(name, input, { ...call, caller }) as Promise<any>;
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  fill(here, id, 'uncommitted work');
  return { ...swarm, here, there, id, agent: as('agent'), person: as('person') };
}

describe('a migration through the gate', () => {
  test.each(['stop-and-recreate', 'create-then-stop'])(
    '%s: the home, and nothing else, is at the target',
    async strategy => {
      const { controller, here, there, id, agent } = await twoPlaces();
      const plan = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there', strategy });
      expect(plan).toMatchObject({ status: 'pending', from: 'here', to: 'there', plan: { bytes: 16, files: 1 } });
      const tokenBefore = await here.abilities.readToken(id);
      const done = await agent('start_migration', { migrationId: plan.id });
      expect(done).toMatchObject({ status: 'completed', leftovers: [], downtimeMs: expect.any(Number) });
      expect(done.steps.map(({ status }: { status: string }) => status)).toEqual(Array(10).fill('done'));
      expect(controller.getInstance(id)).toMatchObject({
        providerId: 'there',
        epoch: 2,
        role: 'owner',
        status: 'running',
      });
      expect(contentOf(there, id)).toBe('uncommitted work');
      expect(await there.getInstance(id)).toMatchObject({ role: 'owner', epoch: 2, status: 'running' });
      expect(await here.getInstance(id)).toMatchObject({ role: 'parked', status: 'stopped' });
      expect(await there.abilities.readToken(id)).not.toBe(tokenBefore);
      await controller.refresh();
      expect(controller.listInstances()).toHaveLength(1);
      expect(await agent('list_migrations', {})).toMatchObject({ migrations: [{ id: plan.id, status: 'completed' }] });
      await controller.dispose();
    },
  );

  test('a person rolls it back, and cleans up what is parked then', async () => {
    const { controller, here, there, id, agent, person } = await twoPlaces();
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    await agent('start_migration', { migrationId });
    fill(there, id, 'later work');
    expect(await person('roll_back_migration', { migrationId })).toMatchObject({ rolledBack: true });
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', epoch: 1, status: 'running' });
    expect(contentOf(here, id)).toBe('uncommitted work');
    expect(await there.getInstance(id)).toMatchObject({ role: 'parked', status: 'stopped' });
    expect(contentOf(there, id)).toBe('later work');
    await person('clean_up_migration', { migrationId });
    expect(await there.getInstance(id)).toBeNull();
    expect(await here.getInstance(id)).toMatchObject({ role: 'owner', status: 'running' });
    await controller.dispose();
  });
});
