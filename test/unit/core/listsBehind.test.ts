import { expect, test, vi } from 'vitest';
import { newSpec, testSwarmId } from '../../contract/specs.ts';
import { expectCode } from '../../contract/tools.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

/** A swarm whose state was lost, at a place whose list still tells of an instance what it was before `change`. */
async function foundAgain(change: (provider: MemoryProvider, id: string) => Promise<unknown>) {
  const { controller, place } = memorySwarm({ health: { enabled: false } });
  const provider = new MemoryProvider(place);
  const spec = newSpec(controller.swarmId);
  const { id } = await provider.createInstance(spec);
  place.freezeList();
  await change(provider, id);
  await controller.initialize();
  await controller.refresh();
  return { controller, place, id };
}

test.each(['parked', 'incoming'] as const)(
  'what a list that is behind calls an owner, and is %s, is no instance',
  async role => {
    const { controller, place, id } = await foundAgain((provider, id) => provider.abilities.setRole(id, role));
    expect(controller.listInstances()).toEqual([]);
    await expectCode(controller.adoptInstance('memory', id), 'wrong-state');
    place.thawList();
    await controller.refresh();
    expect(controller.listInstances()).toEqual([]);
  },
);

test('what is being removed, or another’s by now, is no instance', async () => {
  const removing = await foundAgain(async (provider, id) => {
    const instance = provider.place.instances.get(id);
    if (instance) instance.role = 'removing';
  });
  expect(removing.controller.listInstances()).toEqual([]);
  const heir = { swarmId: testSwarmId(), epoch: 3, owner: { user: 'bob', machine: 'desk' } };
  const anothers = await foundAgain((provider, id) => provider.abilities.transfer(id, heir));
  expect(anothers.controller.listInstances()).toEqual([]);
});

test('what was written while a list was under way is newer than the list', async () => {
  const { controller, place } = memorySwarm({ health: { enabled: false } });
  await controller.initialize();
  const { id } = await controller.createInstance({ name: 'web' });
  await controller.stopInstance(id);
  place.freezeList();
  const { observe } = controller.providers.get('memory').abilities;
  const spy = vi.spyOn(controller.providers.get('memory').abilities, 'observe').mockImplementation(async ctx => {
    const seen = await observe(ctx);
    await controller.startInstance(id);
    return seen;
  });
  await controller.refresh();
  spy.mockRestore();
  expect(controller.getInstance(id).status).toBe('running');
  await controller.refresh();
  expect(controller.getInstance(id).status).toBe('stopped');
});

test('what has moved to the trash is there', async () => {
  const { controller, place, id } = await foundAgain((provider, id) => provider.abilities.trashInstance(id));
  place.thawList();
  await controller.refresh();
  expect(controller.listInstances()).toMatchObject([{ id, role: 'trash', status: 'trashed', generation: 1 }]);
});
