import * as path from 'node:path';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { type LoneProvider, loneProvider } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');

/** Instances in `<scratch>/<id>`. */
export async function localProvider(scratch: string, id: string): Promise<LoneProvider> {
  const installed = await installEditorServer(editorServerDirectory);
  const server = installed.kind === 'node' ? { server: installed.serverMain } : {};
  const directory = path.join(scratch, id);
  const provider = new GuardedProvider(
    new LocalProvider(
      { id, type: 'local', directory, ...server },
      {
        localDirectory: directory,
        launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
        editorServerDirectory,
        machine: testMachine,
        readSecret: async () => undefined,
      },
    ),
  );
  return loneProvider(provider);
}
