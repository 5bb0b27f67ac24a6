import { describe, expect, test } from 'vitest';
import type { Asker } from '../../../src/model/caller.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const as = (caller: Asker['caller']) => ({ ...quietContext, by: { caller, actor: caller } });
const person = as('person');
const agent = as('agent');

/** Two places, to which the name of an image leads to the same until it is moved. */
async function scene() {
  const [place, elsewhere] = [new MemoryPlace(), new MemoryPlace()];
  const lead = (digest: string, image = 'team/dev:1') => {
    for (const each of [place, elsewhere]) each.digests.set(image, digest);
  };
  lead('sha256:1');
  const providers = [new MemoryProvider(place, { id: 'here' }), new MemoryProvider(elsewhere, { id: 'there' })];
  const { controller } = memorySwarm({ providers });
  await controller.refresh();
  return { controller, lead, used: place.imagesUsed, usedElsewhere: elsewhere.imagesUsed };
}
const first = 'team/dev:1@sha256:1';
const second = 'team/dev:1@sha256:2';

test('a fork or a restore by a person makes no image that an agent chose the person’s', async () => {
  const { controller } = await scene();
  const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', person);
  const { id: kept } = await controller.snapshots.takeSnapshot(id, person);
  await controller.updateInstance(id, { image: 'evil' }, agent);
  const made = [
    await controller.snapshots.forkInstance(id, 'fork', 'here', person),
    await controller.snapshots.restoreSnapshot(kept, 'restored', 'there', person),
    (await controller.createInstance({ name: 'by an agent', image: 'evil' }, 'here', agent)).id,
  ];
  const forked = await controller.snapshots.forkInstance(String(made[2]), 'its fork', 'here', person);
  expect(made.slice(0, 2)).toMatchObject([
    { config: { image: 'evil' }, personsImages: ['team/dev:1'] },
    { config: { image: 'team/dev:1' }, personsImages: ['team/dev:1'] },
  ]);
  expect([forked.config.image, forked.personsImages]).toEqual(['evil', undefined]);
});

describe('what an instance is made of', () => {
  test('stays the same image wherever its name leads, made anew, made elsewhere and changed', async () => {
    const { controller, lead, used, usedElsewhere } = await scene();
    const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', person);
    expect(controller.getInstance(id).pinnedImage).toBe(first);
    lead('sha256:2');
    await controller.recoverInstance(id, 'recreate', quietContext, true);
    await controller.updateInstance(id, { ports: [80] }, person);
    await controller.updateInstance(id, { image: 'team/dev:1', ports: [81] }, agent);
    await controller.recoverInstance(id, 'migrate');
    expect([...used, ...usedElsewhere].map(({ image }) => image)).toEqual([first, first, first]);
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', pinnedImage: first });
  });

  test('is another one once a person names it again, or anybody another one', async () => {
    const { controller, lead, used } = await scene();
    const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', person);
    lead('sha256:2');
    await controller.updateInstance(id, { image: 'team/dev:1' }, person);
    expect(controller.getInstance(id).pinnedImage).toBe(second);
    expect(controller.getInstance(id).renewsImage).toBeUndefined();
    lead('sha256:9', 'other');
    await controller.updateInstance(id, { image: 'other' }, agent);
    expect(controller.getInstance(id).pinnedImage).toBe('other@sha256:9');
    expect(used.map(({ image }) => image)).toEqual([first, second, 'other@sha256:9']);
  });

  test('that is a default stays where it is, and is the other place’s default there', async () => {
    const { controller, lead, used, usedElsewhere } = await scene();
    lead('sha256:3', 'default');
    const { id } = await controller.createInstance({ name: 'a' }, 'here', person);
    lead('sha256:4', 'default');
    await controller.recoverInstance(id, 'recreate', quietContext, true);
    expect(used.map(({ image }) => image)).toEqual(['default@sha256:3', 'default@sha256:3']);
    await controller.recoverInstance(id, 'migrate');
    expect(usedElsewhere.map(({ image }) => image)).toEqual(['default@sha256:4']);
  });
});

describe('a person’s credentials', () => {
  test('are for an image that a person chose, also when nobody is there', async () => {
    const { controller, used, usedElsewhere } = await scene();
    const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', person);
    await controller.recoverInstance(id, 'recreate', quietContext, true);
    await controller.recoverInstance(id, 'migrate', agent);
    expect([...used, ...usedElsewhere].map(({ asPerson }) => asPerson)).toEqual([true, true, true]);
  });

  test('are for no image that a program chose, also when a person makes it anew', async () => {
    const { controller, lead, used } = await scene();
    const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', agent);
    await controller.recoverInstance(id, 'recreate', person, true);
    lead('sha256:9', 'private');
    await controller.updateInstance(id, { image: 'private' }, as('client'));
    expect(used.map(({ asPerson }) => asPerson)).toEqual([false, false, false]);
    await controller.updateInstance(id, { image: 'private' }, person);
    await controller.recoverInstance(id, 'recreate', quietContext, true);
    expect(used.slice(3).map(({ asPerson }) => asPerson)).toEqual([true, true]);
  });

  test('are for what a person chose before an agent changed it, once that is taken back', async () => {
    const { controller, lead, used } = await scene();
    lead('sha256:9', 'other');
    const { id } = await controller.createInstance({ name: 'a', image: 'team/dev:1' }, 'here', person);
    await controller.updateInstance(id, { image: 'other' }, agent);
    await controller.undoAgentChanges(id, person);
    expect(used).toEqual([
      { image: first, asPerson: true },
      { image: 'other@sha256:9', asPerson: false },
      { image: first, asPerson: true },
    ]);
  });
});
