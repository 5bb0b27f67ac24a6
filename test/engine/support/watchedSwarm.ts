import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, vi } from 'vitest';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { defaultHealthConfig, type HealthConfig } from '../../../src/model/config.ts';
import type { HealthStatus, InstanceHealth } from '../../../src/model/health.ts';
import type { InstanceConfigInput } from '../../../src/model/instance.ts';
import type { Provider } from '../../../src/model/provider.ts';
import { diskController } from '../../crash/diskController.ts';

/** The usual rules, with short periods: nobody waits half a minute for a round, nor for others in recovery. */
export const briskHealth: HealthConfig = { ...defaultHealthConfig, checkInterval: 1, checkTimeout: 1, fleetShare: 1 };

/** How an instance's health was at some moment, by `performance.now()`. */
export interface Entry {
  readonly at: number;
  readonly health: InstanceHealth;
}

/** A window's controller on a state directory of its own, with a chart of all that its monitor has shown. */
export class WatchedSwarm {
  readonly controller: SwarmController;
  readonly stateDirectory: string;
  /** Changes take effect at once. */
  readonly config: HealthConfig;
  readonly #charts = new Map<string, Entry[]>();

  private constructor(controller: SwarmController, stateDirectory: string, config: HealthConfig) {
    this.controller = controller;
    this.stateDirectory = stateDirectory;
    this.config = config;
    controller.health.onDidChange(() => this.#note());
  }

  /** With a `stateDirectory` it goes on where another one left off. */
  static async open(
    providers: readonly Provider[],
    health: Partial<HealthConfig> = {},
    stateDirectory?: string,
  ): Promise<WatchedSwarm> {
    const directory = stateDirectory ?? (await mkdtemp(path.join(tmpdir(), 'remote-swarm-watched-')));
    const config = { ...briskHealth, ...health };
    const controller = await diskController(directory, new ProviderDirectory(providers), undefined, config);
    const swarm = new WatchedSwarm(controller, directory, config);
    await controller.initialize();
    return swarm;
  }

  /** A running instance that was seen healthy. */
  async create(config: InstanceConfigInput, providerId: string): Promise<string> {
    const { id } = await this.controller.createInstance(config, providerId);
    await this.until(id, 0, 'healthy', health => health.status === 'healthy', 30_000);
    return id;
  }

  health(id: string): InstanceHealth {
    const health = this.controller.health.get(id);
    if (!health) throw new Error(`${id} was not looked at`);
    return health;
  }

  /** The first entry after `since` for which `holds`; fails, with the chart, when there is none in time. */
  until(
    id: string,
    since: number,
    what: string,
    holds: (health: InstanceHealth) => boolean,
    within: number,
  ): Promise<Entry> {
    const find = () => (this.#charts.get(id) ?? []).find(({ at, health }) => at >= since && holds(health));
    return vi.waitFor(
      () => {
        const entry = find();
        if (!entry) expect.fail(`${id} did not become ${what}:\n${this.#story(id, since)}`);
        return entry;
      },
      { timeout: within, interval: 10 },
    );
  }

  /** The statuses that it has had since then, one after the other. */
  statuses(id: string, since: number): HealthStatus[] {
    const all = (this.#charts.get(id) ?? []).filter(({ at }) => at >= since).map(({ health }) => health.status);
    return all.filter((status, index) => status !== all[index - 1]);
  }

  /** Closes the window; instances and state stay. */
  async close(): Promise<void> {
    await this.controller.dispose();
  }

  /** Closes the window and removes the state; instances end with their place. */
  async forget(): Promise<void> {
    await this.close();
    await rm(this.stateDirectory, { recursive: true, force: true });
  }

  #note(): void {
    const at = performance.now();
    for (const health of this.controller.health.list()) {
      const chart = this.#charts.get(health.id) ?? [];
      const isNews = !isDeepStrictEqual(chart.at(-1)?.health, health);
      if (isNews) this.#charts.set(health.id, [...chart, { at, health }]);
    }
  }

  #story(id: string, since: number): string {
    return (this.#charts.get(id) ?? [])
      .filter(({ at }) => at >= since)
      .map(({ at, health: { status, reason, next, recovery } }) => {
        const attempts = recovery.attempts.map(({ rung, outcome, note }) => [rung, outcome, note].filter(Boolean));
        return [`${Math.round(at - since)} ms`, status, reason, next?.act, ...attempts].filter(Boolean).join(' | ');
      })
      .join('\n');
  }
}
