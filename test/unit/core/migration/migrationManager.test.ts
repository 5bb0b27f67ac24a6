import { describe, expect, test, vi } from 'vitest';
import { timedOut } from '../../../../src/model/errors.ts';
import { Migration } from '../../../../src/model/migration.ts';
import { newSpec } from '../../../contract/specs.ts';
import { contentOf, fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import { errorOf } from '../../operations/gateBench.ts';
import { identityOf, twoPlaces } from './twoPlaces.ts';

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

  test('while the home is copied, its bytes count up, and nothing is written for that', async () => {
    const homes = new MemoryCarrier();
    const { controller, migrationDisk, id } = await twoPlaces({}, {}, homes);
    const { migrations } = controller;
    const planned = await migrations.createMigrationPlan(id, 'there');
    const copyOf = ({ steps }: Migration) => steps.find(({ step }) => step === 'create-target');
    const onDisk = () => Migration.parse(JSON.parse(migrationDisk.records.get(planned.id) ?? ''));
    const seen = new Promise<unknown>(resolve =>
      migrations.onDidChange(() => {
        const copy = copyOf(migrations.getMigrationStatus(planned.id));
        if (copy?.bytes !== undefined) resolve([copy.status, copy.bytes, copyOf(onDisk())?.bytes]);
      }),
    );
    homes.step = async () => {
      if (copyOf(migrations.getMigrationStatus(planned.id))?.bytes !== undefined) await seen;
    };
    const done = await migrations.startMigration(planned.id);
    expect(await seen).toEqual(['running', 16, undefined]);
    expect(copyOf(done)).toMatchObject({ status: 'done', bytes: 16 });
    await controller.dispose();
  });

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

describe('a plan is refused', () => {
  const refused = async (work: Promise<unknown>) => (await errorOf(work)).code;

  test('with what stands in its way, and nothing is written', async () => {
    const { controller, there, id, agent } = await twoPlaces();
    const plan = (targetProvider: string, instanceId = id) =>
      refused(agent('create_migration_plan', { instanceId, targetProvider }));
    expect(await plan('here')).toBe('migration-refused');
    expect(await plan('nowhere')).toBe('unknown-provider');
    expect(await plan('there', 'abcdefabcdef')).toBe('instance-not-found');
    there.place.unreachable = true;
    expect(await plan('there')).toBe('provider-unreachable');
    there.place.unreachable = false;
    await there.createInstance({
      ...newSpec(controller.swarmId),
      identity: { ...identityOf(controller, id), epoch: 1 },
    });
    expect(await plan('there')).toBe('migration-refused');
    await there.deleteInstance(id);
    await controller.deleteInstance(id);
    expect(await plan('there')).toBe('wrong-state');
    expect(controller.migrations.listMigrations()).toEqual([]);
    await controller.dispose();
  });

  test('when the target cannot hold it', async () => {
    const { controller, id, agent } = await twoPlaces({ limits: false });
    await controller.updateInstance(id, { resources: { memoryMb: 512 } });
    expect(await refused(agent('create_migration_plan', { instanceId: id, targetProvider: 'there' }))).toBe(
      'no-placement',
    );
    await controller.dispose();
  });

  test('when it is known that the target has no room for the home; the plan says how much it has', async () => {
    const { controller, there, id, agent } = await twoPlaces();
    const plan = () => agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
    there.place.freeBytes = undefined;
    expect((await plan()).plan.freeBytes).toBeUndefined();
    there.place.freeBytes = 15;
    expect(await errorOf(plan())).toMatchObject({
      code: 'migration-refused',
      message: expect.stringContaining('free'),
    });
    there.place.freeBytes = 16;
    expect((await plan()).plan.freeBytes).toBe(16);
    await controller.dispose();
  });

  test('while migrations are switched off', async () => {
    const { controller, id, agent } = await twoPlaces({}, { enabled: false });
    expect(await refused(agent('create_migration_plan', { instanceId: id, targetProvider: 'there' }))).toBe(
      'migrations-off',
    );
    await controller.dispose();
  });
});

test('a plan is carried out once, and not after the instance has moved', async () => {
  const { controller, here, id, agent, person } = await twoPlaces();
  const { id: first } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId: first });
  expect((await errorOf(agent('start_migration', { migrationId: first }))).code).toBe('migration-refused');
  expect((await errorOf(agent('create_migration_plan', { instanceId: id, targetProvider: 'here' }))).code).toBe(
    'migration-refused',
  );
  await person('clean_up_migration', { migrationId: first });
  const { id: back } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'here' });
  expect(await agent('start_migration', { migrationId: back })).toMatchObject({ status: 'completed' });
  expect(await here.getInstance(id)).toMatchObject({ role: 'owner', epoch: 3, status: 'running' });
  expect(contentOf(here, id)).toBe('uncommitted work');
  await controller.dispose();
});

test('what cannot be started again at its source, since that is gone, is left to recovery, and not tried for ever', async () => {
  const { controller, here, there, id, agent } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await here.place.loseServer(id);
  expect(await agent('start_migration', { migrationId })).toMatchObject({ status: 'failed', leftovers: [] });
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', desired: 'running' });
  expect(await there.getInstance(id)).toBeNull();
  expect(contentOf(here, id)).toBe('uncommitted work');
  await controller.dispose();
});

