import { afterEach, describe, expect, test, vi } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { type LockedContext, quietContext } from '../../../src/model/operationContext.ts';
import { MemoryKeeper } from '../../fakes/memoryKeeper.ts';
import { MemoryLease } from '../../fakes/memoryLease.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';

const swarms: SwarmController[] = [];
afterEach(async () => {
  for (const swarm of swarms.splice(0)) await swarm.dispose();
});

const [anns, bobs, eves] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'eeeeeeeeeeeeeeee'] as const;

/** A window of the swarm on these places; on the same disks another one of it. */
async function windowOf(
  swarmId: string,
  places: Readonly<Record<string, MemoryPlace>>,
  disk = new MemoryDisk(),
  migrationDisk = new MemoryDisk(),
  more: MemorySwarmOptions = {},
): Promise<SwarmController> {
  const providers = Object.entries(places).map(([id, place]) => new MemoryProvider(place, { id }));
  const lease = new MemoryLease();
  const { controller } = memorySwarm({ swarmId, providers, disk, migrationDisk, lease, ...more });
  lease.start();
  swarms.push(controller);
  await controller.registry.load();
  await controller.migrations.load();
  await controller.snapshots.load();
  return controller;
}

const copyOf = (disk: MemoryDisk): MemoryDisk => {
  const copy = new MemoryDisk();
  for (const [id, text] of disk.records) copy.records.set(id, text);
  return copy;
};

const adopt = async (swarm: SwarmController, id: string, providerId = 'here') => {
  await swarm.refresh();
  return swarm.adoptInstance(providerId, id);
};

const whole = (place: MemoryPlace, id: string) => {
  const { identity, role, running } = place.instances.get(id) ?? {};
  return { identity, role, running, home: place.homesOf.has(id), destroyed: place.destroyed.length };
};

