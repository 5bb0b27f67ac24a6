import { spawn } from 'node:child_process';
import { access, appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import { instanceLayout } from '../../src/providers/editorServer.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { InstanceFolders } from '../../src/providers/local/instanceFolders.ts';
import { LinuxProcesses } from '../../src/providers/local/linuxProcesses.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { startServer } from '../../src/providers/local/serverProcess.ts';
import type { ProviderEnvironment } from '../../src/providers/providerEnvironment.ts';
import { loneProvider } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { describeProviderContract } from './providerContract.ts';
import { later, newSpec, testSwarmId } from './specs.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');

const environmentFor = (localDirectory: string): ProviderEnvironment => ({
  localDirectory,
  launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
  editorServerDirectory,
  machine: testMachine,
  readSecret: async () => undefined,
});

/** The search for a server looks at the PATH first; the suite wants the one that it installed itself. */
async function configFor(directory: string) {
  const installed = await installEditorServer(editorServerDirectory);
  return {
    id: 'local',
    type: 'local' as const,
    directory,
    ...(installed.kind === 'node' ? { server: installed.serverMain } : {}),
  };
}

const newDirectory = () => mkdtemp(path.join(tmpdir(), 'remote-swarm-local-'));

beforeAll(async () => {
  await installEditorServer(editorServerDirectory);
});

