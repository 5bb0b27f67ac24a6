import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { installEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import type { ProviderEnvironment } from '../../../src/providers/providerEnvironment.ts';
import { SshProvider } from '../../../src/providers/ssh/sshProvider.ts';
import { loneProvider } from '../../fakes/loneProvider.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import { type SshHost, startSshHost } from './sshHost.ts';

const root = path.resolve(import.meta.dirname, '../../..');

export const sshEnvironment: ProviderEnvironment = {
  localDirectory: '/nonexistent',
  launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
  editorServerDirectory: path.join(root, '.runtime', 'editor-server'),
  machine: testMachine,
  readSecret: async () => undefined,
};

/** What providers bring to a host, made ready on this machine, beside the extension that is built. */
export async function prepareForSsh(): Promise<void> {
  await installEditorServer(sshEnvironment.editorServerDirectory);
}

/** A host to which the editor server was brought before. Its homes lie in memory, so that no other disk's work counts. */
export async function startPreparedHost(name: string): Promise<SshHost> {
  const server = await installEditorServer(sshEnvironment.editorServerDirectory);
  return startSshHost(name, { diskMb: 1_000, editorServer: path.resolve(server.serverMain, ...Array(6).fill('..')) });
}

/** A guarded provider of the host, as from the settings. `ssh` is the one that is first on the PATH. */
export const sshProvider = (host: SshHost, id = host.name) =>
  loneProvider(new GuardedProvider(new SshProvider({ id, type: 'ssh', host: host.name }, sshEnvironment)));

/** Runs with the host's own `ssh` first on the PATH. */
export function useSsh(folder: string): () => void {
  const before = process.env.PATH;
  process.env.PATH = `${folder}${path.delimiter}${before ?? ''}`;
  return () => {
    process.env.PATH = before;
  };
}

/** The same for several hosts at once. */
export function useHosts(hosts: readonly SshHost[], scratch: string): () => void {
  const config = path.join(scratch, 'ssh.config');
  writeFileSync(config, hosts.map(host => `Include ${host.config}\nMatch all\n`).join(''));
  writeFileSync(path.join(scratch, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${config} "$@"\n`, { mode: 0o755 });
  return useSsh(scratch);
}