test('a target that does not start in time is the owner all the same, and holds nothing up', async () => {
  const { controller, there, id, agent } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.failNext('startInstance', timedOut('Starting the instance', 60_000));
  expect(await agent('start_migration', { migrationId })).toMatchObject({ status: 'completed' });
  expect(controller.migrations.getMigrationStatus(migrationId).error?.code).toBe('timed-out');
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', desired: 'running' });
  await controller.dispose();
});

test('a plan that is being carried out is not started again, and can still be cancelled', async () => {
  const { controller, there, id, agent } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.hang('prepareIncoming');
  const running = agent('start_migration', { migrationId });
  await vi.waitFor(() => expect(there.place.calls).toContain('prepareIncoming'));
  await expect(controller.migrations.startMigration(migrationId)).rejects.toMatchObject({ code: 'migration-refused' });
  await controller.migrations.cancelMigration(migrationId);
  expect(await running).toMatchObject({ status: 'cancelled' });
  await controller.dispose();
});

test('an older one of a chain is not rolled back before the later one', async () => {
  const { controller, id, agent, person } = await twoPlaces();
  const { id: first } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId: first });
  await person('clean_up_migration', { migrationId: first });
  const { id: second } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'here' });
  await agent('start_migration', { migrationId: second });
  await controller.migrations.rollBack(second);
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
  expect((await errorOf(person('roll_back_migration', { migrationId: second }))).code).toBe('migration-refused');
  await controller.dispose();
});

test('a source that does not come back holds up nothing once the target owns', async () => {
  const { controller, here, there, id, agent } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  const { setRole } = there.abilities;
  there.abilities.setRole = async (...asked) => {
    const done = await setRole(...asked);
    here.place.unreachable = true;
    return done;
  };
  expect(await agent('start_migration', { migrationId })).toMatchObject({ status: 'completed' });
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
  expect(here.place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
  here.place.unreachable = false;
  await controller.refresh();
  await vi.waitFor(() => expect(here.place.instances.get(id)?.role).toBe('parked'));
  await controller.dispose();
});

test('of plans that are cancelled again and again the youngest stay, and of what keeps a copy all', async () => {
  const { controller, id, agent } = await twoPlaces();
  const { id: moved } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId: moved });
  const { id: other } = await agent('create_swarm_instance', { name: 'other', provider: 'here' });
  let last = '';
  for (let round = 0; round < 60; round++) {
    ({ id: last } = await agent('create_migration_plan', { instanceId: other, targetProvider: 'there' }));
    await agent('cancel_migration', { migrationId: last });
  }
  const kept = controller.migrations.listMigrations().map(migration => migration.id);
  expect(kept.length).toBeLessThanOrEqual(53);
  expect(kept).toEqual(expect.arrayContaining([moved, last]));
  await controller.dispose();
});

test('another window cancels what this one carries out', async () => {
  const { controller, disk, migrationDisk, locks, here, there, id, agent } = await twoPlaces();
  const other = memorySwarm({ disk, migrationDisk, locks, providers: [here, there] }).controller;
  await other.initialize();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.hang('prepareIncoming');
  const running = agent('start_migration', { migrationId });
  await vi.waitFor(() => expect(there.place.calls).toContain('prepareIncoming'));
  await other.migrations.cancelMigration(migrationId);
  expect(await running).toMatchObject({ status: 'cancelled', leftovers: [] });
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', status: 'running' });
  expect(await there.getInstance(id)).toBeNull();
  await other.dispose();
  await controller.dispose();
});

test('the ladder migrates to the provider that can take it, and confines it as well', async () => {
  const { controller, id, agent } = await twoPlaces();
  expect(await controller.migrations.canMigrate(controller.getInstance(id))).toBe(true);
  expect(await agent('recover_instance', { instanceId: id, rung: 'migrate' })).toMatchObject({
    provider: 'there',
    status: 'running',
  });
  await controller.dispose();
  const alone = await twoPlaces({ limits: false });
  expect(await alone.controller.migrations.canMigrate(alone.controller.getInstance(alone.id))).toBe(false);
  expect((await errorOf(alone.agent('recover_instance', { instanceId: alone.id, rung: 'migrate' }))).code).toBe(
    'recovery-refused',
  );
  await alone.controller.dispose();
});

test('an instance that goes for good takes its parked copy along', async () => {
  const { controller, here, there, id, agent, person } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId });
  await person('purge_swarm_instance', { instanceIds: [id] });
  expect([await here.getInstance(id), await there.getInstance(id)]).toEqual([null, null]);
  expect([here, there].map(provider => contentOf(provider, id))).toEqual([undefined, undefined]);
  await controller.dispose();
});

