import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { LinuxProcesses } from '../../src/providers/local/linuxProcesses.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { GitServer, type GitServerOptions } from '../fakes/gitServer.ts';
import { memorySwarm } from '../fakes/memorySwarm.ts';
import { testMachine } from '../fakes/testMachine.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');
const token = 'gho_s3cretTokenOfThePerson';
let directory: string;
let controller: SwarmController;
const servers: GitServer[] = [];
const consent = { isLasting: false, mayUse: async () => true, mayCopy: async () => true };

beforeAll(async () => {
  const installed = await installEditorServer(editorServerDirectory);
  directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-setup-'));
  const instances = path.join(directory, 'instances');
  const server = installed.kind === 'node' ? { server: installed.serverMain } : {};
  const local = new LocalProvider(
    { id: 'local', type: 'local', directory: instances, ...server },
    {
      ...{ localDirectory: instances, editorServerDirectory, machine: testMachine, readSecret: async () => undefined },
      launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
    },
  );
  ({ controller } = memorySwarm({ providers: [new GuardedProvider(local)], gitCredential: token }));
  await controller.initialize();
  const origin = path.join(directory, 'origin');
  await mkdir(origin);
  await writeFile(path.join(origin, 'file'), 'theirs');
  const all = 'git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm first';
  execFileSync('sh', ['-c', all], { cwd: origin });
});
afterEach(async () => {
  for (const { id } of controller.listInstances()) await controller.purgeInstance(id);
  for (const server of servers.splice(0)) server.dispose();
});
afterAll(async () => {
  await controller.dispose();
  await rm(directory, { recursive: true, force: true });
});

async function serve(options: GitServerOptions): Promise<GitServer> {
  const server = await GitServer.start(options);
  servers.push(server);
  server.publish(path.join(directory, 'origin'));
  return server;
}

const create = (config: InstanceConfigInput) =>
  controller.createInstance(config, 'local', undefined, config.secretEnv ? { KEY: 'correct-horse-battery' } : {}, {
    consent,
  });

/** Command lines of what runs in the instances and is git. */
async function gits(): Promise<string[]> {
  const processes = new LinuxProcesses(testMachine);
  const marked = `GIT_CONFIG_GLOBAL=/dev/null`;
  const rows = await processes.rows();
  const found = await Promise.all(rows.map(({ pid }) => processes.hasVariable(pid, marked)));
  return rows.filter((_, index) => found[index]).map(({ pid }) => String(pid));
}

describe('a first set-up on this computer', () => {
  test('clones a private repository, and takes the credential nowhere else', async () => {
    const [real, evil] = [await serve({ password: token }), await serve({ password: 'another' })];
    const env = {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.${evil.origin}/.insteadOf`,
      GIT_CONFIG_VALUE_0: `${real.origin}/`,
      TAR_OPTIONS: '--to-command=false',
    };
    const { id, setup } = await create({ name: 'one', env, source: { kind: 'git', url: real.url } });
    expect(setup).toEqual({ status: 'done', problems: [] });
    expect([real.passwords, evil.requests]).toEqual([[token], []]);
    const { stdout } = await controller.access.executeCommand(id, 'ls');
    expect(stdout).toBe('file\n');
  });

  test('a repository that instances lie in is none of theirs', async () => {
    execFileSync('git', ['init', '--quiet', directory]);
    const { id } = await create({ name: 'one' });
    const { stdout, stderr } = await controller.access.executeCommand(id, 'git rev-parse --show-toplevel');
    await rm(path.join(directory, '.git'), { recursive: true });
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('not a git repository')]);
  });

  test.each([
    ['forced stop', (id: string) => controller.stopInstance(id, true), 'stopped'],
    ['delete', (id: string) => controller.deleteInstance(id), 'trashed'],
  ] as const)('a %s ends a clone whose server is silent, with all its processes', async (_, end, status) => {
    const silent = await serve({ silent: true });
    const creating = create({ name: 'one', source: { kind: 'git', url: silent.url } });
    await expect.poll(() => silent.connections, { timeout: 60_000 }).toBe(1);
    expect((await gits()).length).toBeGreaterThan(0);
    const [row] = controller.listInstances();
    const began = performance.now();
    expect(await end(row?.id ?? '')).toMatchObject({ status });
    expect(performance.now() - began).toBeLessThan(20_000);
    await creating.catch(() => {});
    await expect.poll(() => silent.connections).toBe(0);
    expect(await gits()).toEqual([]);
  });

  test('secrets and token are masked in what a command says', async () => {
    const { id } = await create({ name: 'one', secretEnv: ['KEY'] });
    const folder = (await readdir(path.join(directory, 'instances'))).find(name => name.startsWith(id));
    const reserved = path.join(directory, 'instances', folder ?? '', 'reserved');
    const command = `echo "$KEY"; printf %s "$KEY" | base64; cat "${reserved}/token"`;
    const { stdout } = await controller.access.executeCommand(id, command);
    expect(stdout).toMatch(/^\*\*\*\n\*\*\*.?=*\n\*\*\*\n?$/);
  });
});
