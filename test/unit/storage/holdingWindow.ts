// Holds a lock until it is killed.
import { writeSync } from 'node:fs';
import { quietContext } from '../../../src/model/operationContext.ts';
import { FileLock } from '../../../src/storage/fileLock.ts';

const [directory = '', key = ''] = process.argv.slice(2);
await new FileLock(directory).run(key, quietContext, async () => {
  writeSync(1, 'held\n');
  await new Promise(resolve => setTimeout(resolve, 60_000));
});