test('one that goes for good in the middle leaves nothing at a target that answers again only later', async () => {
  const { controller, here, there, id, agent, person } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  there.place.hang('prepareIncoming');
  const running = agent('start_migration', { migrationId });
  await vi.waitFor(() => expect(there.place.calls).toContain('prepareIncoming'));
  there.place.unreachable = true;
  await controller.migrations.cancelMigration(migrationId);
  expect(await running).toMatchObject({ status: 'in-progress' });
  await person('purge_swarm_instance', { instanceIds: [id] });
  expect(await here.getInstance(id)).toBeNull();
  expect(controller.migrations.getMigrationStatus(migrationId).status).toBe('in-progress');
  there.place.unreachable = false;
  await vi.waitFor(async () => {
    await controller.refresh();
    expect(controller.migrations.getMigrationStatus(migrationId).status).toBe('cancelled');
  });
  expect(await there.getInstance(id)).toBeNull();
  await controller.dispose();
});

test('of a parked copy whose server was removed behind our back, cleaning up leaves no home', async () => {
  const { controller, here, id, agent, person } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  await agent('start_migration', { migrationId });
  await here.place.loseServer(id);
  expect(here.place.homesOf.has(id)).toBe(true);
  await person('clean_up_migration', { migrationId });
  expect(here.place.homesOf.has(id)).toBe(false);
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
  await controller.dispose();
});

test('of a target that dies right after the pivot, the instance can be deleted for good all the same', async () => {
  const { controller, here, there, id, agent, person } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  controller.migrations.onDidChange(() => {
    if (controller.migrations.getMigrationStatus(migrationId).pivotedAt !== undefined) there.place.unreachable = true;
  });
  await agent('start_migration', { migrationId });
  expect(controller.migrations.getMigrationStatus(migrationId)).toMatchObject({ status: 'in-progress' });
  await person('purge_swarm_instance', { instanceIds: [id] }).catch(() => {});
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'there', desired: 'absent' });
  expect(await here.getInstance(id)).toBeNull();
  there.place.unreachable = false;
  await vi.waitFor(async () => {
    await controller.refresh();
    expect(controller.listInstances()).toEqual([]);
    expect(controller.migrations.getMigrationStatus(migrationId).endedAt).toBeDefined();
  });
  expect(await there.getInstance(id)).toBeNull();
  await controller.dispose();
});

test('of copies that two places have parked, each can be cleaned up, also when the state was lost', async () => {
  const { controller, here, there, id } = await twoPlaces();
  const owner = identityOf(controller, id);
  await controller.dispose();
  const third = new MemoryProvider(new MemoryPlace(), { id: 'third' });
  await third.abilities.prepareIncoming({ ...newSpec(controller.swarmId), identity: { ...owner, epoch: 3 } });
  await there.abilities.prepareIncoming({ ...newSpec(controller.swarmId), identity: { ...owner, epoch: 2 } });
  await third.abilities.setRole(id, 'owner');
  for (const provider of [here, there]) await provider.abilities.setRole(id, 'parked');
  const { controller: next } = memorySwarm({ providers: [here, there, third] });
  await next.initialize();
  await vi.waitFor(async () => {
    await next.refresh();
    expect(next.getInstance(id).providerId).toBe('third');
    const parked = next.migrations.listMigrations().filter(({ parkedUntil }) => parkedUntil !== undefined);
    expect(parked.map(({ sourceProviderId }) => sourceProviderId).sort()).toEqual(['here', 'there']);
  });
  await next.purgeInstance(id);
  expect([here, there, third].map(({ place }) => place.instances.has(id))).toEqual([false, false, false]);
  await next.dispose();
});

test('nothing of one that goes for good stays at the end that answers, though the other one is in use no more', async () => {
  const { controller, disk, migrationDisk, there, id, agent, person } = await twoPlaces();
  const { id: migrationId } = await agent('create_migration_plan', { instanceId: id, targetProvider: 'there' });
  const { migrations } = controller;
  migrations.onDidChange(() => {
    const copy = migrations.getMigrationStatus(migrationId).steps.find(({ step }) => step === 'create-target');
    if (copy?.status === 'done') there.place.unreachable = true;
  });
  await agent('start_migration', { migrationId });
  await person('purge_swarm_instance', { instanceIds: [id] });
  await controller.dispose();
  expect(there.place.instances.has(id)).toBe(true);
  there.place.unreachable = false;
  const { controller: next } = memorySwarm({ disk, migrationDisk, providers: [there] });
  await next.initialize();
  await vi.waitFor(() => expect(there.place.instances.has(id)).toBe(false));
  await next.dispose();
});

test('what a person starts while recovery looks how to move it stays where it is', async () => {
  const { controller, here, there, id, person } = await twoPlaces();
  await here.place.crash(id);
  await controller.refresh();
  const since = Date.parse(controller.getInstance(id).statusSince);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(since), { interval: 1 });
  there.place.latency = async asked => {
    if (asked === 'initialize') await person('start_swarm_instance', { instanceIds: [id] });
  };
  expect((await errorOf(controller.recoverInstance(id, 'migrate'))).code).toBe('recovery-refused');
  expect(controller.getInstance(id)).toMatchObject({ providerId: 'here', status: 'running' });
  expect(controller.migrations.listMigrations()).toMatchObject([{ status: 'cancelled' }]);
  await controller.dispose();
});
