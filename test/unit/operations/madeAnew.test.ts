import { afterEach, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { defaultPolicy } from '../../../src/model/config.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { type Confirmation, OperationGate } from '../../../src/operations/operationGate.ts';
import { fill } from '../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

let controller: SwarmController | undefined;
afterEach(() => controller?.dispose());

/** A place that can't take a limit away from what lives, and an agent with a person who agrees to all that is asked. */
async function scene(names: readonly string[]) {
  const place = new MemoryPlace();
  const provider = new MemoryProvider(place, {
    remakes: (before, after) => before.resources.memoryMb !== undefined && after.resources.memoryMb === undefined,
  });
  const made = memorySwarm({ providers: [provider] });
  controller = made.controller;
  await made.controller.initialize();
  const ids: string[] = [];
  for (const name of names) {
    const { id } = await made.controller.createInstance({ name, resources: { memoryMb: 512 } });
    fill(provider, id, `work of ${name}`);
    ids.push(id);
  }
  const questions: Confirmation[] = [];
  const gate = new OperationGate(
    made.controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  const confirm = async (question: Confirmation) => questions.push(question) > 0;
  const agent = (name: string, input: unknown) =>
    gate.invoke(name, input, { ...quietContext, caller: 'agent', actor: 'chat', confirm });
  return { controller: made.controller, place, ids, questions, agent };
}

const limitReached = { code: 'destroy-limit-reached' };

test('what makes an instance anew is asked about and counted, whatever it is that an agent changes', async () => {
  const { ids, questions, agent } = await scene(['a', 'b', 'c', 'd']);
  const [one = '', two = '', three = '', four = ''] = ids;
  await agent('update_swarm_instance', { instanceId: one, resources: { memoryMb: 1024 } });
  expect(questions).toEqual([]);
  await agent('update_swarm_instance', { instanceId: one, resources: {} });
  expect(questions.map(({ detail }) => detail)).toEqual([expect.stringContaining('outside its home is lost')]);
  await agent('update_swarm_instance', { instanceId: two, image: 'other' });
  await agent('recover_instance', { instanceId: three, rung: 'recreate' });
  await expect(agent('update_swarm_instance', { instanceId: four, resources: {} })).rejects.toMatchObject(limitReached);
  expect(questions).toHaveLength(3);
});

test('what has become such a change by the time its turn comes is refused', async () => {
  const { controller, ids, questions, agent } = await scene(['a']);
  const [instanceId = ''] = ids;
  await controller.updateInstance(instanceId, { resources: {} });
  const both = await Promise.allSettled([
    agent('update_swarm_instance', { instanceId, resources: { memoryMb: 512 } }),
    agent('update_swarm_instance', { instanceId, resources: {} }),
  ]);
  expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'denied' } }]);
  expect([questions, controller.getInstance(instanceId).config.resources]).toEqual([[], { memoryMb: 512 }]);
});

test('what was lost and is there again is not made anew without a question, a count and a snapshot', async () => {
  const { controller, place, ids, questions, agent } = await scene(['a', 'b', 'c', 'd', 'e']);
  const all = new Map(place.instances);
  place.instances.clear();
  await controller.refresh();
  await controller.refresh();
  expect(new Set(controller.listInstances().map(({ status }) => status))).toEqual(new Set(['lost']));
  for (const [id, instance] of all) place.instances.set(id, instance);
  const outcomes = await Promise.allSettled(ids.map(instanceId => agent('recover_instance', { instanceId })));
  const anew = ids.filter(id => place.instances.get(id) !== all.get(id));
  expect([anew.length, questions.length]).toEqual([3, 3]);
  expect(questions[0]?.detail).toContain('Make Anew');
  expect(controller.snapshots.listSnapshots().map(({ kind }) => kind)).toEqual(['before', 'before', 'before']);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject(Array(2).fill({ reason: limitReached }));
});
