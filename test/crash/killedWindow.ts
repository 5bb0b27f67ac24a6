// A window in a process: node killedWindow.ts <scratch> <state> <scene> <told> <dies at>
// Carries a scene of the kill matrix out on this machine, and ends itself with SIGKILL right before the n-th change that
// it makes: to a file, or at a provider. Says which changes it has made when it comes to its end.
import * as path from 'node:path';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { MortalLife, makeFilesMortal } from '../unit/core/kills/mortalLife.ts';
import { deeds } from './deeds.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const [scratch = '', state = '', name = '', told = '', diesAt = '0'] = process.argv.slice(2);
const life = new MortalLife(Number(diesAt), () => process.kill(process.pid, 'SIGKILL'));

const changing: readonly string[] = [
  ...['createInstance', 'startInstance', 'stopInstance', 'deleteInstance', 'trashInstance', 'restoreInstance'],
  ...['prepareIncoming', 'setRole', 'transfer', 'openHome'],
];

function reached<T extends object>(target: T): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key, object);
      if (key === 'abilities') return reached(value as object);
      if (typeof value !== 'function') return value;
      if (!changing.includes(String(key))) return value.bind(object);
      return async (...args: unknown[]) => {
        await life.moment(String(key));
        return value.apply(object, args);
      };
    },
  });
}

makeFilesMortal();
await life.run(async () => {
  const providers = await Promise.all(['here', 'there'].map(async id => reached(await localProvider(scratch, id))));
  const directory = new ProviderDirectory(providers);
  const controller = await diskController(path.join(scratch, state), directory, undefined, {}, new StreamCarrier());
  await controller.registry.load();
  await controller.migrations.load();
  await controller.snapshots.load();
  await controller.refresh();
  await life.act(() => deeds[name]?.act(controller, told) ?? Promise.reject(new Error(`There is no "${name}".`)));
  await controller.dispose();
});
console.log(JSON.stringify(life.changes));
