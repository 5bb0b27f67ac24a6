import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { StreamCarrier } from '../../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { appName } from '../../../src/providers/fly/instanceMachine.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import { LocalProvider } from '../../../src/providers/local/localProvider.ts';
import { diskController } from '../../crash/diskController.ts';
import { type Engine, engineProblem, startEngine } from '../../engine/support/engine.ts';
import { guardedDocker } from '../../engine/support/engineInstances.ts';
import { ensureTestImage } from '../../engine/support/images.ts';
import type { LoneProvider } from '../../fakes/loneProvider.ts';
import { type SshHost, sshHostProblem } from '../../ssh/support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useHosts } from '../../ssh/support/sshProviders.ts';
import { machineProblem } from './flyCloud.ts';
import { type FlyScene, openFlyScene } from './flyScene.ts';

export const worldProblem = () => machineProblem() ?? engineProblem() ?? sshHostProblem();

/** Where an instance of the world can be. */
export type Place = 'local' | 'engine' | 'host' | 'fly';

/** This computer, a Docker engine, an ssh host and Fly.io, with a state directory on which windows come one after the other. */
export class FlyWorld {
  readonly scene: FlyScene;
  readonly #engine: Engine;
  readonly #host: SshHost;
  readonly #onHost: LoneProvider;
  readonly #folder: string;
  readonly #restorePath: () => void;

  private constructor(scene: FlyScene, engine: Engine, host: SshHost, folder: string) {
    this.scene = scene;
    this.#engine = engine;
    this.#host = host;
    this.#onHost = sshProvider(host, 'host');
    this.#folder = folder;
    this.#restorePath = useHosts([host], folder);
  }

  static async open(): Promise<FlyWorld> {
    const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-fly-world-'));
    for (const name of ['local', 'out']) mkdirSync(path.join(folder, name));
    cpSync(
      path.resolve(import.meta.dirname, '../../engine/support/stubServer.mjs'),
      path.join(folder, 'out', 'server-main.js'),
    );
    await prepareForSsh();
    const [scene, engine, host] = await Promise.all([
      openFlyScene(),
      startEngine({ name: 'nofly' }),
      startPreparedHost('nofly'),
    ]);
    await ensureTestImage(engine.docker, 'stub');
    const world = new FlyWorld(scene, engine, host, folder);
    await world.#onHost.initialize();
    return world;
  }

  /** A window that has read its state, and looked at every place. */
  async openWindow(): Promise<SwarmController> {
    const { environment } = this.scene;
    const directory = path.join(this.#folder, 'local');
    const server = path.join(this.#folder, 'out', 'server-main.js');
    const providers = new ProviderDirectory([
      new GuardedProvider(
        new LocalProvider(
          { id: 'local', type: 'local', directory, server },
          { ...environment, localDirectory: directory },
        ),
      ),
      await guardedDocker('engine', {
        endpoint: this.#engine.host,
        image: await ensureTestImage(this.#engine.docker, 'stub'),
      }),
      this.#onHost,
      this.scene.makeProvider(),
    ]);
    const window = await diskController(this.#state, providers, undefined, {}, new StreamCarrier());
    await window.initialize();
    await window.refresh();
    return window;
  }

  /** As `rm -r` does it, but for the swarm's id: without that nothing is adopted before a person says so. */
  loseState(): void {
    for (const name of readdirSync(this.#state).filter(each => each !== 'swarm.json'))
      rmSync(path.join(this.#state, name), { recursive: true });
  }

  /** The folder of its home, as it lies on this machine. */
  homeOn(place: Place, id: string): string {
    if (place === 'engine') return path.join(this.#engine.root, 'data/volumes', `remote-swarm-${id}`, '_data/home');
    if (place === 'local' || place === 'host') {
      const instances = this.#instances(place);
      const name = readdirSync(instances).find(each => each.startsWith(id));
      return path.join(instances, name ?? '', 'home');
    }
    const [volume] = this.scene.cloud.app(appName(id)).volumes.values();
    return path.join(volume?.folder ?? '', 'home');
  }

  /** Whether anything of it is there. */
  async isOn(place: Place, id: string): Promise<boolean> {
    if (place === 'fly') return this.scene.cloud.apps.has(appName(id));
    if (place === 'local' || place === 'host')
      return readdirSync(this.#instances(place)).some(name => name.startsWith(id));
    const { Volumes } = await this.#engine.docker.listVolumes();
    return (Volumes ?? []).some(({ Name }) => Name.includes(id));
  }

  async close(): Promise<void> {
    await this.#onHost.dispose();
    this.#restorePath();
    await this.#engine.stop();
    await this.#host.stop();
    await this.scene.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Where the instances of a place lie that are processes. */
  #instances(place: 'local' | 'host'): string {
    return place === 'local'
      ? path.join(this.#folder, 'local')
      : path.join(this.#host.home, '.remote-swarm', 'instances');
  }

  get #state(): string {
    return path.join(this.#folder, 'state');
  }
}
