// Counts a record up as often as it is told.
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { Counter, increment } from './counter.ts';

const [directory = '', id = '', times = ''] = process.argv.slice(2);
const store = new JsonFileStore(directory, Counter, 1);
for (let done = 0; done < Number(times); done += 1) await store.update(id, increment(id));
