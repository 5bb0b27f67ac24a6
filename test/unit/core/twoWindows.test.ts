import { afterEach, describe, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const open: SwarmController[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(controller => controller.dispose()));
});

/** A disk that never tells its windows of one another: the moment before they hear of it, which lasts. */
class SilentDisk extends MemoryDisk {
  override readonly changes = { event: () => ({ dispose: () => {} }), fire: () => {}, dispose: () => {} } as never;
}

const disk = () => new SilentDisk();
async function window(on: MemoryDisk, place?: MemoryPlace) {
  const made = memorySwarm({ disk: on, ...(place && { place }) });
  open.push(made.controller);
  await made.controller.initialize();
  return made;
}

/** Two windows that both know the instances `a` and `b`, and no more of one another. */
async function two() {
  const shared = disk();
  const { controller, place } = await window(shared);
  const a = await controller.createInstance({ name: 'a' });
  const b = await controller.createInstance({ name: 'b' });
  const other = (await window(shared, place)).controller;
  return { here: controller, there: other, place, a: a.id, b: b.id };
}

describe('a name', () => {
  test('that another window has just given is taken', async () => {
    const { here, there, a } = await two();
    await there.updateInstance(a, { name: 'new' });
    await expect(here.createInstance({ name: 'NEW' })).rejects.toMatchObject({ code: 'name-taken' });
    await expect(here.createInstance({ name: 'a' })).resolves.toMatchObject({ config: { name: 'a' } });
  });

  test('of two windows that rename at once, one gets it', async () => {
    const { here, there, a, b } = await two();
    await there.updateInstance(a, { name: 'new' });
    await expect(here.updateInstance(b, { name: 'new' })).rejects.toMatchObject({ code: 'name-taken' });
    expect(here.getInstance(b)).toMatchObject({ config: { name: 'b' } });
  });

  test('that an update under way will give is taken, and so is the one that it has', async () => {
    const { here, there, place, a } = await two();
    place.hang('updateInstance');
    const cancel = new AbortController();
    const update = here.updateInstance(a, { name: 'new' }, { signal: cancel.signal, report: () => {} });
    await expect.poll(() => place.calls.includes('updateInstance')).toBe(true);
    for (const name of ['a', 'new'])
      await expect(there.createInstance({ name })).rejects.toMatchObject({ code: 'name-taken' });
    cancel.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(update).rejects.toThrow();
  });

  test('that two have, as after an adoption, hinders no other change of them', async () => {
    const { here, a, b } = await two();
    await here.registry.updateInstance(b, current => ({ ...current, config: { ...current.config, name: 'a' } }));
    await expect(here.updateInstance(a, { ports: [80] })).resolves.toMatchObject({ config: { ports: [80] } });
  });

  test('is the same however its letters are composed', async () => {
    const { here } = await two();
    await here.createInstance({ name: 'Caf\u00e9' });
    await expect(here.createInstance({ name: 'cafe\u0301' })).rejects.toMatchObject({ code: 'name-taken' });
  });

  test('that was taken since its instance was deleted hinders the restore, which says what to do', async () => {
    const { here, there, place, a } = await two();
    await here.deleteInstance(a);
    const { id } = await there.createInstance({ name: 'A' });
    await expect(here.restoreInstance(a)).rejects.toMatchObject({
      code: 'name-taken',
      hint: expect.stringContaining('another name'),
    });
    expect(place.instances.get(a)).toMatchObject({ role: 'trash' });
    await there.updateInstance(id, { name: 'c' });
    await expect(here.restoreInstance(a)).resolves.toMatchObject({ status: 'stopped' });
  });
});

describe('a permanent delete', () => {
  test('spares what another window restored while the question was open', async () => {
    const { here, there, place, a } = await two();
    const seen = await here.deleteInstance(a);
    await there.restoreInstance(a);
    await there.startInstance(a);
    expect(here.getInstance(a).status).toBe('trashed');
    await expect(here.purgeInstance(a, undefined, seen)).rejects.toMatchObject({ code: 'wrong-state' });
    expect(place.instances.get(a)).toMatchObject({ running: true, role: 'owner' });
    expect(here.getInstance(a)).toMatchObject({ status: 'running', desired: 'running' });
  });

  test('goes on with what has only become less', async () => {
    const { here, there, place, a } = await two();
    const seen = here.getInstance(a);
    await there.deleteInstance(a);
    await here.purgeInstance(a, undefined, seen);
    expect(place.instances.has(a)).toBe(false);
  });
});
