import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { MemoryPlace } from '../fakes/memoryPlace.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';
import { describeProviderContract } from './providerContract.ts';

describeProviderContract('the in-memory provider', async () => {
  const homes = await mkdtemp(path.join(tmpdir(), 'remote-swarm-memory-'));
  const place = new MemoryPlace({ homes });
  return {
    makeProvider: async () => new MemoryProvider(place, { images: false, limits: false }),
    world: {
      exists: async id =>
        place.instances.has(id) ||
        (await access(path.join(homes, id)).then(
          () => true,
          () => false,
        )),
      readHome: (id, file) => readFile(path.join(homes, id, file), 'utf8').catch(() => undefined),
      publicText: async id => {
        const { identity, config } = place.instances.get(id) ?? {};
        return JSON.stringify({ identity, config });
      },
      plantForeign: async () => {
        const file = path.join(homes, 'abcdefabcdef', 'file');
        await mkdir(path.dirname(file));
        await writeFile(file, 'foreign');
        return async () => (await readFile(file, 'utf8').catch(() => '')) === 'foreign';
      },
      writeLog: async (id, line) => {
        const instance = place.instances.get(id);
        if (instance) place.say(instance, line);
      },
    },
    cleanup: async () => {
      await place.dispose();
      await rm(homes, { recursive: true, force: true });
    },
  };
}, ['terminal', 'listPorts']);
