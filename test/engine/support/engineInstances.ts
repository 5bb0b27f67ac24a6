import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { environment } from './dockerProviders.ts';
import type { Engine } from './engine.ts';
import { EngineWorld } from './world.ts';

/** A guarded provider, as windows have it. */
export const guardedDocker = (id: string, settings: Record<string, unknown>) =>
  ProviderFactory.createProvider('docker', { id, type: 'docker', ...settings }, environment);

/** What an engine really has of its instances, looked at from its machine and never through a provider. */
export class EngineInstances {
  readonly #engine: Engine;
  readonly #world: EngineWorld;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#world = new EngineWorld(engine.docker);
  }

  container(id: string) {
    return this.#engine.docker.getContainer(`remote-swarm-${id}--owner`);
  }

  /** Whether there is anything of it. */
  exists(id: string): Promise<boolean> {
    return this.#world.exists(id);
  }

  /** Of its editor server, on this machine: the one child of the container's init. */
  async serverPid(id: string): Promise<number> {
    const { State } = await this.container(id).inspect();
    const [child] = readFileSync(`/proc/${State.Pid}/task/${State.Pid}/children`, 'utf8').trim().split(' ');
    return Number(child);
  }

  async signal(id: string, signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.serverPid(id), signal);
  }

  /** Has its stub server break; see `stubServer.mjs`. */
  async break(id: string, how: 'answers-500' | 'cannot-start' | 'out-of-memory'): Promise<void> {
    const { NetworkSettings } = await this.container(id).inspect();
    const [published] = Object.values(NetworkSettings.Ports)[0] ?? [];
    const asked = fetch(`http://127.0.0.1:${published?.HostPort}/break/${how}`);
    // A server that ends at once does not answer.
    await (how === 'cannot-start' ? asked.catch(() => {}) : asked);
  }

  /** The folder of its volume on this machine. */
  volume(id: string): string {
    return path.join(this.#engine.root, 'data', 'volumes', `remote-swarm-${id}`, '_data');
  }

  /** Leaves a file in its home; answers with what it takes to prove later that nothing was lost. */
  async mark(id: string): Promise<() => Promise<void>> {
    const file = path.join(this.volume(id), 'home', 'workspace', 'kept');
    const text = randomBytes(2048).toString('hex');
    await this.#world.exec(id, 'sh', '-c', `printf %s ${text} > /remote-swarm/home/workspace/kept`);
    const born = this.#born(id);
    return async () => {
      expect(existsSync(file) && readFileSync(file, 'utf8') === text, 'its home is as it was').toBe(true);
      expect(this.#born(id), 'its volume is the same').toEqual(born);
      // Once it was handed on, its name tells whose it is, too.
      const name = expect.stringMatching(new RegExp(`^remote-swarm-${id}--owner(--\\d+-\\d+-\\w+)?$`));
      expect(await this.#world.containers(id), 'its containers').toEqual([name]);
    };
  }

  #born(id: string) {
    const { ino, birthtimeMs } = statSync(this.volume(id));
    return { ino, birthtimeMs };
  }
}