describeProviderContract('the local provider', async () => {
  const directory = await newDirectory();
  const config = await configFor(directory);
  const makeProvider = async () =>
    loneProvider(new GuardedProvider(new LocalProvider(config, environmentFor(directory))));
  const layouts = async (id: string) =>
    (await readdir(directory))
      .filter(name => name.startsWith(id))
      .map(name => instanceLayout(path.join(directory, name)));
  const crash = async (id: string) => {
    const [layout] = await layouts(id);
    const mark = JSON.parse(await readFile(path.join(layout?.reserved ?? '', 'process.json'), 'utf8'));
    process.kill(mark.pid, 'SIGKILL');
    await vi.waitFor(async () =>
      expect(await new LinuxProcesses(testMachine).startTime(mark.pid)).not.toBe(mark.startTime),
    );
  };
  const loseServer = async (id: string) => {
    const [layout] = await layouts(id);
    const mark = path.join(layout?.reserved ?? '', 'process.json');
    if (
      await access(mark).then(
        () => true,
        () => false,
      )
    )
      await crash(id);
    for (const file of ['process.json', 'exit.json', 'server.log', 'editor']) {
      await rm(path.join(layout?.reserved ?? '', file), { force: true });
    }
  };
  return {
    makeProvider,
    world: {
      exists: async id =>
        (await layouts(id)).length > 0 || (await processesNaming(path.join(directory, id))).length > 0,
      readHome: async (id, file) => {
        const [layout] = await layouts(id);
        return layout && (await readFile(path.join(layout.home, file), 'utf8').catch(() => undefined));
      },
      noteLater: async id => {
        const [layout] = await layouts(id);
        const file = layout?.record ?? '';
        const before = await readFile(file);
        await writeFile(file, later);
        return {
          isKept: async () => (await readFile(file, 'utf8')) === later,
          undo: () => writeFile(file, before),
        };
      },
      publicText: async id => {
        const [layout] = await layouts(id);
        const files = layout ? [layout.record, path.join(layout.reserved, 'server.log')] : [];
        const texts = await Promise.all(files.map(file => readFile(file, 'utf8')));
        return [...texts, ...(await processesNaming(path.join(directory, id)))].join('\n');
      },
      plantForeign: async () => {
        const files = ['abcdefabcdef--owner/home/file', '.hidden/file', 'notes.txt'].map(name =>
          path.join(directory, name),
        );
        for (const file of files) {
          await mkdir(path.dirname(file), { recursive: true });
          await writeFile(file, 'foreign');
        }
        return async () => {
          const texts = await Promise.all(files.map(file => readFile(file, 'utf8').catch(() => '')));
          return texts.every(text => text === 'foreign');
        };
      },
      writeLog: async (id, line) => {
        const [layout] = await layouts(id);
        if (layout) await appendFile(path.join(layout.reserved, 'server.log'), `${line}\n`);
      },
      crash,
      loseServer,
      loseHome: async id => {
        await loseServer(id);
        const [layout] = await layouts(id);
        if (layout) await rm(layout.home, { recursive: true });
      },
    },
    cleanup: async swarmId => {
      const provider = await makeProvider();
      for (const { id } of (await provider.abilities.observe()).filter(row => row.swarmId === swarmId)) {
        await provider.deleteInstance(id);
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe('a local instance and the window that made it', () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function ownDirectory(): Promise<string> {
    const directory = await newDirectory();
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  /** Runs a provider in a process of its own, which ends by SIGKILL when it reports `killAt`, or when it is done. */
  async function killedWindow(directory: string, spec: unknown, killAt: string): Promise<void> {
    const config = await configFor(directory);
    const argument = JSON.stringify([config, environmentFor(directory), spec, killAt]);
    const child = spawn(process.execPath, [path.join(import.meta.dirname, 'dyingWindow.ts'), argument], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const signal = await new Promise(resolve => child.on('exit', (_, name) => resolve(name)));
    expect(signal, errors).toBe('SIGKILL');
  }

  async function freshProvider(directory: string): Promise<LocalProvider> {
    const provider = new LocalProvider(await configFor(directory), environmentFor(directory));
    await provider.initialize();
    cleanups.push(async () => {
      for (const { id } of await provider.abilities.observe()) await provider.deleteInstance(id);
    });
    return provider;
  }

  test('it survives the kill of its window, and a new window finds, uses and stops it', async () => {
    const directory = await ownDirectory();
    const spec = newSpec(testSwarmId(), {}, {});
    const { id } = spec.identity;
    await killedWindow(directory, spec, 'never');
    const provider = await freshProvider(directory);
    const found = await provider.getInstance(id);
    expect(found).toMatchObject({ id, status: 'running' });
    expect((await fetch(`http://127.0.0.1:${found?.port}/version`)).status).toBe(200);
    expect((await provider.executeCommand(id, 'echo alive')).stdout).toBe('alive\n');
    expect(await provider.stopInstance(id)).toMatchObject({ status: 'stopped' });
    expect(await processesNaming(path.join(directory, id))).toEqual([]);
  });

  test.each([
    'Making the home of the instance',
    'Starting the editor server',
    'Waiting for the editor server to answer',
  ])('killed at "%s", a repeated create ends with one running instance', async killAt => {
    const directory = await ownDirectory();
    const spec = newSpec(testSwarmId(), {}, {});
    const { id } = spec.identity;
    await killedWindow(directory, spec, killAt);
    const provider = await freshProvider(directory);
    expect(await provider.createInstance(spec)).toMatchObject({ id, status: 'running' });
    const servers = (await processesNaming(path.join(directory, id))).filter(line => line.includes('--port'));
    expect(servers).toHaveLength(1);
    expect((await readdir(directory)).filter(name => !name.startsWith(id))).toEqual([]);
  });

  test('a server whose mark is not on the disk does not run', async () => {
    const directory = await ownDirectory();
    const processes = new LinuxProcesses(testMachine);
    const { layout } = await new InstanceFolders(directory, processes).make(newSpec(testSwarmId()));
    const server = path.join(directory, 'server');
    const traces = path.join(directory, 'traces');
    await writeFile(server, `#!/bin/sh\necho ran > ${traces}\n`, { mode: 0o755 });
    const plan = async () => ({
      server: { kind: 'serve-web' as const, file: server },
      launcher: '',
      env: {},
      ended: () => {},
    });
    const blind = {
      machine: testMachine,
      rows: () => processes.rows(),
      hasVariable: async () => false,
      startTime: () => Promise.reject(new Error('killed here')),
    };
    await expect(startServer(blind, 'abcdefabcdef', layout, 'x'.repeat(32), plan, quietContext)).rejects.toThrow(
      'killed here',
    );
    await vi.waitFor(async () => expect(await processesNaming(server)).toEqual([]));
    expect(await readdir(directory)).not.toContain('traces');
  });

  test('a pid that another process has now is neither trusted nor killed', async () => {
    const directory = await ownDirectory();
    const spec = newSpec(testSwarmId(), {}, {});
    const { id } = spec.identity;
    const provider = await freshProvider(directory);
    await provider.createInstance(spec);
    await provider.stopInstance(id);
    const bystander = spawn('sleep', ['300'], { stdio: 'ignore', detached: true });
    const { reserved } = instanceLayout(path.join(directory, `${id}--owner`));
    const mark = { pid: bystander.pid, startTime: 'another', logOffset: 0, port: 9, answered: true };
    await writeFile(path.join(reserved, 'process.json'), JSON.stringify(mark));
    try {
      expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped' });
      await provider.stopInstance(id, true);
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
      expect(() => process.kill(bystander.pid ?? 0, 0)).not.toThrow();
    } finally {
      bystander.kill('SIGKILL');
    }
  });

  test('code serve-web is served on our port with our token, and its first download is waited for', async () => {
    const directory = await ownDirectory();
    const code = path.join(directory, 'code');
    await writeFile(code, `#!${process.execPath}\n${serveWebStandIn}`, { mode: 0o755 });
    const provider = new LocalProvider(
      { id: 'local', type: 'local', directory, server: code },
      environmentFor(directory),
    );
    await provider.initialize();
    const spec = newSpec(testSwarmId(), { env: { OWN: 'value' } });
    const { id } = spec.identity;
    const { port } = await provider.createInstance(spec);
    cleanups.push(() => provider.deleteInstance(id));
    const token = await provider.abilities.readToken(id);
    expect((await fetch(`http://127.0.0.1:${port}/?tkn=${token}`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${port}/env`)).text()).toBe('value');
    const { lines } = await provider.getInstanceLogs(id);
    expect(lines.join()).toContain('?tkn=***');
    expect(await provider.stopInstance(id)).toMatchObject({ status: 'stopped' });
  });

  test('a server that cannot start says what it said, and leaves nothing', async () => {
    const directory = await ownDirectory();
    const code = path.join(directory, 'code');
    await writeFile(code, '#!/bin/sh\necho "wrong weather" >&2; exit 4\n', { mode: 0o755 });
    const provider = new LocalProvider(
      { id: 'local', type: 'local', directory, server: code },
      environmentFor(directory),
    );
    await provider.initialize();
    const error = await provider.createInstance(newSpec(testSwarmId())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'editor-server-ended', message: expect.stringContaining('wrong weather') });
    expect(await readdir(directory)).toEqual(['code']);
  });

  test('made anew, it has nothing of the old one but its home and its token, also when its variables are torn', async () => {
    const directory = await ownDirectory();
    const provider = await freshProvider(directory);
    const spec = newSpec(testSwarmId(), { env: { OWN: 'value' } });
    const { id } = spec.identity;
    const { root, home, reserved, environment } = instanceLayout(path.join(directory, `${id}--owner`));
    await provider.createInstance(spec);
    await writeFile(path.join(reserved, 'stray.sock'), 'stray');
    await appendFile(path.join(reserved, 'server.log'), 'a line of the old server\n');
    await writeFile(path.join(home, 'file'), 'kept');
    await writeFile(path.join(root, 'notes'), 'of a person');
    await writeFile(environment, '{"OWN": "val');
    const token = await provider.abilities.readToken(id);
    // How the old server ended may be noted a moment after its end; it is not taken for the end of another one.
    const names = async () => (await readdir(reserved)).filter(name => name !== 'exit.json').sort();
    const before = await names();
    await provider.abilities.recreateInstance(spec);
    expect(await names()).toEqual(before.filter(name => name !== 'stray.sock'));
    expect((await provider.getInstanceLogs(id)).lines.join()).not.toContain('old server');
    expect(await provider.abilities.readToken(id)).toBe(token);
    expect(await readFile(path.join(home, 'file'), 'utf8')).toBe('kept');
    expect(await readFile(path.join(root, 'notes'), 'utf8')).toBe('of a person');
    expect((await provider.executeCommand(id, 'echo $OWN')).stdout).toBe('value\n');
    const servers = (await processesNaming(path.join(directory, id))).filter(line => line.includes('--port'));
    expect(servers).toHaveLength(1);
  });

  test('a server that ends by itself is seen stopped, with the reason, and the watch wakes', async () => {
    const directory = await ownDirectory();
    const spec = newSpec(testSwarmId(), {}, {});
    const { id } = spec.identity;
    const provider = await freshProvider(directory);
    await provider.createInstance(spec);
    const woken = new Promise(resolve => {
      const subscription = provider.abilities.watch(resolve);
      cleanups.push(async () => subscription.dispose());
    });
    const { reserved } = instanceLayout(path.join(directory, `${id}--owner`));
    const { pid } = JSON.parse(await readFile(path.join(reserved, 'process.json'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    expect(await woken).toBe(id);
    expect(await provider.getInstance(id)).toMatchObject({
      status: 'stopped',
      detail: 'its editor server ended with exit code 137',
      cause: 'exited',
    });
    expect(await provider.startInstance(id, quietContext)).toMatchObject({ status: 'running' });
  });
});

/** Behaves as the `serve-web` of a desktop's `code`: token from its data folder, 202 while it downloads. */
const serveWebStandIn = `
const [command, ...args] = process.argv.slice(2);
const option = name => args[args.indexOf(name) + 1];
if (command !== 'serve-web' || !args.includes('--accept-server-license-terms')) process.exit(2);
const token = require('node:fs').readFileSync(option('--cli-data-dir') + '/serve-web-token', 'utf8');
let asked = 0;
require('node:http').createServer((request, response) => {
  if (request.url === '/env') return response.end(process.env.OWN);
  if (request.url === option('--server-base-path') + '/version') return response.writeHead(asked++ < 3 ? 202 : 200).end();
  response.writeHead(request.url === '/?tkn=' + token ? 200 : 403).end();
}).listen(Number(option('--port')), option('--host'));
console.log('Web UI available at http://127.0.0.1:' + option('--port') + '?tkn=' + token);
`;

/** Command lines of the processes that name the path, as `/proc` shows them. */
async function processesNaming(name: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(entry => /^\d+$/.test(entry));
  const lines = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.map(line => line.replaceAll('\0', ' ')).filter(line => line.includes(name));
}
