import { afterEach, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { Asker } from '../../../src/model/caller.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const by = (caller: Asker['caller']) => ({ ...quietContext, by: { caller, actor: 'somebody' } });
let controller: SwarmController | undefined;
afterEach(() => controller?.dispose());

async function scene() {
  const made = memorySwarm();
  controller = made.controller;
  await made.controller.initialize();
  const { id } = await made.controller.createInstance(
    { name: 'prod', secretEnv: ['TOKEN'], env: { PLAIN: 'kept' }, image: 'node' },
    undefined,
    quietContext,
    { TOKEN: 'hunter2' },
  );
  const variables = () => made.place.instances.get(id)?.variables;
  return { ...made, id, variables };
}

test('what an agent wipes, secret values too, a person brings back', async () => {
  const { controller, id, vault, variables } = await scene();
  await controller.updateInstance(id, { secretEnv: [], env: {}, image: 'other', name: 'junk' }, by('agent'));
  await controller.updateInstance(id, { env: { EVIL: '1' } }, by('agent'));
  expect(variables()).toEqual({ EVIL: '1' });
  expect(controller.getInstance(id)).toMatchObject({ renamed: { from: ['prod'], by: { caller: 'agent' } } });
  const undone = await controller.undoAgentChanges(id, by('person'));
  expect(undone.config).toMatchObject({ name: 'prod', secretEnv: ['TOKEN'], env: { PLAIN: 'kept' }, image: 'node' });
  expect(variables()).toEqual({ PLAIN: 'kept', TOKEN: 'hunter2' });
  expect(await vault.read(id)).toEqual({ TOKEN: 'hunter2' });
  expect(undone.beforeAgents).toBeUndefined();
  await expect(controller.undoAgentChanges(id, by('person'))).rejects.toMatchObject({ code: 'wrong-state' });
});

test('an image that an agent set where there was none is the default again', async () => {
  const { controller, place } = await scene();
  const { id } = await controller.createInstance({ name: 'plain' });
  await controller.updateInstance(id, { image: 'evil' }, by('agent'));
  await controller.undoAgentChanges(id, by('person'));
  expect([controller.getInstance(id).config.image, place.instances.get(id)?.config.image]).toEqual([
    undefined,
    undefined,
  ]);
});

test('what a person adds to what an agent has left leaves what the agent took away to be brought back', async () => {
  const { controller, id, vault, variables } = await scene();
  await controller.updateInstance(id, { secretEnv: [], env: { EVIL: '1' }, ports: [1] }, by('agent'));
  // A face shows the lists as they are now, and a person adds to them.
  await controller.updateInstance(id, { secretEnv: ['NEW'], env: { EVIL: '1', MORE: '2' } }, by('person'), {
    NEW: 'x',
  });
  expect(variables()).toEqual({ EVIL: '1', MORE: '2', NEW: 'x' });
  expect(await vault.read(id)).toEqual({ TOKEN: 'hunter2', NEW: 'x' });
  await controller.undoAgentChanges(id, by('person'));
  expect(variables()).toEqual({ PLAIN: 'kept', MORE: '2', TOKEN: 'hunter2', NEW: 'x' });
  expect(controller.getInstance(id).beforeAgents).toBeUndefined();
});

test('a name that is taken by now keeps nothing else from being brought back, and can be had back later', async () => {
  const { controller, id, variables } = await scene();
  await controller.updateInstance(id, { name: 'junk', secretEnv: [], env: {} }, by('agent'));
  const other = await controller.createInstance({ name: 'prod' }, undefined, by('agent'));
  const undone = controller.undoAgentChanges(id, by('person'));
  const hint = expect.stringContaining('All else is undone');
  await expect(undone).rejects.toMatchObject({ code: 'name-taken', hint });
  expect(variables()).toEqual({ PLAIN: 'kept', TOKEN: 'hunter2' });
  expect(controller.getInstance(id).config.name).toBe('junk');
  await controller.updateInstance(other.id, { name: 'other' }, by('person'));
  const { config, beforeAgents } = await controller.undoAgentChanges(id, by('person'));
  expect([config.name, beforeAgents]).toEqual(['prod', undefined]);
});

test('more than one instance can have is refused, with what agents have taken away', async () => {
  const { controller, id } = await scene();
  const from = (first: number) => Array.from({ length: 40 }, (_, index) => first + index);
  await controller.updateInstance(id, { ports: from(1) }, by('person'));
  await controller.updateInstance(id, { ports: [] }, by('agent'));
  const refused = { code: 'invalid-input', message: expect.stringContaining('with what agents have taken away') };
  await expect(controller.updateInstance(id, { ports: from(100) }, by('person'))).rejects.toMatchObject(refused);
  await controller.undoAgentChanges(id, by('person'));
  expect(controller.getInstance(id).config.ports).toEqual(from(1));
});

test('what a person wipes is gone', async () => {
  const { controller, id, vault } = await scene();
  await controller.updateInstance(id, { secretEnv: [] }, by('person'));
  expect([await vault.read(id), controller.getInstance(id).beforeAgents]).toEqual([{}, undefined]);
});

test('a value that only its provider has is not wiped by an agent, and is by a person', async () => {
  const { controller, id, vault, variables } = await scene();
  await vault.forget(id);
  const refused = { code: 'denied', message: expect.stringContaining('only its provider knows the value of TOKEN') };
  await expect(controller.updateInstance(id, { secretEnv: [] }, by('agent'))).rejects.toMatchObject(refused);
  expect(variables()).toMatchObject({ TOKEN: 'hunter2' });
  await controller.updateInstance(id, { secretEnv: [] }, by('person'));
  expect(variables()).toEqual({ PLAIN: 'kept' });
});

test('an update that fails leaves nothing to undo, and no value lost', async () => {
  const { controller, id, place, vault, variables } = await scene();
  place.failNext('updateInstance', new Error('no'));
  await expect(controller.updateInstance(id, { secretEnv: [] }, by('agent'))).rejects.toThrow('no');
  expect(await vault.read(id)).toEqual({ TOKEN: 'hunter2' });
  expect(variables()).toMatchObject({ TOKEN: 'hunter2' });
});
