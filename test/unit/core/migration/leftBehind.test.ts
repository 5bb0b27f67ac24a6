import { describe, expect, test, vi } from 'vitest';
import { untilDecided } from '../../../../src/core/retention.ts';
import { timedOut } from '../../../../src/model/errors.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { migrationReport } from '../../../../src/operations/migrationViews.ts';
import { contentOf, fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import { errorOf } from '../../operations/gateBench.ts';
import { identityOf, twoPlaces } from './twoPlaces.ts';

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

describe('of one that is rolled back while the other end dies', () => {
  /** `dies`: what the other end does to whoever asks it then. */
  async function deadEnd(dies: (there: MemoryProvider) => void, others: readonly MemoryProvider[] = []) {
    const world = await twoPlaces({}, {}, new MemoryCarrier(), others);
    const { controller, there, id, agent, person } = world;
    await controller.snapshots.takeSnapshot(id, quietContext);
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    await agent('start_migration', { migrationId });
    const { stopInstance } = there;
    there.stopInstance = (...asked) => stopInstance.apply(there, asked).finally(() => dies(there));
    expect(await person('roll_back_migration', { migrationId })).toMatchObject({
      rolledBack: true,
      leftovers: [`The copy of "web" (${id}) on "there"`],
    });
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', epoch: 1, status: 'running' });
    return { ...world, status: () => controller.migrations.getMigrationStatus(migrationId) };
  }
  const falls = (there: MemoryProvider) => {
    there.place.unreachable = true;
  };

  test('the instance runs and is stopped, and the other copy is parked once it can be', async () => {
    const world = await deadEnd(falls);
    const { controller, here, there, id, status } = world;
    await controller.stopInstance(id);
    await lookUntilSettled(world);
    expect(here.place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
    there.place.unreachable = false;
    await lookUntilSettled(world);
    expect(there.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
    expect(here.place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
    expect(status()).toMatchObject({ status: 'completed', leftovers: [], endedAt: expect.any(String) });
    expect(status().parkedUntil).toBeDefined();
    await controller.dispose();
  });

  test('that is silent instead, the same holds', async () => {
    const world = await deadEnd(({ abilities }) => {
      const { setRole } = abilities;
      abilities.setRole = async () => {
        abilities.setRole = setRole;
        throw timedOut('The change of its role', 10_000);
      };
    });
    await lookUntilSettled(world);
    expect(world.there.place.instances.get(world.id)).toMatchObject({ role: 'parked', running: false });
    expect(world.here.place.instances.get(world.id)).toMatchObject({ role: 'owner', running: true });
    await world.controller.dispose();
  });

  test.each([['here'], ['there']] as const)('what fails over stays there, though %s answers first', async first => {
    const third = new MemoryProvider(new MemoryPlace(), { id: 'third' });
    const world = await deadEnd(falls, [third]);
    const { controller, here, there, id, status } = world;
    here.place.unreachable = true;
    await controller.refresh();
    await controller.snapshots.failOver(id, 'third', quietContext);
    for (const place of first === 'here' ? [here, there] : [there, here]) {
      place.place.unreachable = false;
      await lookUntilSettled(world);
      expect(controller.getInstance(id)).toMatchObject({ providerId: 'third', status: 'running' });
      expect(place.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
    }
    expect(third.place.instances.get(id)).toMatchObject({ role: 'owner', running: true });
    expect(status()).toMatchObject({ status: 'completed', parkedUntil: untilDecided, leftovers: [] });
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

describe('nothing is removed but what a migration itself has left', () => {
  const stranger = 'bbbbbbbbbbbbbbbb';

  /** Deleted for good while the target, which has a copy, does not answer. */
  async function purged() {
    const world = await twoPlaces();
    const { controller, there, id, agent, person } = world;
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    await agent('start_migration', { migrationId });
    const identity = { ...identityOf(controller, id), epoch: 1 };
    world.here.place.unreachable = true;
    await person('purge_swarm_instance', { instanceIds: [id] });
    expect(there.place.instances.has(id)).toBe(false);
    const left = world.here.place.instances.get(id);
    if (!left) throw new Error('the parked copy is gone');
    world.here.place.unreachable = false;
    return { ...world, migrationId, left, identity };
  }

  test.each([
    ['of another swarm', { swarmId: stranger }],
    ['that has moved on since', { epoch: 3 }],
  ])('a copy %s is left alone, and the migration is over', async (_, change) => {
    const world = await purged();
    const { controller, here, id, migrationId, left, identity } = world;
    here.place.instances.set(id, { ...left, role: 'owner', identity: { ...identity, ...change } });
    await controller.migrations.settleAll();
    expect(here.place.homesOf.has(id)).toBe(true);
    expect(contentOf(here, id)).toBe('uncommitted work');
    expect(controller.migrations.getMigrationStatus(migrationId).parkedUntil).toBeUndefined();
    await controller.dispose();
  });

  test('its own copy goes', async () => {
    const { controller, here, id } = await purged();
    await controller.migrations.settleAll();
    expect(here.place.homesOf.has(id)).toBe(false);
    await controller.dispose();
  });

  test('a parked copy of another swarm is not cleaned up', async () => {
    const { controller, here, id, agent, person } = await twoPlaces();
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    await agent('start_migration', { migrationId });
    const left = here.place.instances.get(id);
    if (!left) throw new Error('the parked copy is gone');
    here.place.instances.set(id, { ...left, identity: { ...left.identity, swarmId: stranger } });
    await person('clean_up_migration', { migrationId });
    expect(contentOf(here, id)).toBe('uncommitted work');
    await controller.dispose();
  });

  test('what another swarm brings to the same place meanwhile is not taken back', async () => {
    const { controller, there, id, agent } = await twoPlaces();
    const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    const identity = { ...identityOf(controller, id), swarmId: stranger, epoch: 2 };
    const { prepareIncoming } = there.abilities;
    there.abilities.prepareIncoming = async spec => {
      await prepareIncoming({ ...spec, identity });
      return prepareIncoming(spec);
    };
    expect(await agent('start_migration', { migrationId })).toMatchObject({ status: 'failed' });
    expect(there.place.instances.get(id)).toMatchObject({ role: 'incoming', identity: { swarmId: stranger } });
    await controller.dispose();
  });
});

/** A window's disk to which no word comes of what other windows write. */
class DeafDisk extends MemoryDisk {
  override readonly records: Map<string, string>;

  constructor({ records }: MemoryDisk) {
    super();
    this.records = records;
  }
}

test('what another window deleted for good is not adopted, though no word of that has come', async () => {
  const world = await twoPlaces();
  const { controller, disk, migrationDisk, locks, here, there, id, agent } = world;
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId });
  // As a copy that was the owner when its provider fell silent.
  await here.abilities.setRole(id, 'owner');
  const next = memorySwarm({ disk, migrationDisk: new DeafDisk(migrationDisk), locks, providers: [here] }).controller;
  await next.migrations.load();
  await next.registry.load();
  here.place.unreachable = true;
  await controller.purgeInstance(id);
  expect(there.place.instances.has(id)).toBe(false);
  here.place.unreachable = false;
  await vi.waitFor(() => expect(next.listInstances()).toEqual([]));
  await next.refresh();
  expect(next.listInstances()).toEqual([]);
  await next.dispose();
  await controller.dispose();
});

test('the plan that a person reads is not lost to recovery, which makes its own', async () => {
  const { controller, here, there, id, agent } = await twoPlaces();
  const read = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.failNext('prepareIncoming', new Error('it is full'));
  expect((await errorOf(controller.recoverInstance(id, 'migrate'))).code).toBe('migration-refused');
  expect(controller.migrations.getMigrationStatus(read.id).status).toBe('pending');
  expect(await agent('start_migration', { migrationId: read.id })).toMatchObject({ status: 'completed' });
  expect(here.place.instances.get(id)).toMatchObject({ role: 'parked' });
  await controller.dispose();
});

test('what is left of a deleted one at a provider that is in use no more is named, with what to do', async () => {
  const { controller, disk, migrationDisk, here, there, id, agent } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId });
  await controller.dispose();
  const without = memorySwarm({ disk, migrationDisk, providers: [there] }).controller;
  await without.initialize();
  await without.purgeInstance(id);
  const report = migrationReport(without.migrations.getMigrationStatus(migrationId));
  expect(report.leftovers).toEqual([expect.stringContaining('on "here"')]);
  expect(report.next).toContain('remoteSwarm.providers');
  await without.dispose();
  const again = memorySwarm({ disk, migrationDisk, providers: [here, there] }).controller;
  await again.initialize();
  await vi.waitFor(() => expect(again.migrations.getMigrationStatus(migrationId).leftovers).toEqual([]));
  expect(here.place.instances.has(id)).toBe(false);
  await again.dispose();
});

describe('deleted for good right after the state was lost', () => {
  /** A copy is parked here, and a window that knows nothing has looked at the other place only. */
  async function found() {
    const world = await twoPlaces();
    const { id: migrationId } = await world.agent('create_migration_plan', {
      instanceId: world.id,
      targetProvider: 'there',
    });
    await world.agent('start_migration', { migrationId });
    await world.controller.dispose();
    const { controller } = memorySwarm({ providers: [world.here, world.there], health: { enabled: false } });
    await controller.registry.load();
    await controller.refresh(quietContext, 'there');
    await vi.waitFor(() => expect(controller.listInstances()).toMatchObject([{ id: world.id, providerId: 'there' }]));
    expect(world.here.place.instances.get(world.id)?.role).toBe('parked');
    return { ...world, controller };
  }

  test('nothing of it stays where its old copy was parked', async () => {
    const { controller, here, there, id } = await found();
    await controller.purgeInstance(id);
    expect([here, there].map(({ place }) => place.instances.has(id) || place.homesOf.has(id))).toEqual([false, false]);
    await controller.dispose();
  });

  test('a place that fails then is no hindrance', async () => {
    const { controller, here, there, id } = await found();
    here.place.unreachable = true;
    await controller.purgeInstance(id);
    expect(there.place.homesOf.has(id)).toBe(false);
    expect(controller.listInstances()).toEqual([]);
    await controller.dispose();
  });

  test('what another swarm has under that id is left', async () => {
    const { controller, here, there, id } = await found();
    const copy = here.place.instances.get(id);
    if (copy) copy.identity = { ...copy.identity, swarmId: 'bbbbbbbbbbbbbbbb' };
    await controller.purgeInstance(id);
    expect(there.place.homesOf.has(id)).toBe(false);
    expect(here.place.homesOf.has(id)).toBe(true);
    await controller.dispose();
  });
});
