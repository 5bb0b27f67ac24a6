// Stops itself in the middle of an update, as a laptop does that is closed, and says how the update ended.
import { writeSync } from 'node:fs';
import { SwarmError } from '../../../src/model/errors.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { Counter, counter } from './counter.ts';

const [directory = '', id = ''] = process.argv.slice(2);
const store = new JsonFileStore(directory, Counter, 1);
try {
  await store.update(id, () => {
    writeSync(1, 'stopping\n');
    process.kill(process.pid, 'SIGSTOP');
    return { ...counter(id), note: 'of the one that slept' };
  });
  writeSync(1, 'written\n');
} catch (error) {
  writeSync(1, `${error instanceof SwarmError ? error.code : error}\n`);
}
