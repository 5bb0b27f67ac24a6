import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { InstanceRegistry } from '../../../src/core/instanceRegistry.ts';
import { withStatus } from '../../../src/core/records.ts';
import { SwarmError } from '../../../src/model/errors.ts';
import {
  InstanceConfig,
  type InstanceConfigInput,
  InstanceRecord,
  type InstanceStatus,
} from '../../../src/model/instance.ts';
import { loneContext } from '../../fakes/loneProvider.ts';
import { MemoryDisk, MemoryStore } from '../../fakes/memoryStore.ts';

const interval = 20;
const idA = 'aaaaaaaaaaaa';
const idB = 'bbbbbbbbbbbb';
const idC = 'cccccccccccc';

/** Another time with every call, so that statuses have an order. */
let now = Date.parse('2026-03-01T12:00:00Z');
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now }));
afterEach(() => void vi.useRealTimers());
const laterOn = () => {
  now += 1_000;
  vi.setSystemTime(now);
};

function instance(id: string, over: Partial<InstanceConfigInput> = {}, providerId = 'local'): InstanceRecord {
  return {
    id,
    swarmId: 'ssssssssssssssss',
    epoch: 1,
    owner: { user: 'ann', machine: 'desk' },
    createdAt: '2026-01-01T00:00:00.000Z',
    providerId,
    role: 'owner',
    config: InstanceConfig.parse({ name: `name ${id}`, ...over }),
    status: 'creating',
    schemaVersion: 1,
    revision: 0,
    desired: 'running',
    statusSince: '2026-01-01T00:00:00.000Z',
  };
}

/** A window: a store and a registry on a disk that others may share, and what its views were told. */
function openWindow(disk = new MemoryDisk()) {
  const store = new MemoryStore(InstanceRecord, disk);
  const registry = new InstanceRegistry(store, () => interval);
  const told: [string, InstanceStatus | undefined][] = [];
  registry.onDidChange(({ id, record }) => told.push([id, record?.status]));
  onTestFinished(() => registry.dispose());
  const onDisk = async (id: string) => (await store.read(id)) ?? undefined;
  return { registry, told, disk, store, onDisk };
}

const seen =
  (status: InstanceStatus, detail?: string, port?: number) =>
  (current: InstanceRecord): InstanceRecord =>
    withStatus(current, { status, detail, port });
const settled = () => vi.advanceTimersByTimeAsync(0);
const ids = (records: readonly InstanceRecord[]) => records.map(({ id }) => id).sort();

