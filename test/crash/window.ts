// A window of its own in a process: node window.ts <directory> <kill at> <act> [<instance id>]
// Runs one act on a local provider and ends itself with SIGKILL at the n-th boundary (0: never). A boundary lies before
// and after each write of a record, before and after each call of the provider, and at each step that a call reports.
import * as path from 'node:path';
import { InstanceRegistry } from '../../src/core/instanceRegistry.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { SwarmController } from '../../src/core/swarmController.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { FileLock } from '../../src/storage/fileLock.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { MemoryVault } from '../fakes/memorySwarm.ts';

const [directory = '', killAt = '0', act = '', instanceId = ''] = process.argv.slice(2);
const root = path.resolve(import.meta.dirname, '..', '..');

let boundaries = 0;
function boundary(): void {
  boundaries++;
  if (boundaries === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

/** The same object, whose named methods have a boundary before and after each call. */
function bounded<T extends object>(target: T, methods: readonly string[]): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key, object);
      if (typeof value !== 'function') return key === 'abilities' ? bounded(value as object, methods) : value;
      const call = value.bind(object);
      if (!methods.includes(String(key))) return call;
      return async (...args: unknown[]) => {
        boundary();
        const result: unknown = await call(...args);
        boundary();
        return result;
      };
    },
  });
}

const state = path.join(directory, 'state');
const { swarmId } = await loadSwarmId(state);
const store = new JsonFileStore(path.join(state, 'instances'), InstanceRecord, 1);
const provider = await ProviderFactory.createProvider(
  'local',
  { id: 'local', type: 'local', directory: path.join(directory, 'instances') },
  {
    localDirectory: directory,
    launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
    editorServerDirectory: path.join(root, '.runtime', 'editor-server'),
    readSecret: async () => undefined,
  },
);
const controller = new SwarmController({
  swarmId,
  owner: { user: 'ada', machine: 'engine' },
  registry: new InstanceRegistry(bounded(store, ['update']), () => 1),
  providers: new ProviderDirectory([
    bounded(provider, ['createInstance', 'trashInstance', 'deleteInstance', 'restoreInstance']),
  ]),
  locks: new FileLock(path.join(state, 'locks')),
  vault: new MemoryVault(),
  sources: { packFolder: async function* () {}, gitCredential: async () => undefined },
  defaultProviderType: () => '',
  loadStateOnStartup: true,
});
const ctx = { signal: AbortSignal.timeout(60_000), report: boundary };

await controller.registry.load();
if (act === 'create') await controller.createInstance({ name: 'one' }, 'local', ctx);
if (act === 'delete') await controller.deleteInstance(instanceId, ctx);
if (act === 'purge') await controller.purgeInstance(instanceId, ctx);
if (act === 'settle') {
  const settled = () =>
    controller.listInstances().every(({ status }) => ['running', 'stopped', 'trashed', 'lost'].includes(status));
  do {
    await controller.refresh(ctx);
    await new Promise(resolve => setTimeout(resolve, 250));
  } while (!settled());
}
const rows = controller.listInstances().map(({ id, status, desired }) => ({ id, status, desired }));
console.log(JSON.stringify({ rows }));
await controller.dispose();
