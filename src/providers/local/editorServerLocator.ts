import { readFile, realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { editorServerInvalid, editorServerMissing } from '../../model/errors.ts';
import type { EditorServer } from '../editorServer.ts';
import { installedEditorServer, installedNode } from '../editorServerInstaller.ts';
import { findCommand, isExecutable, isFile } from '../findCommand.ts';

/** Where to look for an editor server. */
export interface ServerSearch {
  readonly providerId: string;
  /** What the settings name; nothing else is looked at then. */
  readonly configured?: string | undefined;
  readonly searchPath: string;
  /** Where `installEditorServer` puts its own. */
  readonly installDirectory: string;
}

/**
 * The editor server of this machine: what the settings name, which may be a `code` that serves, else the installed one,
 * with which everything was tried, else code-server or openvscode-server on the PATH. Rejects with
 * `editor-server-invalid` or `editor-server-missing`.
 */
export async function locateEditorServer(search: ServerSearch): Promise<EditorServer> {
  if (search.configured !== undefined) {
    const server = await serverBehind(search.configured, search.searchPath);
    if (!server) throw editorServerInvalid(search.providerId, search.configured);
    return server;
  }
  const installed = await installedEditorServer(search.installDirectory);
  if (installed) return installed;
  const searchPath = withoutRemoteClis(search.searchPath);
  for (const name of ['code-server', 'openvscode-server']) {
    const file = await findCommand(name, searchPath);
    const server = file && (await serverBehind(file, searchPath));
    if (server) return server;
  }
  throw editorServerMissing(search.providerId);
}

/**
 * Inside a remote window the PATH begins with a folder whose `code` and `code-server` only talk to that window; they
 * can't serve.
 */
const withoutRemoteClis = (searchPath: string) =>
  searchPath
    .split(path.delimiter)
    .filter(folder => path.basename(folder) !== 'remote-cli')
    .join(path.delimiter);

/** What the file or folder called `named` starts; undefined when it is no editor server that we know. */
async function serverBehind(named: string, searchPath: string): Promise<EditorServer | undefined> {
  const file = await realpath(named).catch(() => undefined);
  if (!file) return undefined;
  const layout = (await knownLayout(file, searchPath)) ?? (await wrappedLayout(file, searchPath));
  if (layout) return layout;
  return path.basename(named) === 'code' && (await isExecutable(file)) ? { kind: 'serve-web', file: named } : undefined;
}

/** Candidates of where node and server-main.js lie, as seen from the real path of the command. */
async function knownLayout(file: string, searchPath: string): Promise<EditorServer | undefined> {
  const above = (levels: number, ...rest: string[]) => path.join(file, ...Array(levels).fill('..'), ...rest);
  const pathNode = () => findCommand('node', searchPath);
  if (path.basename(file) === 'server-main.js') {
    return (
      (await nodeAndMain(above(2, 'node'), file)) ??
      (await nodeAndMain(installedNode(file), file)) ??
      nodeAndMain(await pathNode(), file)
    );
  }
  if (file.endsWith(path.join('out', 'node', 'entry.js'))) {
    const main = above(3, 'lib', 'vscode', 'out', 'server-main.js');
    return (await nodeAndMain(above(3, 'lib', 'node'), main)) ?? nodeAndMain(await pathNode(), main);
  }
  return (
    (await nodeAndMain(above(2, 'lib', 'node'), above(2, 'lib', 'vscode', 'out', 'server-main.js'))) ??
    (await nodeAndMain(above(2, 'node'), above(2, 'out', 'server-main.js')))
  );
}

/** A word of a shell script without anything to expand: in double quotes, in single ones, or with blanks escaped. */
const plainWord = /"((?:[^"\\$`]|\\.)*)"|'([^']*)'|((?:[^\s"'\\$`]|\\.)+)/g;

/** The absolute paths that a script names. */
const pathsIn = (script: string) =>
  [...script.matchAll(plainWord)]
    .map(([, double, single, bare]) => single ?? (double ?? bare ?? '').replace(/\\(.)/g, '$1'))
    .filter(word => word.startsWith('/'));

/** Packages of systems put a short script on the PATH that runs the real command by its absolute path. */
async function wrappedLayout(file: string, searchPath: string): Promise<EditorServer | undefined> {
  const size = await stat(file).then(
    found => found.size,
    () => Number.POSITIVE_INFINITY,
  );
  const script = size <= 4_096 ? await readFile(file, 'utf8').catch(() => '') : '';
  if (!script.startsWith('#!')) return undefined;
  const named = pathsIn(script.replace(/^.*/, ''));
  const node = named.find(word => path.basename(word) === 'node');
  for (const word of named.filter(word => /(?:code-server|openvscode-server|entry\.js)$/.test(word))) {
    const target = await realpath(word).catch(() => undefined);
    if (!target || target === file) continue;
    const main = path.join(target, '..', '..', '..', 'lib', 'vscode', 'out', 'server-main.js');
    const server = (await nodeAndMain(node, main)) ?? (await knownLayout(target, searchPath));
    if (server) return server;
  }
  return undefined;
}

async function nodeAndMain(node: string | undefined, serverMain: string): Promise<EditorServer | undefined> {
  const usable = node !== undefined && (await isExecutable(node)) && (await isFile(serverMain));
  return usable ? { kind: 'node', node, serverMain } : undefined;
}
