// A window of its own in a process: node window.ts <directory> <provider as JSON> <kill at> <act> [<instance id>]
// Runs one act on that provider and ends itself with SIGKILL at the n-th boundary (0: never). A boundary lies before
// and after each write of a record, before and after each call of the provider, and at each step that a call reports.
import { globalAgent } from 'node:http';
import * as path from 'node:path';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { ProviderConfig } from '../../src/model/config.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { diskController } from './diskController.ts';

const [directory = '', provider = '', killAt = '0', act = '', instanceId = ''] = process.argv.slice(2);

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

const methods = ['createInstance', 'trashInstance', 'deleteInstance', 'restoreInstance'];
const root = path.resolve(import.meta.dirname, '..', '..');
const config = ProviderConfig.parse(JSON.parse(provider));
const made = await ProviderFactory.createProvider(config.type, config, {
  localDirectory: directory,
  launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
  editorServerDirectory: path.join(root, '.runtime', 'editor-server'),
  machine: testMachine,
  readSecret: async () => undefined,
});
const place = bounded(made, methods);
const controller = await diskController(path.join(directory, 'state'), new ProviderDirectory([place]), store =>
  bounded(store, ['update']),
);
const ctx = { signal: AbortSignal.timeout(60_000), report: boundary };

await controller.registry.load();
if (act === 'create') await controller.createInstance({ name: 'one' }, place.id, ctx);
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
await controller.dispose();
const leftOpen = Object.values(globalAgent.sockets).flat().length;
console.log(JSON.stringify({ rows, leftOpen }));
