import { globSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { StreamCarrier } from '../../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { MigrationStrategy } from '../../../src/model/migration.ts';
import { diskController } from '../../crash/diskController.ts';
import { localProvider } from '../../crash/twoFolders.ts';
import { type Engine, startEngine } from '../../engine/support/engine.ts';
import { guardedDocker } from '../../engine/support/engineInstances.ts';
import { ensureTestImage } from '../../engine/support/images.ts';
import type { SshHost } from './sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useHosts } from './sshProviders.ts';

/** A swarm with this machine, the ssh hosts `one` and `two`, and a Docker engine, between which instances move. */
export class SshMoves {
  readonly controller: SwarmController;
  readonly #scratch: string;
  readonly #hosts: readonly SshHost[];
  readonly #engine: Engine;
  readonly #restorePath: () => void;
  readonly #rows: string[] = [];

  private constructor(
    controller: SwarmController,
    scratch: string,
    hosts: readonly SshHost[],
    engine: Engine,
    restorePath: () => void,
  ) {
    this.controller = controller;
    this.#scratch = scratch;
    this.#hosts = hosts;
    this.#engine = engine;
    this.#restorePath = restorePath;
  }

  static async open(scratch: string): Promise<SshMoves> {
    await prepareForSsh();
    const hosts = [await startPreparedHost('one'), await startPreparedHost('two')];
    const restorePath = useHosts(hosts, scratch);
    const engine = await startEngine({ name: 'moves' });
    const image = await ensureTestImage(engine.docker, 'stub');
    const providers = [
      await localProvider(scratch, 'local'),
      ...hosts.map(host => sshProvider(host)),
      await guardedDocker('engine', { endpoint: engine.host, image }),
    ];
    await Promise.all(providers.map(provider => provider.initialize()));
    const directory = new ProviderDirectory(providers);
    const state = path.join(scratch, 'state');
    const controller = await diskController(state, directory, undefined, {}, new StreamCarrier());
    await controller.initialize();
    await controller.refresh();
    return new SshMoves(controller, scratch, hosts, engine, restorePath);
  }

  /** Ends all of it, and prints what was moved. */
  async close(): Promise<void> {
    for (const { id } of this.controller.listInstances()) await this.controller.purgeInstance(id);
    await this.controller.dispose();
    this.#restorePath();
    await this.#engine.stop();
    for (const host of this.#hosts) await host.stop();
    console.log(['| from | to | strategy | seconds | downtime, s |', ...this.#rows].join('\n'));
  }

  host(name: string): SshHost {
    const host = this.#hosts.find(each => each.name === name);
    if (!host) throw new Error(`no host ${name}`);
    return host;
  }

  /** Its workspace as it lies on this machine, whatever its role there. */
  workspace(place: string, id: string): string {
    const host = this.#hosts.find(({ name }) => name === place);
    const instances = host ? path.join(host.home, '.remote-swarm', 'instances') : path.join(this.#scratch, place);
    const [found = ''] =
      place === 'engine'
        ? [path.join(this.#engine.root, 'data', 'volumes', `remote-swarm-${id}`, '_data')]
        : globSync(path.join(instances, `${id}--*`));
    return path.join(found, 'home', 'workspace');
  }

  /** Answers with the migration's id, when it has succeeded with nothing left over. */
  async move(id: string, target: string, strategy: MigrationStrategy): Promise<string> {
    const from = this.controller.getInstance(id).providerId;
    const plan = await this.controller.migrations.createMigrationPlan(id, target, strategy);
    const began = performance.now();
    const migration = await this.controller.migrations.startMigration(plan.id);
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    const took = `${seconds(performance.now() - began)} | ${seconds(migration.downtimeMs ?? 0)}`;
    this.#rows.push(`| ${from} | ${target} | ${strategy} | ${took} |`);
    expect(migration.error).toBeUndefined();
    expect(migration).toMatchObject({ status: 'completed', leftovers: [] });
    return plan.id;
  }
}
