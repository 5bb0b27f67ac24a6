import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect } from 'vitest';
import { StreamCarrier } from '../../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { MigrationStrategy } from '../../../src/model/migration.ts';
import { type OperationContext, quietContext } from '../../../src/model/operationContext.ts';
import { installEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { diskController } from '../../crash/diskController.ts';
import { environment } from './dockerProviders.ts';
import { type Engine, startEngine } from './engine.ts';
import { guardedDocker } from './engineInstances.ts';
import { ensureTestImage } from './images.ts';

const editorServerDirectory = path.resolve(import.meta.dirname, '../../../.runtime/editor-server');

/** A swarm with this machine and the engines `one` and `two`, between which instances move. */
export class MovingWorld {
  readonly controller: SwarmController;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly #folder: string;
  readonly #rows: string[] = [];

  private constructor(controller: SwarmController, engines: ReadonlyMap<string, Engine>, folder: string) {
    this.controller = controller;
    this.engines = engines;
    this.#folder = folder;
  }

  /**
   * With homes on the disk; else those of engines are in memory, on disks of `diskMb` where that is given, and `folder`
   * says where the others are.
   */
  static async open(onDisk = false, folder = tmpdir(), diskMb?: number): Promise<MovingWorld> {
    const own = await mkdtemp(path.join(folder, `remote-swarm-moving-${process.pid}-`));
    await installEditorServer(editorServerDirectory);
    const engines = new Map<string, Engine>();
    const docker = async (name: string) => {
      const engine = await startEngine({ name, onDisk, ...(diskMb !== undefined && { diskMb }) });
      engines.set(name, engine);
      return guardedDocker(name, { endpoint: engine.host, image: await ensureTestImage(engine.docker, 'stub') });
    };
    const here = { id: 'local', type: 'local', directory: path.join(own, 'local') };
    const local = await ProviderFactory.createProvider('local', here, { ...environment, editorServerDirectory });
    const providers = new ProviderDirectory([local, await docker('one'), await docker('two')]);
    const controller = await diskController(path.join(own, 'state'), providers, undefined, {}, new StreamCarrier());
    await controller.initialize();
    return new MovingWorld(controller, engines, own);
  }

  /** Ends all of it, and prints what was moved. */
  async close(): Promise<void> {
    for (const { id } of this.controller.listInstances()) await this.controller.purgeInstance(id);
    await this.controller.dispose();
    for (const engine of this.engines.values()) await engine.stop();
    await rm(this.#folder, { recursive: true, force: true });
    console.log(['| from | to | strategy | MB | files | seconds | downtime, s |', ...this.#rows].join('\n'));
  }

  /** The folder of its home on this machine, whatever its role there. */
  homeOn(providerId: string, id: string): string {
    const engine = this.engines.get(providerId);
    if (engine) return path.join(engine.root, 'data/volumes', `remote-swarm-${id}`, '_data/home');
    const local = path.join(this.#folder, 'local');
    const name = readdirSync(local).find(each => each.startsWith(id));
    return path.join(local, name ?? '', 'home');
  }

  async move(id: string, target: string, strategy: MigrationStrategy, report: OperationContext['report'] = () => {}) {
    const { migrations } = this.controller;
    const from = this.controller.getInstance(id).providerId;
    const { id: plan, plan: told } = await migrations.createMigrationPlan(id, target, strategy);
    const began = performance.now();
    const migration = await migrations.startMigration(plan, { ...quietContext, report });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const most = (of: 'bytes' | 'files') => Math.max(...migration.steps.map(step => step[of] ?? 0));
    const downtime = ((migration.downtimeMs ?? 0) / 1000).toFixed(1);
    const size = `${(most('bytes') / 1e6).toFixed(1)} | ${most('files')}`;
    this.#rows.push(`| ${from} | ${target} | ${strategy} | ${size} | ${seconds} | ${downtime} |`);
    expect(migration.error).toBeUndefined();
    expect(migration.status).toBe('completed');
    return { migration, losses: told.losses };
  }
}
