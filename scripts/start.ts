// `npm start`: builds the extension and opens a real VS Code with it, until Ctrl-C.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { messageOf } from '../src/model/errors.ts';
import type { OperationContext } from '../src/model/operationContext.ts';
import { findCommand } from '../src/providers/findCommand.ts';
import { buildExtension } from './build.ts';
import {
  demoFolder,
  demoSettings,
  endProcess,
  hostLayout,
  installExtension,
  prepareHost,
  projectRoot,
  startEditorHost,
  writeSettings,
} from './editorHost.ts';

const workbench = path.join(projectRoot, '.runtime', 'workbench');
const addressFile = path.join(workbench, 'address.json');
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const ctx: OperationContext = { signal: stop.signal, report: message => console.log(`${message}…`) };
const stopped = new Promise<void>(resolve => stop.signal.addEventListener('abort', () => resolve()));

try {
  console.log('Building the extension…');
  await buildExtension(false);
  await mkdir(demoFolder, { recursive: true });
  const code = await desktopCode();
  await (code === undefined ? openInBrowser() : openOnDesktop(code));
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

/** `code` of a desktop VS Code that can open a window here; the one inside a remote window's terminal can't. */
async function desktopCode(): Promise<string | undefined> {
  const hasScreen = process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
  const isRoot = process.getuid?.() === 0;
  return hasScreen && !isRoot && !process.env.VSCODE_IPC_HOOK_CLI ? findCommand('code') : undefined;
}

async function openOnDesktop(code: string): Promise<void> {
  console.log('Opening VS Code. Close its window, or press Ctrl-C here, to end.');
  const args = ['--new-window', '--wait', '--disable-workspace-trust', `--extensionDevelopmentPath=${projectRoot}`];
  const child = spawn(code, [...args, demoFolder], { stdio: 'inherit' });
  await Promise.race([stopped, new Promise(resolve => child.once('exit', resolve))]);
  await endProcess(child);
}

async function openInBrowser(): Promise<void> {
  const directory = path.join(workbench, 'host');
  await prepareHost(directory);
  await installExtension(directory);
  if (!existsSync(hostLayout(directory).settings)) {
    await writeSettings(directory, demoSettings);
  }
  const { port, token } = await lastAddress();
  const start = (port: number) =>
    startEditorHost({ directory, folder: demoFolder, token, port, env: process.env }, ctx);
  const host = await start(port).catch(error => {
    if (port === 0 || stop.signal.aborted) throw error;
    return start(0); // Something else has taken the port of last time.
  });
  await writeFile(addressFile, JSON.stringify({ port: host.port, token }), { mode: 0o600 });
  console.log(
    `\nVS Code with Remote Swarm is open at\n\n  ${host.url}\n\nPress Ctrl-C to end. Instances go on running.`,
  );
  const ended = new Promise<void>(resolve => host.process.once('exit', () => resolve()));
  await Promise.race([stopped, ended]);
  await endProcess(host.process);
  if (!stop.signal.aborted) throw new Error('The editor server has ended.');
}

/** The port and token of last time: a browser keeps its state by them. */
async function lastAddress(): Promise<{ port: number; token: string }> {
  try {
    return JSON.parse(await readFile(addressFile, 'utf8'));
  } catch {
    return { port: 0, token: randomBytes(16).toString('hex') };
  }
}
