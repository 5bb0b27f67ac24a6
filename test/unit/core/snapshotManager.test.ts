import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { untilDecided } from '../../../src/core/retention.ts';
import { homeStreamBroken } from '../../../src/model/homeErrors.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { contentOf, fill } from '../../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../../fakes/memoryKeeper.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';

describe('snapshots', () => {
  let here: MemoryProvider;
  let there: MemoryProvider;
  let keeper: MemoryKeeper;
  let swarm: ReturnType<typeof memorySwarm>;
  let id: string;
  let disks: { disk: MemoryDisk; snapshotDisk: MemoryDisk };
  let kept: Pick<MemorySwarmOptions, 'homeKeeper' | 'health'>;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    here = new MemoryProvider(new MemoryPlace(), { id: 'here' });
    there = new MemoryProvider(new MemoryPlace(), { id: 'there' });
    keeper = new MemoryKeeper();
    disks = { disk: new MemoryDisk(), snapshotDisk: new MemoryDisk() };
    kept = { homeKeeper: keeper, health: { enabled: false } };
    swarm = memorySwarm({ ...disks, providers: [here, there], ...kept });
    await swarm.controller.initialize();
    ({ id } = await swarm.controller.createInstance({ name: 'web', env: { MODE: 'test' } }, 'here'));
    fill(here, id, 'as it was');
  });
  afterEach(async () => {
    await swarm.controller.dispose();
    vi.useRealTimers();
  });

  /** A minute after whatever was before. */
  const take = () => {
    vi.setSystemTime(Date.now() + 60_000);
    return swarm.controller.snapshots.takeSnapshot(id, quietContext);
  };

  test('an instance that runs goes on running, and its snapshot says so', async () => {
    const snapshot = await take();
    expect(snapshot).toMatchObject({ instanceId: id, live: true, files: 1, config: { name: 'web' } });
    expect(swarm.controller.getInstance(id).status).toBe('running');
    expect(swarm.controller.snapshots.listSnapshots(id)).toEqual([snapshot]);
  });

  test('the home of an instance becomes what it was, and what it was meanwhile is kept', async () => {
    const { id: first } = await take();
    fill(here, id, 'as it became');
    await swarm.controller.snapshots.resetToSnapshot(first, quietContext);
    expect(contentOf(here, id)).toBe('as it was');
    expect(swarm.controller.getInstance(id).status).toBe('running');
    expect([...keeper.kept.values()]).toEqual(['as it was', 'as it became']);
  });

  test('when what is there now cannot be kept, nothing is overwritten', async () => {
    const { id: first } = await take();
    fill(here, id, 'as it became');
    keeper.keep = async () => {
      throw new Error('the disk is full');
    };
    await expect(swarm.controller.snapshots.resetToSnapshot(first, quietContext)).rejects.toThrow('the disk is full');
    expect(contentOf(here, id)).toBe('as it became');
    expect(swarm.controller.getInstance(id).status).toBe('running');
  });

  test('a reset that fails is taken back, however long that takes', async () => {
    const { id: first } = await take();
    fill(here, id, 'as it became');
    const bringBack = keeper.bringBack.bind(keeper);
    keeper.bringBack = async (provider, instanceId, snapshotId, ctx) => {
      if (snapshotId !== first) return bringBack(provider, instanceId, snapshotId, ctx);
      fill(provider, instanceId, 'half of');
      vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
      throw new Error('the connection broke');
    };
    const reset = swarm.controller.snapshots.resetToSnapshot(first, quietContext);
    await expect(reset).rejects.toThrow('the connection broke');
    vi.restoreAllMocks();
    expect(contentOf(here, id)).toBe('as it became');
    expect((await swarm.controller.registry.readInstance(id)).restoring).toBeUndefined();
  });

  test('the oldest that is kept is not lost by keeping what is there now', async () => {
    const { id: oldest } = await take();
    for (let index = 1; index < 10; index += 1) await take();
    fill(here, id, 'as it became');
    await swarm.controller.snapshots.resetToSnapshot(oldest, quietContext);
    expect(contentOf(here, id)).toBe('as it was');
    expect([...keeper.kept.values()]).toContain('as it became');
  });

  test('of more than ten, those after which nothing had changed go first', async () => {
    const { id: first } = await take();
    fill(here, id, 'as it became');
    for (let index = 0; index < 10; index += 1) await take();
    const left = swarm.controller.snapshots.listSnapshots(id);
    expect(left).toHaveLength(10);
    expect(left.at(-1)?.id).toBe(first);
  });

  test('what is kept by itself pushes out nothing that a person kept, nor the first one of a day', async () => {
    vi.setSystemTime(`${new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)}T12:00:00Z`);
    fill(here, id, 'of a person');
    await take();
    const makeAnew = async () => {
      vi.setSystemTime(Date.now() + 60_000);
      await swarm.controller.recoverInstance(id, 'recreate', quietContext);
    };
    fill(here, id, 'first of the day');
    await makeAnew();
    for (let index = 0; index < 30; index += 1) {
      fill(here, id, `change ${index}`);
      await makeAnew();
    }
    for (let index = 0; index < 15; index += 1) {
      fill(here, id, `scheduled ${index}`);
      vi.setSystemTime(Date.now() + 60_000);
      await swarm.controller.snapshots.takeSnapshot(id, quietContext, 'scheduled');
    }
    const left = [...keeper.kept.values()];
    expect(left).toEqual(expect.arrayContaining(['of a person', 'first of the day', 'change 29', 'scheduled 14']));
    expect(left).toHaveLength(1 + 11 + 10);
  });

  test('a clock that was set back costs nothing of what was just kept', async () => {
    for (let index = 0; index < 10; index += 1) {
      fill(here, id, `day ${index}`);
      await take();
    }
    vi.setSystemTime(Date.now() - 86_400_000);
    fill(here, id, 'today');
    const youngest = await swarm.controller.snapshots.takeSnapshot(id, quietContext);
    expect(swarm.controller.snapshots.listSnapshots(id)[0]).toEqual(youngest);
    expect(keeper.kept.get(youngest.id)).toBe('today');
    expect([...keeper.kept.values()]).not.toContain('day 0');
  });

  test('to forget one costs none that this window does not know', async () => {
    keeper.kept.set('ofsomebody99', 'what another window kept');
    const { id: first } = await take();
    await swarm.controller.snapshots.deleteSnapshot(first, quietContext);
    expect([...keeper.kept.keys()]).toEqual(['ofsomebody99']);
  });

  test('what does not come back as it was kept leaves the home as it is now, and running', async () => {
    const { id: first } = await take();
    fill(here, id, 'todays work');
    keeper.kept.set(first, 'half of it');
    const reset = swarm.controller.snapshots.resetToSnapshot(first, quietContext);
    await expect(reset).rejects.toMatchObject({ code: 'home-not-as-kept' });
    expect(contentOf(here, id)).toBe('todays work');
    expect(swarm.controller.getInstance(id)).toMatchObject({ status: 'running', desired: 'running' });
  });

  test('what is made anew is kept before', async () => {
    const made = await swarm.controller.recoverInstance(id, 'recreate');
    expect(made.status).toBe('running');
    expect([...keeper.kept.values()]).toEqual(['as it was']);
  });

  test('what cannot be kept is not made anew, unless a person wants it all the same', async () => {
    keeper.keep = async () => {
      throw new Error('the disk is full');
    };
    const container = here.place.instances.get(id);
    await expect(swarm.controller.recoverInstance(id, 'recreate')).rejects.toMatchObject({
      code: 'home-not-kept',
      message: expect.stringContaining('the disk is full'),
    });
    expect(here.place.instances.get(id)).toBe(container);
    expect((await swarm.controller.recoverInstance(id, 'recreate', quietContext, true)).status).toBe('running');
    expect(contentOf(here, id)).toBe('as it was');
  });

  test('a new instance gets it on another provider, and the first one stays as it is', async () => {
    const { id: first } = await take();
    fill(here, id, 'as it became');
    const made = await swarm.controller.snapshots.restoreSnapshot(first, 'again', 'there', quietContext);
    expect(made).toMatchObject({
      providerId: 'there',
      status: 'running',
      config: { name: 'again', env: { MODE: 'test' } },
    });
    expect({ old: contentOf(here, id), new: contentOf(there, made.id) }).toEqual({
      old: 'as it became',
      new: 'as it was',
    });
  });

  test('a new instance that does not get it is not left behind', async () => {
    const { id: first } = await take();
    keeper.kept.set(first, 'something else');
    const restored = swarm.controller.snapshots.restoreSnapshot(first, 'again', 'there', quietContext);
    await expect(restored).rejects.toMatchObject({ code: 'home-not-as-kept' });
    expect(swarm.controller.listInstances().map(({ config }) => config.name)).toEqual(['web']);
    expect(there.place.homesOf.size).toBe(0);
  });

  test('a fork has the home as it is now', async () => {
    const made = await swarm.controller.snapshots.forkInstance(id, 'twin', 'here', quietContext);
    expect(swarm.controller.snapshots.listSnapshots(id).map(({ kind }) => kind)).toEqual(['before']);
    expect(contentOf(here, made.id)).toBe('as it was');
    expect(swarm.controller.getInstance(id).status).toBe('running');
  });

  test('what comes back as something else is refused', async () => {
    const { id: first } = await take();
    keeper.kept.set(first, 'something else');
    await expect(swarm.controller.snapshots.resetToSnapshot(first, quietContext)).rejects.toMatchObject({
      code: 'home-not-as-kept',
    });
  });

  test('ten of an instance are kept, and none of one that was deleted for good', async () => {
    for (let index = 0; index < 12; index += 1) await take();
    expect(keeper.kept.size).toBe(10);
    await swarm.controller.purgeInstance(id);
    expect({ kept: keeper.kept.size, listed: swarm.controller.snapshots.listSnapshots() }).toEqual({
      kept: 0,
      listed: [],
    });
  });

  test('what is in the trash has its snapshots still, and takes no new one', async () => {
    await take();
    await swarm.controller.deleteInstance(id);
    await expect(take()).rejects.toMatchObject({ code: 'wrong-state' });
    expect(swarm.controller.snapshots.listSnapshots(id)).toHaveLength(1);
  });

  describe('when the process dies while a home is brought back', () => {
    /** A process that comes after this one, which is stuck for ever in what it does then. */
    const dieIn = async (work: () => Promise<unknown>) => {
      const stuck = Promise.withResolvers<void>();
      const { bringBack } = keeper;
      keeper.bringBack = async (provider, instanceId) => {
        fill(provider, instanceId, 'half of it');
        stuck.resolve();
        return new Promise<never>(() => {});
      };
      void work().catch(() => {});
      await stuck.promise;
      keeper.bringBack = bringBack;
      const next = memorySwarm({ ...disks, vault: swarm.vault, providers: [here, there], ...kept }).controller;
      await next.initialize();
      return next;
    };
    const cutOff = { code: 'restore-cut-off', hint: expect.stringContaining('snapshot') };

    test('the next one goes on with it, and starts what was running', async () => {
      const { id: first } = await take();
      fill(here, id, 'as it became');
      const next = await dieIn(() => swarm.controller.snapshots.resetToSnapshot(first, quietContext));
      expect(contentOf(here, id)).toBe('half of it');
      await next.refresh();
      expect(contentOf(here, id)).toBe('as it was');
      expect(next.getInstance(id)).toMatchObject({ status: 'running', desired: 'running' });
      expect(next.getInstance(id)).not.toHaveProperty('restoring');
      expect([...keeper.kept.values()]).toEqual(['as it was', 'as it became']);
      await next.dispose();
    });

    test('also of an instance that was made for it', async () => {
      const { id: first } = await take();
      const next = await dieIn(() => swarm.controller.snapshots.restoreSnapshot(first, 'again', 'there', quietContext));
      await next.refresh();
      const [made] = next.listInstances().filter(({ config }) => config.name === 'again');
      expect(made).toMatchObject({ status: 'running', desired: 'running' });
      expect(contentOf(there, made?.id ?? '')).toBe('as it was');
      await next.dispose();
    });

    test('and of one that was still being made', async () => {
      const { id: first } = await take();
      const making = Promise.withResolvers<void>();
      there.place.latency = async call => {
        if (call !== 'createInstance') return;
        there.place.latency = async () => {};
        making.resolve();
        await new Promise(() => {});
      };
      void swarm.controller.snapshots.restoreSnapshot(first, 'again', 'there', quietContext).catch(() => {});
      await making.promise;
      const next = memorySwarm({ ...disks, vault: swarm.vault, providers: [here, there], ...kept }).controller;
      await next.initialize();
      await next.refresh();
      await next.refresh();
      const [made] = next.listInstances().filter(({ config }) => config.name === 'again');
      expect(made).toMatchObject({ status: 'running' });
      expect(contentOf(there, made?.id ?? '')).toBe('as it was');
      await next.dispose();
    });

    test('who starts it before it was looked at gets it whole, too', async () => {
      const { id: first } = await take();
      const next = await dieIn(() => swarm.controller.snapshots.resetToSnapshot(first, quietContext));
      expect((await next.startInstance(id)).status).toBe('running');
      expect(contentOf(here, id)).toBe('as it was');
      await next.dispose();
    });

    test('what was stopped or deleted meanwhile is not started, and is whole once it is back', async () => {
      const { id: first } = await take();
      const next = await dieIn(() => swarm.controller.snapshots.resetToSnapshot(first, quietContext));
      await next.deleteInstance(id);
      await next.refresh();
      expect(next.getInstance(id)).toMatchObject({ status: 'trashed', restoring: first });
      await next.restoreInstance(id);
      await next.refresh();
      expect(next.getInstance(id)).toMatchObject({ status: 'stopped', desired: 'stopped' });
      expect(contentOf(here, id)).toBe('as it was');
      await next.dispose();
    });

    test('a provider that does not answer then is asked again later', async () => {
      const { id: first } = await take();
      const next = await dieIn(() => swarm.controller.snapshots.resetToSnapshot(first, quietContext));
      const { bringBack } = keeper;
      keeper.bringBack = async () => {
        throw homeStreamBroken();
      };
      await next.refresh();
      expect(next.getInstance(id)).toMatchObject({ status: 'stopped', restoring: first });
      keeper.bringBack = bringBack;
      await next.refresh();
      expect(contentOf(here, id)).toBe('as it was');
      expect(next.getInstance(id).status).toBe('running');
      await next.dispose();
    });

    test('where the snapshot can no longer be had it is told that the home is not whole, and nothing is started', async () => {
      const { id: first } = await take();
      const next = await dieIn(() => swarm.controller.snapshots.resetToSnapshot(first, quietContext));
      keeper.kept.delete(first);
      await next.refresh();
      expect(next.getInstance(id)).toMatchObject({ status: 'stopped', error: cutOff });
      await next.refresh();
      expect(next.getInstance(id).error).toMatchObject(cutOff);
      // A person may want it all the same.
      expect((await next.startInstance(id)).error).toBeUndefined();
      await next.dispose();
    });
  });

  test('what was brought back as a whole is told of no more', async () => {
    const { id: first } = await take();
    await swarm.controller.snapshots.resetToSnapshot(first, quietContext);
    const made = await swarm.controller.snapshots.restoreSnapshot(first, 'again', 'there', quietContext);
    await swarm.controller.refresh();
    for (const record of [id, made.id].map(each => swarm.controller.getInstance(each))) {
      expect(record.error).toBeUndefined();
      expect(record.restoring).toBeUndefined();
    }
  });

  describe('of an instance whose provider does not answer', () => {
    beforeEach(async () => {
      await swarm.controller.refresh();
      await take();
      fill(here, id, 'as it became');
      here.place.unreachable = true;
      await swarm.controller.refresh();
    });
    afterEach(() => {
      here.place.unreachable = false;
    });
    const failOver = () => swarm.controller.snapshots.failOver(id, 'there', quietContext);
    const look = async () => {
      await swarm.controller.refresh();
      const seen = new Map((await here.abilities.observe()).map(observation => [observation.id, observation]));
      await swarm.controller.migrations.settleStrays(here, seen);
    };

    test('it lives on another one, as the snapshot kept it, under the next epoch', async () => {
      expect(await failOver()).toMatchObject({ id, providerId: 'there', epoch: 2, role: 'owner', status: 'running' });
      expect(contentOf(there, id)).toBe('as it was');
    });

    test('once it answers, the old copy is stopped and kept, and a person can go back to it', async () => {
      await failOver();
      expect(here.place.instances.get(id)?.running).toBe(true);
      here.place.unreachable = false;
      await look();
      await vi.waitFor(() => expect(here.place.instances.get(id)).toMatchObject({ role: 'parked', running: false }));
      const [migration] = swarm.controller.migrations.listMigrations();
      expect(migration).toMatchObject({ instanceId: id, sourceProviderId: 'here', parkedUntil: untilDecided });
      await look();
      expect(swarm.controller.migrations.listMigrations()).toHaveLength(1);
      await swarm.controller.migrations.rollBack(migration?.id ?? '');
      expect(swarm.controller.getInstance(id)).toMatchObject({ providerId: 'here', status: 'running' });
      expect(contentOf(here, id)).toBe('as it became');
      expect(there.place.instances.get(id)).toMatchObject({ role: 'parked', running: false });
    });

    test('deleted for good meanwhile, it does not come back with its provider, nor does anything of it stay there', async () => {
      await failOver();
      await swarm.controller.purgeInstance(id);
      here.place.unreachable = false;
      await vi.waitFor(async () => {
        await look();
        expect(here.place.instances.has(id)).toBe(false);
      });
      expect(swarm.controller.listInstances()).toEqual([]);
      expect(there.place.instances.has(id)).toBe(false);
      expect(swarm.controller.migrations.listMigrations()).toMatchObject([{ status: 'completed' }]);
    });

    test('a deletion for good that fails in the middle is not taken back, and is ended', async () => {
      await failOver();
      await swarm.controller.deleteInstance(id);
      const forget = keeper.forget.bind(keeper);
      keeper.forget = async () => {
        throw new Error('the archive does not answer');
      };
      await expect(swarm.controller.purgeInstance(id)).rejects.toThrow('the archive does not answer');
      await expect(swarm.controller.restoreInstance(id)).rejects.toMatchObject({ code: 'wrong-state' });
      keeper.forget = forget;
      here.place.unreachable = false;
      await vi.waitFor(async () => {
        await look();
        expect(swarm.controller.listInstances()).toEqual([]);
        expect(here.place.instances.has(id)).toBe(false);
      });
    });

    test.each(['stopInstance', 'deleteInstance'] as const)(
      'deleted for good while nothing answers, it stays so, whatever %s is asked for then',
      async act => {
        await swarm.controller.purgeInstance(id).catch(() => {});
        await swarm.controller[act](id).catch(() => {});
        here.place.unreachable = false;
        await vi.waitFor(async () => {
          await look();
          expect(swarm.controller.listInstances()).toEqual([]);
        });
        expect(here.place.instances.has(id)).toBe(false);
      },
    );

    test('one that has come to answer since it was last looked at keeps what it has', async () => {
      here.place.unreachable = false;
      await expect(failOver()).rejects.toMatchObject({ code: 'fail-over-refused' });
      expect(swarm.controller.getInstance(id)).toMatchObject({ providerId: 'here', epoch: 1 });
      expect(there.place.instances.has(id)).toBe(false);
    });

    test('while it does not answer, nobody is sent back to the old copy', async () => {
      await failOver();
      const [migration] = swarm.controller.migrations.listMigrations();
      await expect(swarm.controller.migrations.rollBack(migration?.id ?? '')).rejects.toMatchObject({
        code: 'provider-unreachable',
      });
      expect(swarm.controller.getInstance(id)).toMatchObject({ providerId: 'there', status: 'running' });
    });

    test('a try whose answer was lost can be made again', async () => {
      there.place.loseReply('prepareIncoming');
      there.place.failNext('deleteInstance', new Error('the connection was cut'));
      await expect(failOver()).rejects.toThrow('the answer was lost');
      expect(there.place.instances.get(id)).toMatchObject({ role: 'incoming' });
      expect(await failOver()).toMatchObject({ providerId: 'there', status: 'running' });
    });

    test('what comes to the other one as something else is refused, and nothing is left there', async () => {
      keeper.bringBack = async () => ({ bytes: 0, files: 0 });
      await expect(failOver()).rejects.toMatchObject({ code: 'home-not-as-kept' });
      expect(there.place.instances.has(id)).toBe(false);
      expect(swarm.controller.getInstance(id)).toMatchObject({ providerId: 'here', epoch: 1 });
    });

    test('it is refused without a snapshot, and while its provider answers', async () => {
      const [kept] = swarm.controller.snapshots.listSnapshots(id);
      await swarm.controller.snapshots.deleteSnapshot(kept?.id ?? '', quietContext);
      await expect(failOver()).rejects.toMatchObject({ code: 'fail-over-refused' });
      here.place.unreachable = false;
      await swarm.controller.refresh();
      await take();
      await expect(failOver()).rejects.toMatchObject({ code: 'fail-over-refused' });
    });
  });
});
