// A window in a process: node mortalWindow.ts <scene as JSON>
// Says "ready", reads a line `<migration id> [<boundary>]`, says "began" and carries that migration out. It ends itself
// with SIGKILL at the boundary: `<step> begun` when that is on disk, `<step> done` right before it would be.
import { createInterface } from 'node:readline/promises';
import type { Migration } from '../../../src/model/migration.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import type { RecordStore } from '../../../src/model/stateStore.ts';
import { type MovingScene, windowOn } from './movingScene.ts';

let last: string | undefined;

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

/** Ends this process around the write that takes a step to its boundary. */
const mortal = (store: RecordStore<Migration>): RecordStore<Migration> => ({
  load: () => store.load(),
  read: id => store.read(id),
  watch: changed => store.watch(changed),
  fileOf: id => store.fileOf(id),
  update: async (id, change) => {
    let reached: string | undefined;
    const written = await store.update(id, current => {
      const next = change(current);
      const state = next?.steps.find(({ status }, index) => status !== current?.steps[index]?.status);
      reached = state && `${state.step} ${state.status === 'running' ? 'begun' : state.status}`;
      if (reached !== undefined && reached === last && !reached.endsWith('begun')) die();
      return next;
    });
    return reached !== undefined && reached === last ? die() : written;
  },
});

const controller = await windowOn(JSON.parse(process.argv[2] ?? '') as MovingScene, mortal);
for (const { id } of controller.providers.all()) await controller.providers.reach(id, quietContext);
console.log('ready');
const { value: line } = await createInterface(process.stdin)[Symbol.asyncIterator]().next();
const [migrationId = '', ...boundary] = String(line).split(' ');
last = boundary.length > 0 ? boundary.join(' ') : undefined;
await controller.registry.load();
await controller.migrations.load();
console.log('began');
await controller.migrations.startMigration(migrationId);
await controller.dispose();
process.exit(0);
