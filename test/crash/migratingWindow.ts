// A window in a process: node migratingWindow.ts <scratch> <migration id> <kill at>
// Carries the migration out and ends itself with SIGKILL at the n-th moment: before and after each call of a provider,
// each work on a home, and each write of the registry.
import * as path from 'node:path';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const [scratch = '', migrationId = '', killAt = '0'] = process.argv.slice(2);

let moments = 0;
function moment(): void {
  moments += 1;
  if (moments === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

function watched<T extends object>(target: T, methods: readonly string[]): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key, object);
      if (key === 'abilities') return watched(value as object, methods);
      if (typeof value !== 'function' || !methods.includes(String(key))) {
        return typeof value === 'function' ? value.bind(object) : value;
      }
      return async (...args: unknown[]) => {
        moment();
        const result: unknown = await value.apply(object, args);
        moment();
        return result;
      };
    },
  });
}

const calls = ['stopInstance', 'startInstance', 'prepareIncoming', 'setRole', 'deleteInstance'];
const providers = [await localProvider(scratch, 'here'), await localProvider(scratch, 'there')];
const controller = await diskController(
  path.join(scratch, 'state'),
  new ProviderDirectory(providers.map(provider => watched(provider, calls))),
  store => watched(store, ['update']),
  {},
  watched(new StreamCarrier(), ['look', 'copy']),
);
await controller.registry.load();
await controller.migrations.load();
await controller.migrations.startMigration(migrationId);
await controller.dispose();
