// Stops itself in the middle of an update, as a laptop does that is closed, and says how the update ended: when the
// record was read, or when the next one was flushed to the disk, right before it takes the place of the other.
import { writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { SwarmError } from '../../../src/model/errors.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { Counter, counter } from './counter.ts';

const [directory = '', id = '', when = ''] = process.argv.slice(2);
const store = new JsonFileStore(directory, Counter, 1);

function sleep(): void {
  writeSync(1, 'stopping\n');
  process.kill(process.pid, 'SIGSTOP');
}

if (when === 'flushed') {
  const handle = await open(import.meta.filename);
  const handles = Object.getPrototypeOf(handle);
  const { sync } = handles;
  handles.sync = async function () {
    handles.sync = sync;
    await sync.call(this);
    sleep();
  };
  await handle.close();
}
try {
  await store.update(id, () => {
    if (when === 'read') sleep();
    return { ...counter(id), note: 'of the one that slept' };
  });
  writeSync(1, 'written\n');
} catch (error) {
  writeSync(1, `${error instanceof SwarmError ? error.code : error}\n`);
}
