import { expect, test } from 'vitest';
import { defaultPolicy } from '../../../src/model/config.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../src/operations/operationGate.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

/** The gate before the real controller, with everything below it in memory. */
async function open() {
  const { controller } = memorySwarm();
  await controller.initialize();
  const gate = new OperationGate(
    controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  const call = { actor: 'test', signal: new AbortController().signal, report: () => {}, confirm: async () => true };
  const as = (caller: 'agent' | 'person') => (name: string, input: unknown) =>
    // biome-ignore lint/suspicious/noExplicitAny: the type differs by operation
    gate.invoke(name, input, { ...call, caller }) as Promise<any>;
  return { controller, agent: as('agent'), person: as('person') };
}

test('an agent creates, finds, uses, stops and deletes; a person takes it back and deletes it for good', async () => {
  const { controller, agent, person } = await open();
  const { id, provider } = await agent('create_swarm_instance', { name: 'web', env: { MODE: 'test' } });
  const { instances } = await agent('list_swarm_instances', { name: 'W*', provider });
  expect(instances).toMatchObject([{ id, name: 'web', status: 'running' }]);
  expect(await agent('get_swarm_instance', { instanceId: id })).toMatchObject({
    env: { MODE: 'test' },
    desired: 'running',
  });
  expect(await agent('run_in_instance', { instanceId: id, command: 'true' })).toMatchObject({ exitCode: 0 });
  await agent('get_instance_logs', { instanceId: id });
  await agent('update_swarm_instance', { instanceId: id, name: 'site' });
  expect(await agent('get_swarm_status', {})).toMatchObject({ instances: 1, byStatus: { running: 1 } });

  const ids = { instanceIds: [id] };
  expect(await agent('stop_swarm_instance', ids)).toMatchObject({ results: [{ name: 'site', status: 'stopped' }] });
  expect(await agent('start_swarm_instance', ids)).toMatchObject({ results: [{ status: 'running' }] });
  expect(await agent('delete_swarm_instance', ids)).toMatchObject({
    results: [{ outcome: 'done', status: 'trashed', restorableUntil: expect.any(String) }],
  });
  expect(await agent('start_swarm_instance', ids)).toMatchObject({ results: [{ outcome: 'failed' }] });

  expect(await person('restore_swarm_instance', ids)).toMatchObject({
    results: [{ outcome: 'done', status: 'stopped' }],
  });
  await person('start_swarm_instance', ids);
  expect((await person('open_swarm_instance', { instanceId: id })).url).toMatch(/[?&]tkn=/);
  await person('purge_swarm_instance', ids);
  expect(controller.listInstances()).toEqual([]);
  await controller.dispose();
});

test('everything of this swarm can be removed at once, the trash too', async () => {
  const { controller, person } = await open();
  for (const name of ['one', 'two', 'three']) await person('create_swarm_instance', { name });
  const [first] = controller.listInstances();
  await person('delete_swarm_instance', { instanceIds: [first?.id] });
  const { results } = await person('remove_swarm', {});
  expect(results).toHaveLength(3);
  expect(controller.listInstances()).toEqual([]);
  await controller.dispose();
});
