import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import type { HomeCarrier } from '../../src/core/migration/homeCarrier.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');
const run = promisify(execFile);

/** Instances in `<scratch>/<id>`. */
export async function localProvider(scratch: string, id: string): Promise<GuardedProvider> {
  const installed = await installEditorServer(editorServerDirectory);
  const server = installed.kind === 'node' ? { server: installed.serverMain } : {};
  const directory = path.join(scratch, id);
  return new GuardedProvider(
    new LocalProvider(
      { id, type: 'local', directory, ...server },
      {
        localDirectory: directory,
        launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
        editorServerDirectory,
        readSecret: async () => undefined,
      },
    ),
  );
}

/** The tools of the system, between two folders below `scratch`. */
export const systemTools = (scratch: string): HomeCarrier => ({
  reaches: () => true,
  look: async ({ id }, instanceId) => {
    const script = [
      `cd ${scratch}/${id}/${instanceId}--*/home`,
      "find . -printf '%p %y %m %T@ %l\\n' | sort",
      'find . -type f -print0 | sort -z | xargs -0 sha256sum',
    ].join(' && ');
    const { stdout } = await run('/bin/sh', ['-c', `{ ${script}; } | sha256sum`]);
    return { digest: stdout.slice(0, 64), bytes: 1, files: 1 };
  },
  copy: async (source, target, instanceId) => {
    const [from, to] = [source, target].map(({ id }) => `${scratch}/${id}/${instanceId}--*/home`);
    await run('/bin/sh', ['-c', `set -- ${to} && find "$1" -mindepth 1 -delete && cp -a ${from}/. "$1"`]);
    return { bytes: 1, files: 1 };
  },
});