describe('registering and changing', () => {
  test('what is asked for is on disk before the call resolves', async () => {
    const { registry, told, onDisk } = openWindow();
    const registered = await registry.registerInstance(instance(idA), loneContext);
    expect(registered.revision).toBe(1);
    expect(await onDisk(idA)).toEqual(registered);
    const updated = await registry.updateInstance(idA, current => ({ ...current, desired: 'stopped' }));
    expect(updated).toEqual({ ...registered, desired: 'stopped', revision: 2 });
    expect(registry.getInstance(idA)).toEqual(updated);
    expect(await onDisk(idA)).toEqual(updated);
    await registry.removeInstance(idA, loneContext);
    await registry.removeInstance(idA, loneContext);
    expect([registry.getInstance(idA), await onDisk(idA)]).toEqual([undefined, undefined]);
    expect(told).toEqual([
      [idA, 'creating'],
      [idA, 'creating'],
      [idA, undefined],
    ]);
  });

  test('an id is registered once; what does not exist cannot be changed', async () => {
    const { registry, disk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    await expect(other.registry.registerInstance(instance(idA), loneContext)).rejects.toMatchObject({
      code: 'instance-exists',
    });
    await expect(registry.updateInstance(idB, current => current)).rejects.toMatchObject({
      code: 'instance-not-found',
    });
    await other.registry.removeInstance(idA, loneContext);
    await expect(registry.updateInstance(idA, current => current)).rejects.toMatchObject({
      code: 'instance-not-found',
    });
    expect(registry.getInstance(idA)).toBeUndefined();
  });

  test('a change that shows nothing is not told', async () => {
    const { registry, told } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    await registry.updateInstance(idA, current => ({ ...current }));
    await registry.updateInstance(idA, current => current);
    expect(told).toEqual([[idA, 'creating']]);
  });
});

describe('observing', () => {
  test('shows at once, and writes at the auto-save interval', async () => {
    const { registry, told, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    laterOn();
    registry.observeInstance(idA, seen('running', 'up', 4000));
    expect(registry.getInstance(idA)).toMatchObject({ status: 'running', detail: 'up', port: 4000, revision: 1 });
    expect(await onDisk(idA)).toMatchObject({ status: 'creating' });
    await vi.advanceTimersByTimeAsync(interval * 1000 - 1);
    expect(await onDisk(idA)).toMatchObject({ status: 'creating' });
    await vi.advanceTimersByTimeAsync(1);
    expect(await onDisk(idA)).toMatchObject({ status: 'running', detail: 'up', port: 4000, revision: 2 });
    expect(registry.getInstance(idA)).toEqual(await onDisk(idA));
    expect(told).toEqual([
      [idA, 'creating'],
      [idA, 'running'],
    ]);
  });

  test('costs nothing while nothing changes', async () => {
    const { registry, told, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    expect(vi.getTimerCount()).toBe(0);
    registry.observeInstance(idA, seen('creating'));
    registry.observeInstance(idB, seen('running'));
    expect(vi.getTimerCount()).toBe(0);
    registry.observeInstance(idA, seen('running'));
    registry.observeInstance(idA, seen('running', 'still'));
    expect(vi.getTimerCount()).toBe(1);
    await registry.flush();
    expect(vi.getTimerCount()).toBe(0);
    expect(await onDisk(idA)).toMatchObject({ revision: 2, detail: 'still' });
    await registry.flush();
    expect(await onDisk(idA)).toMatchObject({ revision: 2 });
    expect(told).toHaveLength(3);
  });

  test('never touches what is asked for', async () => {
    const { registry, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    registry.observeInstance(idA, current => ({ ...seen('running')(current), desired: 'absent', epoch: 9 }));
    await registry.flush();
    expect(await onDisk(idA)).toMatchObject({ status: 'running', desired: 'running', epoch: 1 });
    expect(registry.getInstance(idA)).toMatchObject({ desired: 'running', epoch: 1 });
  });

  test('takes back a detail and a port that are no more', async () => {
    const { registry, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    registry.observeInstance(idA, seen('running', 'up', 4000));
    await registry.flush();
    laterOn();
    registry.observeInstance(idA, seen('stopped'));
    await registry.flush();
    const record = await onDisk(idA);
    expect([record?.status, record?.detail, record?.port]).toEqual(['stopped', undefined, undefined]);
  });

  test('an update takes along what was observed since, and decides', async () => {
    const { registry, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    laterOn();
    registry.observeInstance(idA, seen('running', 'up'));
    await registry.updateInstance(idA, current => {
      expect(current.status).toBe('running');
      return { ...current, desired: 'stopped' };
    });
    expect(await onDisk(idA)).toMatchObject({ status: 'running', detail: 'up', desired: 'stopped', revision: 2 });
    laterOn();
    registry.observeInstance(idA, seen('failed'));
    await registry.updateInstance(idA, seen('stopping'));
    await registry.flush();
    expect(await onDisk(idA)).toMatchObject({ status: 'stopping', revision: 3 });
    expect(registry.getInstance(idA)?.status).toBe('stopping');
  });

  test('what could not be written stays shown, and is tried again', async () => {
    const { registry, store, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    await registry.registerInstance(instance(idB), loneContext);
    const { update } = store;
    store.update = (id, change) =>
      id === idA ? Promise.reject(new Error('disk full')) : update.call(store, id, change);
    registry.observeInstance(idA, seen('running'));
    registry.observeInstance(idB, seen('running'));
    await expect(registry.flush()).rejects.toThrow('disk full');
    expect(await onDisk(idB)).toMatchObject({ status: 'running' });
    expect(registry.getInstance(idA)?.status).toBe('running');
    store.update = update;
    await vi.advanceTimersByTimeAsync(interval * 1000);
    expect(await onDisk(idA)).toMatchObject({ status: 'running' });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a record of a newer version is not tried again and again', async () => {
    const { registry, store } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    store.update = () => Promise.reject(new SwarmError({ family: 'state', code: 'newer-state', message: 'newer' }));
    registry.observeInstance(idA, seen('running'));
    await registry.flush();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('disposing writes what was observed, and leaves no timer', async () => {
    const { registry, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    registry.observeInstance(idA, seen('running'));
    await registry.dispose();
    expect(await onDisk(idA)).toMatchObject({ status: 'running' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('several windows', () => {
  test('load shows what is there; from then on a window follows the others', async () => {
    const { registry, disk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    expect(await other.registry.load()).toEqual([]);
    expect(ids(other.registry.listInstances())).toEqual([idA]);
    await registry.registerInstance(instance(idB), loneContext);
    await registry.updateInstance(idA, seen('running'));
    await settled();
    expect(other.registry.getInstance(idA)?.status).toBe('running');
    await registry.removeInstance(idB, loneContext);
    await settled();
    expect(other.told).toEqual([
      [idA, 'creating'],
      [idB, 'creating'],
      [idA, 'running'],
      [idB, undefined],
    ]);
  });

  test('a window that did not load is empty, and stays so', async () => {
    const { registry, disk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    await registry.registerInstance(instance(idB), loneContext);
    await settled();
    expect([other.registry.getInstanceCount(), other.told, vi.getTimerCount()]).toEqual([0, [], 0]);
  });

  test('the status that began later holds, whoever saw it', async () => {
    const { registry, disk, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    await other.registry.load();
    laterOn();
    other.registry.observeInstance(idA, seen('stopped'));
    laterOn();
    await registry.updateInstance(idA, seen('starting'));
    await settled();
    expect(other.registry.getInstance(idA)?.status).toBe('starting');
    await other.registry.flush();
    expect(await onDisk(idA)).toMatchObject({ status: 'starting', revision: 2 });
    laterOn();
    other.registry.observeInstance(idA, seen('running'));
    await registry.updateInstance(idA, current => ({ ...current, desired: 'stopped' }));
    await settled();
    expect(other.registry.getInstance(idA)).toMatchObject({ status: 'running', desired: 'stopped' });
  });

  test('two that see the same write it once, and tell it once', async () => {
    const { registry, disk, told, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    await other.registry.load();
    await registry.load();
    registry.observeInstance(idA, seen('running'));
    laterOn();
    other.registry.observeInstance(idA, seen('running'));
    await registry.flush();
    await settled();
    await other.registry.flush();
    await settled();
    expect(await onDisk(idA)).toMatchObject({ status: 'running', revision: 2 });
    expect([told, other.told]).toEqual([
      [
        [idA, 'creating'],
        [idA, 'running'],
      ],
      [
        [idA, 'creating'],
        [idA, 'running'],
      ],
    ]);
  });

  test('an observation of what another window removed does not bring it back', async () => {
    const { registry, disk, onDisk } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    const other = openWindow(disk);
    await other.registry.load();
    other.registry.observeInstance(idA, seen('running'));
    await disk.records.delete(idA);
    await other.registry.flush();
    expect([await onDisk(idA), other.registry.getInstance(idA)]).toEqual([undefined, undefined]);
    expect(registry.getInstanceCount()).toBe(1);
  });

  test('an older reading never hides a later write of its own', async () => {
    const { registry, disk, store } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    await registry.load();
    const other = openWindow(disk);
    const read = store.read.bind(store);
    const late = Promise.withResolvers<void>();
    store.read = async id => {
      const record = await read(id);
      await late.promise;
      return record;
    };
    await other.registry.updateInstance(idA, seen('running'));
    await settled();
    await registry.updateInstance(idA, seen('stopping'));
    late.resolve();
    await settled();
    expect(registry.getInstance(idA)).toMatchObject({ status: 'stopping', revision: 3 });
  });

  test('an earlier write of its own never hides what another window wrote since', async () => {
    const { registry, disk, store } = openWindow();
    await registry.registerInstance(instance(idA), loneContext);
    await registry.load();
    const other = openWindow(disk);
    const update = store.update.bind(store);
    const late = Promise.withResolvers<void>();
    store.update = async (id, change) => {
      const written = await update(id, change);
      await late.promise;
      return written;
    };
    const stopping = registry.updateInstance(idA, seen('stopping'));
    await settled();
    await other.registry.updateInstance(idA, seen('stopped'));
    await settled();
    late.resolve();
    expect(await stopping).toMatchObject({ status: 'stopped', revision: 3 });
    expect(registry.getInstance(idA)).toMatchObject({ status: 'stopped', revision: 3 });
  });

  test('says which files could not be read', async () => {
    const { registry, store } = openWindow();
    const quarantined = [{ file: 'x.json', reason: 'torn' }];
    store.load = async () => ({ records: [], quarantined, unread: [] });
    expect(await registry.load()).toEqual(quarantined);
  });
});

describe('finding', () => {
  async function filled() {
    const { registry } = openWindow();
    await registry.registerInstance(
      instance(idA, { name: 'Web prod 1', metadata: { team: 'web', constructor: 'x' } }),
      loneContext,
    );
    await registry.registerInstance(
      instance(idB, { name: 'web-dev', metadata: { team: 'web' } }, 'docker'),
      loneContext,
    );
    await registry.registerInstance(
      instance(idC, { name: 'Größe_2', metadata: { team: 'db' } }, 'docker'),
      loneContext,
    );
    await registry.updateInstance(idC, seen('running'));
    return registry;
  }

  test('by provider and status', async () => {
    const registry = await filled();
    expect(ids(registry.listInstances())).toEqual([idA, idB, idC]);
    expect(ids(registry.listInstances('docker'))).toEqual([idB, idC]);
    expect(ids(registry.listInstances('docker', 'running'))).toEqual([idC]);
    expect(ids(registry.listInstances(undefined, 'creating'))).toEqual([idA, idB]);
    expect([registry.getInstanceCount(), registry.getInstanceCount('local'), registry.getInstanceCount('ssh')]).toEqual(
      [3, 1, 0],
    );
    expect(registry.fileOf(idA)).toBe(`memory:/${idA}.json`);
  });

  test.each([
    ['web*', [idA, idB]],
    ['WEB PROD ?', [idA]],
    ['*[12]', []],
    ['{web-dev,größe*}', []],
    ['*e?-*', [idB]],
    ['*', [idA, idB, idC]],
    ['web', []],
    ['(web-dev)', []],
    ['w+eb-dev', []],
    ['!web*', []],
    ['[', []],
    ['\\', []],
  ])('by the name pattern %j', async (pattern, expected) => {
    expect(ids((await filled()).findInstancesByName(pattern))).toEqual(expected);
  });

  test('an empty name pattern is refused, and one that looks like a name finds it', async () => {
    const { registry } = openWindow();
    await registry.registerInstance(instance(idA, { name: 'a'.repeat(60) }), loneContext);
    expect(() => registry.findInstancesByName('')).toThrow(expect.objectContaining({ code: 'invalid-input' }));
    expect(registry.findInstancesByName('*a*a*a*a*a*b')).toEqual([]);
    expect(ids(registry.findInstancesByName('\u0430*A'))).toEqual([idA]);
  });

  test('by metadata', async () => {
    const registry = await filled();
    expect(ids(registry.findInstancesByMetadata('team', 'web'))).toEqual([idA, idB]);
    expect(ids(registry.findInstancesByMetadata('constructor', 'x'))).toEqual([idA]);
    expect(registry.findInstancesByMetadata('team', 'Web')).toEqual([]);
    expect(registry.findInstancesByMetadata('toString', 'x')).toEqual([]);
  });
});
