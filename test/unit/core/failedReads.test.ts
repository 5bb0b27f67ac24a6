import { describe, expect, test } from 'vitest';
import { InstanceRegistry } from '../../../src/core/instanceRegistry.ts';
import { stateUnavailable } from '../../../src/model/errors.ts';
import { InstanceRecord } from '../../../src/model/instance.ts';
import { MemoryDisk, MemoryStore } from '../../fakes/memoryStore.ts';
import { MemoryLock, memorySwarm } from '../../fakes/memorySwarm.ts';

/** A window's disk of which no word of others comes, and of which the next reads fail. */
class FailingDisk extends MemoryDisk {
  failures = 0;
  override readonly records: Map<string, string>;

  constructor({ records }: MemoryDisk) {
    super();
    const mayRead = () => {
      if (this.failures-- > 0) throw stateUnavailable('/state/instances', new Error('EMFILE: too many open files'));
    };
    this.records = new Proxy(records, {
      get: (target, name) => {
        if (name === 'get') mayRead();
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }
}

async function twoWindows() {
  const locks = new MemoryLock();
  const { controller: other, disk, place } = memorySwarm({ locks });
  await other.initialize();
  const { id } = await other.createInstance({ name: 'work' });
  await other.deleteInstance(id);
  const failing = new FailingDisk(disk);
  const { controller } = memorySwarm({ disk: failing, place, locks });
  await controller.registry.load();
  await other.restoreInstance(id);
  return { controller, other, failing, place, id };
}

describe('where a record cannot be read', () => {
  test.each([
    ['purged', 'purgeInstance'],
    ['moved to the trash', 'deleteInstance'],
    ['restored', 'restoreInstance'],
    ['started', 'startInstance'],
  ] as const)('what this window last knew in the trash, and another one has restored, is not %s', async (_, act) => {
    const { controller, failing, place, id } = await twoWindows();
    // As often as it is looked at before something is written.
    failing.failures = act === 'startInstance' || act === 'restoreInstance' ? 1 : 2;
    await expect(controller[act](id)).rejects.toMatchObject({ code: 'state-unavailable' });
    failing.failures = 0;
    expect(place.instances.get(id)).toMatchObject({ role: 'owner', running: false });
    expect(place.destroyed).toEqual([]);
  });

  test('a registry does not answer from memory', async () => {
    const disk = new FailingDisk(new MemoryDisk());
    const registry = new InstanceRegistry(new MemoryStore(InstanceRecord, disk), () => 3600);
    disk.failures = 2;
    await expect(registry.readInstance('abcdefabcdef')).rejects.toMatchObject({ code: 'state-unavailable' });
    await expect(registry.findInstance('abcdefabcdef')).rejects.toMatchObject({ code: 'state-unavailable' });
  });
});
