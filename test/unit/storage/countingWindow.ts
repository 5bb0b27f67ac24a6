// Counts records up as often as it is told, all of them at the same time.
import { SwarmError } from '../../../src/model/errors.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { Counter, increment } from './counter.ts';

const [directory = '', ids = '', times = ''] = process.argv.slice(2);
const store = new JsonFileStore(directory, Counter, 1);
/** Whoever stood still for long has lost the lock, and nothing was written: it is done again. */
const countOnce = async (id: string): Promise<void> => {
  try {
    await store.update(id, increment(id));
  } catch (error) {
    if (!(error instanceof SwarmError && error.code === 'lock-lost')) throw error;
    await countOnce(id);
  }
};
const count = async (id: string) => {
  for (let done = 0; done < Number(times); done += 1) await countOnce(id);
};
await Promise.all(ids.split(',').map(count));
