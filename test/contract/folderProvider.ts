import * as path from 'node:path';
import type { HomeTask } from '../../src/model/provider.ts';
import { spawnHome } from '../../src/providers/spawnHome.ts';
import { MemoryProvider } from '../fakes/memoryProvider.ts';

const program = path.resolve(import.meta.dirname, '../../media/instance/home.mjs');

/** Homes are folders here, called as their instances are. */
export class FolderProvider extends MemoryProvider {
  constructor(folder: string) {
    super();
    Object.assign(this.abilities, {
      openHome: async (id: string, task: HomeTask) => spawnHome(id, this.id, program, path.join(folder, id), task),
    });
  }
}
