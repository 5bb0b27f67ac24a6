import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { quietContext, withSignal } from '../../../src/model/operationContext.ts';
import { fill } from '../../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../../fakes/memoryKeeper.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { MemoryLock, memorySwarm } from '../../fakes/memorySwarm.ts';

const provider = new MemoryProvider(new MemoryPlace());
let disks: { disk: MemoryDisk; snapshotDisk: MemoryDisk };
let keeper: MemoryKeeper;
let controller: ReturnType<typeof memorySwarm>['controller'];
let id: string;

const open = async (locks = new MemoryLock()) => {
  const opened = memorySwarm({
    ...disks,
    locks,
    providers: [provider],
    homeKeeper: keeper,
    health: { enabled: false },
  });
  await opened.controller.initialize();
  return opened.controller;
};

beforeEach(async () => {
  disks = { disk: new MemoryDisk(), snapshotDisk: new MemoryDisk() };
  keeper = new MemoryKeeper();
  controller = await open();
  ({ id } = await controller.createInstance({ name: 'web' }));
  fill(provider, id, 'as it was');
});
afterEach(async () => {
  await controller.purgeInstance(id);
  await controller.dispose();
});

const take = () => controller.snapshots.takeSnapshot(id, quietContext);
const listed = ({ snapshots } = controller) => ({
  kept: snapshots.listSnapshots(id).map(snapshot => snapshot.id),
  failed: snapshots.listFailed(id).map(({ error }) => error.code),
});

test('what turns out not to be what was kept leaves the archive, and is in the list with its reason', async () => {
  await controller.stopInstance(id);
  const keep = keeper.keep.bind(keeper);
  keeper.keep = async (...asked) => {
    const facts = await keep(...asked);
    fill(provider, id, 'changed meanwhile');
    return facts;
  };
  await expect(take()).rejects.toMatchObject({ code: 'home-not-as-kept' });
  expect(keeper.kept.size).toBe(0);
  expect(listed()).toEqual({ kept: [], failed: ['home-not-as-kept'] });
  expect(controller.snapshots.listFailed(id)[0]?.error.message).toContain('not the same');
});

test('of several that fail one after the other the last is listed, until one is kept', async () => {
  const { keep } = keeper;
  for (const why of ['the disk is full', 'it was cut']) {
    keeper.keep = async () => {
      throw new Error(why);
    };
    await expect(take()).rejects.toThrow(why);
    expect(controller.snapshots.listFailed(id)).toMatchObject([{ error: { message: why } }]);
  }
  keeper.keep = keep;
  const snapshot = await take();
  expect(listed()).toEqual({ kept: [snapshot.id], failed: [] });
});

test('what failed is listed also while the archive cannot be tidied up, until one is kept', async () => {
  const { keep, forget } = keeper;
  const refused = new Error('the folder cannot be written');
  keeper.keep = keeper.forget = async () => {
    throw refused;
  };
  await expect(take()).rejects.toThrow(refused);
  await expect(take()).rejects.toThrow(refused);
  expect(controller.snapshots.listFailed(id)).toMatchObject([{ error: { message: refused.message } }]);
  Object.assign(keeper, { keep, forget });
  const snapshot = await take();
  expect(listed()).toEqual({ kept: [snapshot.id], failed: [] });
});

test('what was cancelled leaves nothing', async () => {
  const cancel = new AbortController();
  const keep = keeper.keep.bind(keeper);
  keeper.keep = async (...asked) => {
    const facts = await keep(...asked);
    cancel.abort();
    cancel.signal.throwIfAborted();
    return facts;
  };
  await expect(controller.snapshots.takeSnapshot(id, withSignal(quietContext, cancel.signal))).rejects.toThrow();
  expect(keeper.kept.size).toBe(0);
  expect(listed()).toEqual({ kept: [], failed: [] });
  expect(disks.snapshotDisk.records.size).toBe(0);
});

test('what a window that died has put into the archive is removed by the next one, which says so', async () => {
  const keep = keeper.keep.bind(keeper);
  const isIn = Promise.withResolvers<void>();
  keeper.keep = async (...asked) => {
    await keep(...asked);
    isIn.resolve();
    return new Promise<never>(() => {});
  };
  void take();
  await isIn.promise;
  expect(keeper.kept.size).toBe(1);
  controller = await open();
  expect(listed()).toEqual({ kept: [], failed: [] });
  await controller.refresh();
  await vi.waitFor(() => expect(listed()).toEqual({ kept: [], failed: ['snapshot-cut-off'] }));
  await vi.waitFor(() => expect(keeper.kept.size).toBe(0));
});

test('what is being kept by another window is none of that', async () => {
  const locks = new MemoryLock();
  await controller.dispose();
  controller = await open(locks);
  await controller.refresh();
  const goOn = Promise.withResolvers<void>();
  const isIn = Promise.withResolvers<void>();
  const keep = keeper.keep.bind(keeper);
  keeper.keep = async (...asked) => {
    const facts = await keep(...asked);
    isIn.resolve();
    await goOn.promise;
    return facts;
  };
  const taking = take();
  await isIn.promise;
  const other = await open(locks);
  await other.refresh();
  await other.snapshots.settle();
  expect(keeper.kept.size).toBe(1);
  goOn.resolve();
  const snapshot = await taking;
  expect(listed()).toEqual({ kept: [snapshot.id], failed: [] });
  await other.dispose();
});

test('what the archive does not let go is used no more, and is tried again until it has gone', async () => {
  const snapshot = await take();
  const forget = keeper.forget.bind(keeper);
  keeper.forget = async () => {
    throw new Error('the disk does not answer');
  };
  await expect(controller.snapshots.deleteSnapshot(snapshot.id, quietContext)).rejects.toThrow('does not answer');
  expect(listed()).toEqual({ kept: [], failed: [] });
  expect(() => controller.snapshots.getSnapshot(snapshot.id)).toThrow('There is no snapshot');
  keeper.forget = forget;
  await controller.refresh();
  await vi.waitFor(() => expect(disks.snapshotDisk.records.size).toBe(0));
  expect(keeper.kept.size).toBe(0);
});
