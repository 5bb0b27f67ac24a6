import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { access, constants, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { OperationContext } from '../src/model/operationContext.ts';
import { listeningPort } from '../src/providers/editorServer.ts';
import { installEditorServer } from '../src/providers/editorServerInstaller.ts';

/** The root of the project. */
export const projectRoot = path.resolve(import.meta.dirname, '..');

/** A folder of the checkout, made; of somebody to whom that does not belong, one of their temporary folder. */
export async function writableFolder(...names: readonly string[]): Promise<string> {
  const isOurs = await access(projectRoot, constants.W_OK).then(
    () => true,
    () => false,
  );
  const folder = path.join(isOurs ? projectRoot : path.join(os.tmpdir(), 'remote-swarm-checkout'), ...names);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Where the editor server that hosts the extension is installed, once for all runs. */
export const editorServerDirectory = path.join(projectRoot, '.runtime', 'editor-server');

/** The folder that `npm start` opens, empty: not in the checkout, or the editor would ask about its repository. */
export const demoFolder = path.join(os.homedir(), '.cache', 'remote-swarm', 'demo');

/** What the profile of `npm start` begins with. Its folder is ours, so there is nobody to trust or not. */
export const demoSettings = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'security.workspace.trust.enabled': false,
  'git.openRepositoryInParentFolders': 'never',
};

/** What the VSIX holds, as far as an extension host reads it. */
const packaged = ['package.json', 'package.nls.json', 'package.nls.de.json', 'l10n', 'dist', 'media'];

/** Where an editor server keeps what: its profile, its extensions, our own storage. */
export function hostLayout(directory: string) {
  const user = path.join(directory, 'data', 'User');
  return {
    user,
    settings: path.join(user, 'settings.json'),
    extensions: path.join(directory, 'extensions'),
    /** The extension's own storage. */
    storage: path.join(user, 'globalStorage', 'remote-swarm.remote-swarm'),
  };
}

/** Makes the folders of a profile; the editor server that hosts is also the one that local instances are served with. */
export async function prepareHost(directory: string): Promise<void> {
  const { extensions, storage } = hostLayout(directory);
  for (const folder of [extensions, storage]) await mkdir(folder, { recursive: true });
  const link = path.join(storage, 'editor-server');
  await rm(link, { force: true });
  await symlink(editorServerDirectory, link);
}

/** Puts a copy of our extension where the host finds it, as a VSIX would. */
export async function installExtension(directory: string): Promise<void> {
  const target = path.join(hostLayout(directory).extensions, 'remote-swarm.remote-swarm-0.0.0');
  await rm(target, { recursive: true, force: true });
  for (const name of packaged) await cp(path.join(projectRoot, name), path.join(target, name), { recursive: true });
}

export async function writeSettings(directory: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const { user, settings: file } = hostLayout(directory);
  await mkdir(user, { recursive: true });
  await writeFile(file, JSON.stringify(settings, undefined, 2));
}

export interface EditorHostOptions {
  /** The profile, made by {@link prepareHost}. */
  readonly directory: string;
  /** The folder that is opened. */
  readonly folder: string;
  readonly token: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  /** Seconds for which an extension host outlives its window. */
  readonly graceSeconds?: number;
  /** Lets a page name an extension and a suite that its extension host shall run. */
  readonly smokeTestDriver?: boolean;
  onOutput?(text: string): void;
}

/** A running editor server. */
export interface EditorHost {
  readonly process: ChildProcess;
  readonly port: number;
  /** Opens the folder with nothing to type. */
  readonly url: string;
}

/** Starts a real VS Code server on this machine, loopback only. Resolves when it listens; rejects with what it said. */
export async function startEditorHost(options: EditorHostOptions, ctx?: OperationContext): Promise<EditorHost> {
  const { directory, folder, token, env, graceSeconds = 60 } = options;
  const server = await installEditorServer(editorServerDirectory, ctx);
  if (server.kind !== 'node') throw new Error('The installed editor server is not one that node runs.');
  const settings = {
    host: '127.0.0.1',
    port: options.port,
    'connection-token': token,
    'server-data-dir': directory,
    'default-folder': folder,
    'reconnection-grace-time': graceSeconds,
    'telemetry-level': 'off',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const redirect = path.join(import.meta.dirname, 'portRedirect.mjs');
  const flags = ['--accept-server-license-terms', ...(options.smokeTestDriver ? ['--enable-smoke-test-driver'] : [])];
  const child = spawn(server.node, ['--import', redirect, server.serverMain, ...flags, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const port = await new Promise<number>((resolve, reject) => {
    const listen = (text: string) => {
      output = (output + text).slice(-20_000);
      options.onOutput?.(text);
      const found = listeningPort(output);
      if (found !== undefined) resolve(found);
    };
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    child.on('error', reject);
    child.on('exit', code => reject(new Error(`The editor server ended with ${code}: ${output.slice(-2_000)}`)));
  });
  const url = `http://localhost:${port}/?tkn=${token}&folder=${encodeURIComponent(folder)}`;
  return { process: child, port, url };
}

/** Ends a child nicely, then at once. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