describe('what another swarm has adopted', () => {
  /** Every act of the swarm that had it; what it is called, and how it is asked for. */
  const acts: readonly (readonly [string, (ann: SwarmController, id: string) => Promise<unknown>])[] = [
    ['start', (ann, id) => ann.startInstance(id)],
    ['stop', (ann, id) => ann.stopInstance(id)],
    ['restart', (ann, id) => ann.restartInstance(id)],
    ['delete', (ann, id) => ann.deleteInstance(id)],
    ['restore', (ann, id) => ann.restoreInstance(id)],
    ['purge', (ann, id) => ann.purgeInstance(id)],
    ['update', (ann, id) => ann.updateInstance(id, { ports: [3000] })],
    ['recover by a restart', (ann, id) => ann.recoverInstance(id, 'restart')],
    ['recover by making it anew', (ann, id) => ann.recoverInstance(id, 'recreate')],
    ['recover by migrating it', (ann, id) => ann.recoverInstance(id, 'migrate')],
    ['plan a migration', (ann, id) => ann.migrations.createMigrationPlan(id, 'there')],
    ['snapshot', (ann, id) => ann.snapshots.takeSnapshot(id, quietContext)],
    ['fork', (ann, id) => ann.snapshots.forkInstance(id, 'fork', 'there', quietContext)],
    ['fail over', (ann, id) => ann.snapshots.failOver(id, 'there', quietContext)],
    ['run a command', (ann, id) => ann.access.executeCommand(id, 'true', quietContext)],
    ['open', (ann, id) => ann.access.openInstance(id, quietContext)],
  ];

  test.each(acts)('is left alone by whoever had it and wants to %s, before and after it was seen', async (_, act) => {
    const places = { here: new MemoryPlace(), there: new MemoryPlace() };
    const [ann, bob] = [await windowOf(anns, places), await windowOf(bobs, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const adopted = await adopt(bob, id);
    expect(adopted).toMatchObject({ swarmId: bobs, owner: { user: 'ada' }, adoptedAt: expect.any(String) });
    const before = whole(places.here, id);
    // What only reads may still do so.
    await (async () => act(ann, id))().catch(() => {});
    expect(whole(places.here, id)).toEqual(before);
    await ann.refresh();
    await expect((async () => act(ann, id))()).rejects.toMatchObject({ code: 'owned-by-another' });
    for (const _ of [1, 2, 3]) await Promise.all([ann.refresh(), bob.refresh()]);
    expect(whole(places.here, id)).toEqual(before);
    expect(whole(places.there, id).home).toBe(false);
    expect(bob.getInstance(id)).toMatchObject({ status: 'running' });
  });

  test('is shown to whoever had it with who has it, and can be forgotten there', async () => {
    const places = { here: new MemoryPlace() };
    const [ann, bob] = [await windowOf(anns, places), await windowOf(bobs, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await adopt(bob, id);
    await ann.refresh();
    expect(ann.getInstance(id)).toMatchObject({
      status: 'unknown',
      detail: 'adopted by ada@engine',
      overruled: { by: 'another', swarmId: bobs, owner: { user: 'ada', machine: 'engine' } },
    });
    await ann.strayHomes.leave(id);
    await ann.refresh();
    expect(ann.listInstances()).toEqual([]);
    expect(ann.listFound().map(({ observation }) => observation.id)).toEqual([id]);
    expect(bob.getInstance(id).status).toBe('running');
    // It may come back as it went.
    await adopt(ann, id);
    await bob.refresh();
    expect(bob.getInstance(id).overruled).toMatchObject({ by: 'another', swarmId: anns });
  });

  test('is nobody else’s while it runs where nobody here can tell whether it is in use', async () => {
    const places = { here: new MemoryPlace() };
    const [ann, bob] = [await windowOf(anns, places), await windowOf(bobs, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const provider = bob.providers.get('here');
    const getInstance = provider.getInstance.bind(provider);
    vi.spyOn(provider, 'getInstance').mockImplementation(async (...args) => {
      const there = await getInstance(...args);
      return there && { ...there, status: 'unknown', detail: 'runs on anns-laptop', elsewhere: 'anns-laptop' };
    });
    const before = whole(places.here, id);
    await expect(adopt(bob, id)).rejects.toMatchObject({ code: 'runs-elsewhere' });
    expect(whole(places.here, id)).toEqual(before);
    expect(bob.listInstances()).toEqual([]);
  });

  test('is taken over by a person where its server runs elsewhere, and then started as it is wanted', async () => {
    const ann = await windowOf(anns, { here: new MemoryPlace() });
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const { abilities } = ann.providers.get('here');
    const calls: unknown[] = [];
    const giveUpServer = async (instanceId: string, { claim }: LockedContext) => {
      calls.push([instanceId, claim?.swarmId]);
      return ann.getInstance(id);
    };
    Object.assign(abilities, { giveUpServer });
    await expect(ann.ownership.takeFrom(id)).rejects.toMatchObject({ code: 'wrong-state' });
    await ann.registry.updateInstance(id, current => ({ ...current, status: 'unknown', elsewhere: 'anns-laptop' }));
    await ann.ownership.takeFrom(id);
    expect(calls).toEqual([[id, anns]]);
    expect(ann.getInstance(id)).toMatchObject({ status: 'running' });
    expect(ann.getInstance(id).elsewhere).toBeUndefined();
  });

  test('is one swarm’s when two adopt it at once', async () => {
    const places = { here: new MemoryPlace() };
    const [ann, bob, eve] = [await windowOf(anns, places), await windowOf(bobs, places), await windowOf(eves, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await Promise.all([bob.refresh(), eve.refresh()]);
    const both = await Promise.allSettled([bob.adoptInstance('here', id), eve.adoptInstance('here', id)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect([bob, eve].flatMap(swarm => swarm.listInstances().map(each => each.swarmId))).toEqual([
      places.here.instances.get(id)?.identity.swarmId,
    ]);
  });

  test('in the trash stays there for its new owner, whatever the trash of the other one does', async () => {
    const places = { here: new MemoryPlace() };
    const [ann, bob] = [await windowOf(anns, places), await windowOf(bobs, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await ann.deleteInstance(id);
    expect(await adopt(bob, id)).toMatchObject({ desired: 'trashed', swarmId: bobs });
    await expect(ann.purgeInstance(id)).rejects.toMatchObject({ code: 'owned-by-another' });
    await bob.restoreInstance(id);
    for (const _ of [1, 2, 3]) await Promise.all([ann.refresh(), bob.refresh()]);
    expect(whole(places.here, id)).toMatchObject({ role: 'owner', home: true });
    expect(bob.getInstance(id)).toMatchObject({ status: 'stopped', desired: 'stopped' });
  });

  test('in the middle of a migration ends that before its pivot', async () => {
    const places = { here: new MemoryPlace(), there: new MemoryPlace() };
    const [ann, bob] = [await windowOf(anns, places), await windowOf(bobs, places)];
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await bob.refresh();
    const { id: migrationId } = await ann.migrations.createMigrationPlan(id, 'there');
    let adopted = false;
    places.there.latency = async call => {
      if (call !== 'prepareIncoming' || adopted) return;
      adopted = true;
      await bob.adoptInstance('here', id);
    };
    const migration = await ann.migrations.startMigration(migrationId);
    expect(adopted).toBe(true);
    expect(migration).toMatchObject({ error: { code: 'owned-by-another' } });
    for (const _ of [1, 2]) await Promise.all([ann.refresh(), bob.refresh()]);
    await ann.migrations.settleAll();
    expect(whole(places.here, id)).toMatchObject({ role: 'owner', home: true, identity: { swarmId: bobs } });
    expect(places.there.instances.size).toBe(0);
  });
});

describe('a state that is older than what its provider says', () => {
  /** The disk of a swarm as it was after `before`, when `since` was done; and the place. */
  async function older(before: (ann: SwarmController, id: string) => Promise<unknown>, since: typeof before) {
    const places = { here: new MemoryPlace() };
    const disk = new MemoryDisk();
    const ann = await windowOf(anns, places, disk);
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await before(ann, id);
    const old = copyOf(disk);
    await since(ann, id);
    await ann.dispose();
    swarms.splice(0);
    const again = await windowOf(anns, places, old);
    return { ann: again, id, place: places.here, state: whole(places.here, id) };
  }

  const restoreAndStart = async (ann: SwarmController, id: string) => {
    await ann.restoreInstance(id);
    await ann.startInstance(id);
  };

  test('does nothing to an instance that was restored since, and says so', async () => {
    const { ann, id, place, state } = await older((a, i) => a.deleteInstance(i), restoreAndStart);
    for (const _ of [1, 2, 3]) await ann.refresh();
    expect(whole(place, id)).toEqual(state);
    expect(ann.getInstance(id)).toMatchObject({
      desired: 'trashed',
      status: 'unknown',
      overruled: { by: 'provider', role: 'owner', status: 'running' },
    });
    for (const act of ['startInstance', 'stopInstance', 'deleteInstance', 'restoreInstance', 'purgeInstance'] as const)
      await expect((async () => ann[act](id))()).rejects.toMatchObject({ code: 'older-state' });
    expect(whole(place, id)).toEqual(state);
  });

  test('does nothing before it has looked either', async () => {
    const { ann, id, place, state } = await older((a, i) => a.deleteInstance(i), restoreAndStart);
    await expect(ann.purgeInstance(id)).rejects.toMatchObject({ code: 'older-state' });
    await expect(ann.restoreInstance(id)).rejects.toMatchObject({ code: 'older-state' });
    expect(whole(place, id)).toEqual(state);
  });

  test('lets no snapshot and no parked copy go while its provider does not answer', async () => {
    const places = { here: new MemoryPlace(), there: new MemoryPlace() };
    const [disk, journal] = [new MemoryDisk(), new MemoryDisk()];
    const kept = { snapshotDisk: new MemoryDisk(), homeKeeper: new MemoryKeeper() };
    const ann = await windowOf(anns, places, disk, journal, kept);
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const { id: migrationId } = await ann.migrations.createMigrationPlan(id, 'there');
    await ann.migrations.startMigration(migrationId);
    const snapshot = await ann.snapshots.takeSnapshot(id, quietContext);
    await ann.deleteInstance(id);
    const old = copyOf(disk);
    await restoreAndStart(ann, id);
    await ann.dispose();
    swarms.splice(0);
    const before = [whole(places.here, id), whole(places.there, id)];
    const again = await windowOf(anns, places, old, journal, kept);
    places.there.unreachable = true;
    const byItself = { ...quietContext, by: { caller: 'controller', actor: 'trash' } } as const;
    await expect(again.purgeInstance(id, byItself)).rejects.toMatchObject({ code: 'provider-unreachable' });
    places.there.unreachable = false;
    for (const _ of [1, 2, 3]) await again.refresh();
    await again.migrations.settleAll();
    expect([whole(places.here, id), whole(places.there, id)]).toEqual(before);
    expect(before).toMatchObject([{ role: 'parked' }, { role: 'owner', running: true }]);
    expect(again.snapshots.listSnapshots(id)).toEqual([snapshot]);
  });

  test('that wanted it absent does nothing to it', async () => {
    const { ann, id, place, state } = await older(
      async (a, i) => {
        await a.deleteInstance(i);
        await a.registry.updateInstance(i, current => ({ ...current, desired: 'absent' }));
      },
      async (a, i) => {
        await a.registry.updateInstance(i, current => ({ ...current, desired: 'trashed' }));
        await restoreAndStart(a, i);
      },
    );
    for (const _ of [1, 2, 3]) await ann.refresh();
    expect(whole(place, id)).toEqual(state);
    expect(ann.getInstance(id).overruled).toMatchObject({ by: 'provider' });
  });

  test('does not take out of the trash what was deleted since', async () => {
    const { ann, id, place, state } = await older(
      async () => {},
      (a, i) => a.deleteInstance(i),
    );
    for (const _ of [1, 2, 3]) await ann.refresh();
    expect(whole(place, id)).toEqual(state);
    expect(state).toMatchObject({ role: 'trash' });
  });

  test('takes over what its provider says when a person wants that', async () => {
    const { ann, id, place, state } = await older((a, i) => a.deleteInstance(i), restoreAndStart);
    await ann.refresh();
    expect(await ann.ownership.takeOver(id)).toMatchObject({ desired: 'running', status: 'running', role: 'owner' });
    expect(ann.getInstance(id)).not.toHaveProperty('overruled');
    expect(ann.getInstance(id)).not.toHaveProperty('trashedAt');
    for (const _ of [1, 2]) await ann.refresh();
    expect(whole(place, id)).toEqual(state);
    await ann.deleteInstance(id);
    expect(whole(place, id)).toMatchObject({ role: 'trash' });
  });

  test('does what it says when a person wants that', async () => {
    const { ann, id, place } = await older((a, i) => a.deleteInstance(i), restoreAndStart);
    await ann.refresh();
    await ann.ownership.insist(id);
    expect(whole(place, id)).toMatchObject({ role: 'trash', home: true });
    expect(ann.getInstance(id)).toMatchObject({ status: 'trashed', role: 'trash' });
    await ann.restoreInstance(id);
    expect(whole(place, id)).toMatchObject({ role: 'owner' });
  });

  test('is refused what only a person decides, for what is not so', async () => {
    const places = { here: new MemoryPlace() };
    const ann = await windowOf(anns, places);
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    for (const act of ['takeOver', 'insist'] as const)
      await expect(ann.ownership[act](id)).rejects.toMatchObject({ code: 'wrong-state' });
  });

  test('is no longer older after a kill between its record and its provider', async () => {
    for (const cut of ['loseReply', 'failNext'] as const) {
      const places = { here: new MemoryPlace() };
      const disk = new MemoryDisk();
      const ann = await windowOf(anns, places, disk);
      const { id } = await ann.createInstance({ name: 'web' }, 'here');
      if (cut === 'loseReply') places.here.loseReply('trashInstance');
      else places.here.failNext('trashInstance', new Error('cut off'));
      await ann.deleteInstance(id).catch(() => {});
      const again = await windowOf(anns, places, copyOf(disk));
      await again.refresh();
      expect(again.getInstance(id)).toMatchObject({ status: 'trashed' });
      expect(again.getInstance(id)).not.toHaveProperty('overruled');
    }
  });

  test('that knew of no migration follows the owner, and does not delete it there', async () => {
    const places = { here: new MemoryPlace(), there: new MemoryPlace() };
    const [disk, journal] = [new MemoryDisk(), new MemoryDisk()];
    const ann = await windowOf(anns, places, disk, journal);
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    await ann.deleteInstance(id);
    const old = copyOf(disk);
    await restoreAndStart(ann, id);
    const { id: migrationId } = await ann.migrations.createMigrationPlan(id, 'there');
    expect(await ann.migrations.startMigration(migrationId)).toMatchObject({ status: 'completed' });
    await ann.dispose();
    swarms.splice(0);
    const before = [whole(places.here, id), whole(places.there, id)];
    const again = await windowOf(anns, places, old);
    await vi.waitFor(async () => {
      await again.refresh();
      expect(again.getInstance(id)).toMatchObject({ providerId: 'there', overruled: { by: 'provider' } });
    });
    for (const _ of [1, 2, 3]) await again.refresh();
    expect([whole(places.here, id), whole(places.there, id)]).toEqual(before);
    expect(before).toMatchObject([{ role: 'parked' }, { role: 'owner', running: true }]);
    expect(again.getInstance(id)).toMatchObject({ providerId: 'there', overruled: { by: 'provider' } });
  });
});
