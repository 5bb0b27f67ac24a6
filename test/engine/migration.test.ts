import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { MigrationStrategy } from '../../src/model/migration.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { diskController } from '../crash/diskController.ts';
import { environment } from './support/dockerProviders.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

const editorServerDirectory = path.resolve(import.meta.dirname, '../../.runtime/editor-server');

describeWithOwnEngine('an instance that moves between this machine and two engines', () => {
  const engines = new Map<string, Engine>();
  let folder: string;
  let controller: SwarmController;
  const rows: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-moving-'));
    await installEditorServer(editorServerDirectory);
    const docker = async (name: string) => {
      const engine = await startEngine({ name });
      engines.set(name, engine);
      return guardedDocker(name, { endpoint: engine.host, image: await ensureTestImage(engine.docker, 'stub') });
    };
    const here = { id: 'local', type: 'local', directory: path.join(folder, 'local') };
    const local = await ProviderFactory.createProvider('local', here, { ...environment, editorServerDirectory });
    const providers = new ProviderDirectory([local, await docker('one'), await docker('two')]);
    controller = await diskController(path.join(folder, 'state'), providers, undefined, {}, new StreamCarrier());
    await controller.initialize();
  });

  afterAll(async () => {
    for (const { id } of controller?.listInstances() ?? []) await controller.purgeInstance(id);
    await controller?.dispose();
    for (const engine of engines.values()) await engine.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
    console.log(['| from | to | strategy | MB | seconds | downtime, s |', ...rows].join('\n'));
  });

  /** The folder of its home on this machine, whatever its role there. */
  function homeOn(providerId: string, id: string): string {
    const engine = engines.get(providerId);
    if (engine) return path.join(engine.root, 'data/volumes', `remote-swarm-${id}`, '_data/home');
    const local = path.join(folder, 'local');
    const name = readdirSync(local).find(each => each.startsWith(id));
    return path.join(local, name ?? '', 'home');
  }

  /** What a home holds by programs that are not ours; owners are another matter, and times are told to a microsecond. */
  function walk(home: string): string {
    const run = (file: string, ...args: string[]) =>
      execFileSync(file, args, { cwd: home, env: { PATH: process.env.PATH, LC_ALL: 'C' }, maxBuffer: 2 ** 28 });
    const facts = run('find', '.', '-not', '-type', 'p', '-printf', '%p|%y|%m|%l|%T@|%n|%s\\0').toString('latin1');
    const sums = run('find', '.', '-type', 'f', '-exec', 'sha256sum', '{}', '+').toString('latin1');
    const rounded = facts.split('\0').map(fact => {
      const [name = '', type, mode, link, time = '', links, size] = fact.split('|');
      const told = type === 'd' ? [name, type, mode] : [name, type, mode, link, links, type === 'f' ? size : ''];
      return [...told, Number(time).toFixed(5)].join('|');
    });
    return [...rounded.sort(), ...sums.split('\n').sort()].join('\n');
  }

  async function move(id: string, target: string, strategy: MigrationStrategy) {
    const from = controller.getInstance(id).providerId;
    const { id: plan, plan: told } = await controller.migrations.createMigrationPlan(id, target, strategy);
    const began = performance.now();
    const migration = await controller.migrations.startMigration(plan);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const bytes = Math.max(...migration.steps.map(step => step.bytes ?? 0));
    const downtime = ((migration.downtimeMs ?? 0) / 1000).toFixed(1);
    rows.push(`| ${from} | ${target} | ${strategy} | ${(bytes / 1e6).toFixed(1)} | ${seconds} | ${downtime} |`);
    expect(migration.error).toBeUndefined();
    expect(migration.status).toBe('completed');
    return { migration, losses: told.losses };
  }

  /** Everything that a Linux home can hold. */
  function fill(home: string): void {
    const at = (...names: string[]) => path.join(home, 'workspace', ...names);
    mkdirSync(at('folder', 'empty'), { recursive: true });
    writeFileSync(at('ten megabytes'), Buffer.alloc(10_000_000, 'remote swarm'));
    writeFileSync(at('folder', 'program'), '#!/bin/sh\n', { mode: 0o755 });
    chmodSync(at('folder', 'program'), 0o4755);
    writeFileSync(Buffer.concat([Buffer.from(at('bytes ')), Buffer.from([0xff, 0x0a, 0x22])]), 'a name in bytes');
    linkSync(at('folder', 'program'), at('same file'));
    symlinkSync('/etc/passwd', at('absolute'));
    symlinkSync('nowhere', at('dangling'));
    symlinkSync('folder', at('link to a folder'));
    writeFileSync(at('holes'), 'begin');
    truncateSync(at('holes'), 50_000_000);
    writeFileSync(at('empty file'), '');
    writeFileSync(at('secret'), 'for nobody', { mode: 0o000 });
    mkdirSync(at('read-only'));
    writeFileSync(at('read-only', 'inside'), 'x');
    chmodSync(at('read-only'), 0o555);
    execFileSync('mkfifo', [at('pipe')]);
    const deep = Array.from({ length: 30 }, (_, depth) => `${depth}`.padEnd(100, 'd'));
    mkdirSync(at(...deep), { recursive: true });
    writeFileSync(at(...deep, 'bottom'), 'deep');
    execFileSync('chown', ['-Rh', '--reference', home, home]);
    chmodSync(at('folder', 'program'), 0o4755);
  }

  const strategies = ['stop-and-recreate', 'create-then-stop'] as const;

  test.each(strategies)('keeps every byte of its home: %s', async strategy => {
    const { id } = await controller.createInstance({ name: strategy }, 'local');
    fill(homeOn('local', id));
    for (const target of ['one', 'two', 'local', 'two', 'one', 'local']) {
      const source = controller.getInstance(id).providerId;
      const { migration, losses } = await move(id, target, strategy);
      expect(losses.some(loss => loss.includes('workspace/pipe'))).toBe(source === 'local' && target === 'one');
      expect(controller.getInstance(id)).toMatchObject({ providerId: target, role: 'owner', status: 'running' });
      await controller.stopInstance(id);
      // What the server itself writes at its start is not the home's.
      const stable = (home: string) => walk(path.join(home, 'workspace'));
      expect(stable(homeOn(target, id))).toBe(stable(homeOn(source, id)));
      await controller.startInstance(id);
      await controller.migrations.cleanUp(migration.id);
    }
    await controller.purgeInstance(id);
  });

  test.each(strategies)('loses nothing that is written while it moves: %s', async strategy => {
    const { id } = await controller.createInstance({ name: `busy ${strategy}` }, 'one');
    const said = path.join('workspace', 'log');
    const writes = 'i=0; while :; do i=$((i+1)); echo $i >> log; echo $i > last; done';
    void controller.providers
      .get('one')
      .executeCommand(id, writes)
      .catch(() => {});
    const lines = (home: string) =>
      Number(
        execFileSync('wc', ['-l', path.join(home, said)])
          .toString()
          .split(' ')[0],
      );
    await vi.waitFor(() => expect(lines(homeOn('one', id))).toBeGreaterThan(100), { timeout: 10_000 });
    await move(id, 'two', strategy);
    expect(lines(homeOn('two', id))).toBe(lines(homeOn('one', id)));
    await controller.purgeInstance(id);
  });

  test('a home that cannot be written as a whole is refused, and all is as it was', async () => {
    const { id } = await controller.createInstance({ name: 'unlucky' }, 'one');
    const home = homeOn('one', id);
    writeFileSync(path.join(home, 'workspace', 'file'), 'kept');
    const corrupting = new StreamCarrier();
    const copy = vi.spyOn(StreamCarrier.prototype, 'copy').mockImplementationOnce(async (source, target, ...rest) => {
      const size = await corrupting.copy(source, target, ...rest);
      writeFileSync(path.join(homeOn(target.id, id), 'workspace', 'file'), 'KEPT');
      return size;
    });
    const { id: plan } = await controller.migrations.createMigrationPlan(id, 'two', 'stop-and-recreate');
    const migration = await controller.migrations.startMigration(plan);
    copy.mockRestore();
    expect(migration).toMatchObject({ status: 'failed', error: { code: 'homes-differ' } });
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'one', status: 'running', epoch: 1 });
    expect(await controller.providers.get('two').getInstance(id)).toBeNull();
    await controller.purgeInstance(id);
    const left = await engines.get('two')?.docker.listVolumes();
    expect(left?.Volumes.map(({ Name }) => Name).filter(name => name.includes(id))).toEqual([]);
  });
});
