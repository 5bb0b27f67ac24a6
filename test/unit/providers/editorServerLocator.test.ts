import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { editorServerVersion } from '../../../src/providers/editorServer.ts';
import { ownPlatform } from '../../../src/providers/editorServerInstaller.ts';
import { locateEditorServer } from '../../../src/providers/local/editorServerLocator.ts';

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), 'remote-swarm-locator-')));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (...parts: string[]) => path.join(root, ...parts);
async function file(name: string, text = '#!/bin/sh\n', mode = 0o755): Promise<string> {
  await mkdir(path.dirname(at(name)), { recursive: true });
  await writeFile(at(name), text);
  await chmod(at(name), mode);
  return at(name);
}
async function link(name: string, target: string): Promise<void> {
  await mkdir(path.dirname(at(name)), { recursive: true });
  await symlink(target, at(name));
}
const main = (name: string) => file(name, '', 0o644);
const locate = (searchPath: string[], configured?: string) =>
  locateEditorServer({
    providerId: 'here',
    configured,
    searchPath: searchPath.map(folder => at(folder)).join(path.delimiter),
    installDirectory: at('installed'),
  });

describe('the editor server of this machine', () => {
  test('code-server as an npm package runs on the node of the PATH', async () => {
    const serverMain = await main('lib/node_modules/code-server/lib/vscode/out/server-main.js');
    await link(
      'bin/code-server',
      await file('lib/node_modules/code-server/out/node/entry.js', '#!/usr/bin/env node\n'),
    );
    const node = await file('bin/node');
    expect(await locate(['bin'])).toEqual({ kind: 'node', node, serverMain });
  });

  test('code-server as a standalone release brings its node', async () => {
    const serverMain = await main('opt/cs/lib/vscode/out/server-main.js');
    const node = await file('opt/cs/lib/node');
    await link('bin/code-server', await file('opt/cs/bin/code-server'));
    expect(await locate(['bin'])).toEqual({ kind: 'node', node, serverMain });
  });

  test.each([
    ['lib', (command: string) => command.replace(/[^\w/.-]/g, '\\$&')],
    ['Büro [1] & Co.', (command: string) => command.replace(/[^\w/.-]/g, '\\$&')],
    ['Büro [1] & Co.', (command: string) => `"${command}"`],
    ["Ann's", (command: string) => `"${command}"`],
    ['the "big" $1 `one`', (command: string) => `"${command.replace(/["$`]/g, '\\$&')}"`],
    ['the "big" $1 `one`', (command: string) => `'${command}'`],
  ])('code-server as a system package in %j is found behind its wrapper script', async (name, word) => {
    const serverMain = await main(`usr/${name}/code-server/lib/vscode/out/server-main.js`);
    const node = await file(`usr/${name}/code-server/lib/node`);
    const command = await file(`usr/${name}/code-server/bin/code-server`);
    await file('usr/bin/code-server', `#!/usr/bin/env sh\nexec ${word(command)} "$@"\n`);
    expect(await locate(['usr/bin'])).toEqual({ kind: 'node', node, serverMain });
  });

  test('code-server behind a script that names node and entry is run with that node', async () => {
    const serverMain = await main('cellar/libexec/lib/vscode/out/server-main.js');
    const entry = await file('cellar/libexec/out/node/entry.js');
    const node = await file('opt/node/bin/node');
    await file('bin/code-server', `#!/bin/bash\nexec "${node}" "${entry}" "$@"\n`);
    expect(await locate(['bin'])).toEqual({ kind: 'node', node, serverMain });
  });

  test('openvscode-server brings its node', async () => {
    const serverMain = await main('opt/ovs/out/server-main.js');
    const node = await file('opt/ovs/node');
    await link('bin/openvscode-server', await file('opt/ovs/bin/openvscode-server'));
    expect(await locate(['bin'])).toEqual({ kind: 'node', node, serverMain });
  });

  test('code on the PATH serves nothing unless it is named: with it, what everybody has there, nothing was tried', async () => {
    const code = await file('first/code');
    await expect(locate(['first'])).rejects.toMatchObject({ code: 'editor-server-missing' });
    expect(await locate([], code)).toEqual({ kind: 'serve-web', file: code });
    const serverMain = await main('opt/cs/lib/vscode/out/server-main.js');
    const node = await file('opt/cs/lib/node');
    await link('second/code-server', await file('opt/cs/bin/code-server'));
    expect(await locate(['first', 'second'])).toEqual({ kind: 'node', node, serverMain });
  });

  test('the commands of a remote window, which only talk to it, are passed over', async () => {
    await file('server/bin/remote-cli/code');
    await file('server/bin/remote-cli/code-server');
    await expect(locate(['server/bin/remote-cli'])).rejects.toMatchObject({ code: 'editor-server-missing' });
  });

  test('a file that is not executable, and a code-server without its parts, are passed over', async () => {
    await file('bin/code', '', 0o644);
    await file('bin/code-server');
    await expect(locate(['bin'])).rejects.toMatchObject({ code: 'editor-server-missing' });
  });

  test('the installed one is the first choice', async () => {
    const modules = `installed/code-server-${editorServerVersion}/node_modules`;
    const package_ = { darwin: `node-${process.arch === 'arm64' ? 'bin-' : ''}darwin` }[process.platform as string];
    const node = await file(`${modules}/${package_ ?? 'node-linux'}-${process.arch}/bin/node`);
    const serverMain = await main(`${modules}/code-server/lib/vscode/out/server-main.js`);
    await expect(locate(['bin'])).rejects.toMatchObject({ code: 'editor-server-missing' });
    await file(
      `installed/code-server-${editorServerVersion}/installed.json`,
      JSON.stringify({ version: editorServerVersion, platform: ownPlatform }),
    );
    const other = await main('opt/ovs/out/server-main.js');
    await file('opt/ovs/node');
    await link('bin/openvscode-server', await file('opt/ovs/bin/openvscode-server'));
    expect(await locate(['bin'])).toEqual({ kind: 'node', node, serverMain });
    expect(await locate(['bin'], at('bin/openvscode-server'))).toMatchObject({ serverMain: other });
  });

  test('with none the error offers to install', async () => {
    const error = await locate([]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'editor-server-missing', hint: expect.stringContaining('Install') });
  });

  test.each(['server-main.js', 'command', 'code'])(
    'a configured %s is taken, and the PATH is not looked at',
    async form => {
      const serverMain = await main('opt/ovs/out/server-main.js');
      const node = await file('opt/ovs/node');
      const command = await file('opt/ovs/bin/openvscode-server');
      const code = await file('opt/vscode/bin/code');
      await file('bin/code');
      const configured = { 'server-main.js': serverMain, command, code }[form];
      const expected = form === 'code' ? { kind: 'serve-web', file: code } : { kind: 'node', node, serverMain };
      expect(await locate(['bin'], configured)).toEqual(expected);
    },
  );

  test('a configured file that is no editor server is refused by name', async () => {
    await file('bin/code');
    const configured = await file('somewhere/vim');
    const error = await locate(['bin'], configured).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'editor-server-invalid', message: expect.stringContaining(configured) });
    await expect(locate(['bin'], at('nowhere'))).rejects.toMatchObject({ code: 'editor-server-invalid' });
  });
});
