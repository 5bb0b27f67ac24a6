import { describe, expect, test } from 'vitest';
import { untilDecided } from '../../../../src/model/migration.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { contentOf, fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { errorOf } from '../../operations/gateBench.ts';
import { twoPlaces } from './twoPlaces.ts';

type World = Awaited<ReturnType<typeof twoPlaces>>;

/** As a look at each provider that answers does, until nothing is left to be done. */
async function lookUntilSettled({ controller }: Pick<World, 'controller'>): Promise<void> {
  for (let looks = 0; looks < 4; looks += 1) {
    await controller.refresh();
    await controller.migrations.settleAll();
    for (const provider of controller.providers.all()) {
      const observations = await provider.abilities.observe().catch(() => []);
      await controller.migrations.settleStrays(provider, new Map(observations.map(seen => [seen.id, seen])));
    }
  }
}

describe('of a target that dies right after the pivot', () => {
  /** What was wanted of it before runs; a third place stands by. */
  async function deadTarget() {
    const third = new MemoryProvider(new MemoryPlace(), { id: 'third' });
    const world = await twoPlaces({}, {}, new MemoryCarrier(), [third]);
    const { controller, there, id, agent } = world;
    await controller.snapshots.takeSnapshot(id, quietContext);
    fill(world.here, id, 'later work');
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    const status = () => controller.migrations.getMigrationStatus(migrationId);
    const watch = controller.migrations.onDidChange(() => {
      if (status().pivotedAt !== undefined) there.place.unreachable = true;
    });
    await agent('start_migration', { migrationId });
    watch.dispose();
    expect(status().status).toBe('in-progress');
    await controller.refresh();
    return { ...world, third, migrationId, status };
  }

  test('the instance wants to run, as it did', async () => {
    const world = await deadTarget();
    expect(world.controller.getInstance(world.id)).toMatchObject({ providerId: 'there', desired: 'running' });
    await world.controller.dispose();
  });

  test('it can be stopped, and stays so when the target is back', async () => {
    const world = await deadTarget();
    const { controller, here, there, id, status } = world;
    expect((await errorOf(controller.stopInstance(id))).code).toBe('provider-unreachable');
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', desired: 'stopped' });
    there.place.unreachable = false;
    await lookUntilSettled(world);
    expect(status().status).toBe('completed');
    expect(there.place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
    expect(here.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
    expect(controller.getInstance(id)).toMatchObject({ status: 'stopped', desired: 'stopped' });
    await controller.dispose();
  });

  test('it goes to the trash, and is in it when the target is back', async () => {
    const world = await deadTarget();
    const { controller, here, there, id, status } = world;
    expect((await errorOf(controller.deleteInstance(id))).code).toBe('provider-unreachable');
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', desired: 'trashed' });
    there.place.unreachable = false;
    await lookUntilSettled(world);
    expect(status().status).toBe('completed');
    expect(there.place.instances.get(id)).toMatchObject({ role: 'trash', running: false });
    expect(here.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
    expect(contentOf(there, id)).toBe('later work');
    await controller.dispose();
  });

  test('it lives on a third one, and both copies of its later work are kept until a person decides', async () => {
    const world = await deadTarget();
    const { controller, here, there, third, id, status } = world;
    const moved = await controller.snapshots.failOver(id, 'third', quietContext);
    expect(moved).toMatchObject({ providerId: 'third', epoch: 3, status: 'running' });
    await controller.stopInstance(id);
    await controller.startInstance(id);
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'third', epoch: 3, status: 'running' });
    expect(status()).toMatchObject({ status: 'completed', parkedUntil: untilDecided });
    there.place.unreachable = false;
    await lookUntilSettled(world);
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'third', epoch: 3, status: 'running' });
    expect(third.place.instances.get(id)).toMatchObject({ role: 'owner', running: true });
    for (const provider of [here, there]) {
      expect(provider.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
      expect(contentOf(provider, id)).toBe('later work');
    }
    await controller.dispose();
  });
});

test('what fails over while an earlier try to move it is still being taken back stays where it is then', async () => {
  const third = new MemoryProvider(new MemoryPlace(), { id: 'third' });
  const world = await twoPlaces({}, {}, new MemoryCarrier(), [third]);
  const { controller, here, there, id, agent } = world;
  await controller.snapshots.takeSnapshot(id, quietContext);
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.loseReply('prepareIncoming');
  const { prepareIncoming } = there.abilities;
  there.abilities.prepareIncoming = (...asked) =>
    prepareIncoming(...asked).finally(() => {
      there.place.unreachable = true;
    });
  expect(await agent('start_migration', { migrationId })).toMatchObject({ status: 'in-progress' });
  here.place.unreachable = true;
  await controller.refresh();
  await controller.snapshots.failOver(id, 'third', quietContext);
  await controller.stopInstance(id);
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'third', epoch: 2, status: 'stopped' });
  there.place.unreachable = false;
  here.place.unreachable = false;
  await lookUntilSettled(world);
  expect(controller.migrations.getMigrationStatus(migrationId)).toMatchObject({ status: 'failed', leftovers: [] });
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'third', epoch: 2, status: 'stopped' });
  expect(third.place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
  expect(here.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
  expect(there.place.instances.has(id)).toBe(false);
  await controller.dispose();
});
