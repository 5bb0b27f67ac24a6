import { MemoryDisk, MemoryStore } from '../../fakes/memoryStore.ts';
import { Counter } from './counter.ts';
import { recordStoreSuite } from './recordStoreSuite.ts';

recordStoreSuite('MemoryStore', async () => {
  const disk = new MemoryDisk();
  return { one: new MemoryStore(Counter, disk), other: new MemoryStore(Counter, disk) };
});
