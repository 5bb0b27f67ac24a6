import { vi } from 'vitest';
import type { SwarmController } from '../../../../src/core/swarmController.ts';
import { InstanceHealth } from '../../../../src/model/health.ts';
import { InstanceRecord } from '../../../../src/model/instance.ts';
import { Migration } from '../../../../src/model/migration.ts';
import { ObserverSeat } from '../../../fakes/memoryLease.ts';
import { type MemoryInstance, MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryDisk, type MemoryStore } from '../../../fakes/memoryStore.ts';
import { MemoryLock } from '../../../fakes/memorySwarm.ts';
import { ModelWindow } from './modelWindow.ts';
import { Witness } from './witness.ts';

export type PlaceName = 'here' | 'there';

const freshDisks = () => ({ instances: new MemoryDisk(), health: new MemoryDisk(), migrations: new MemoryDisk() });

/** How an instance stands, as the state directory says. */
export const modelStates = [
  'gone',
  'found',
  'deleting',
  'trashed',
  'creating',
  'failed',
  'stopped',
  'paused',
  'crash loop',
  'healthy',
  'degraded',
  'unhealthy',
  'recovering',
  'unknown',
] as const;
export type ModelState = (typeof modelStates)[number];

/** Two places, a state directory, and windows that come and go. */
export class ModelWorld {
  readonly places = { here: new MemoryPlace(), there: new MemoryPlace() };
  readonly seat = new ObserverSeat();
  readonly locks = new MemoryLock();
  readonly witness: Witness = new Witness(this);
  disks = freshDisks();
  swarmId = 'aaaaaaaaaaaaaaaa';
  windows: ModelWindow[] = [];
  /** Instances that were ever made, oldest first. */
  readonly ids: string[] = [];
  /** What each place has forgotten for now. */
  readonly forgotten: Record<PlaceName, Map<string, MemoryInstance>> = { here: new Map(), there: new Map() };
  readonly #asked = new Set<{ what: string; id: string | undefined }>();
  #made = 0;

  async open(): Promise<void> {
    const window = new ModelWindow(this);
    this.windows.push(window);
    await window.open();
  }

  /** Every window goes, and one comes. */
  async reopen(end: 'close' | 'kill'): Promise<void> {
    const before = this.windows;
    this.windows = [];
    await Promise.all(before.map(window => window[end]()));
    await this.open();
  }

  /** The state directory is deleted, and perhaps the swarm's id with it. */
  async loseState(swarmId = this.swarmId): Promise<void> {
    const before = this.windows;
    this.windows = [];
    await Promise.all(before.map(window => window.kill()));
    this.disks = freshDisks();
    this.swarmId = swarmId;
    this.witness.forget();
    await this.open();
  }

  get window(): ModelWindow {
    const window = this.windows.at(-1);
    if (!window) throw new Error('there is no window');
    return window;
  }

  /** A command of a person, in the window that was opened last; a refusal is an answer too. */
  ask(what: string, id: string | undefined, work: (controller: SwarmController) => Promise<unknown>): void {
    const { controller } = this.window;
    const asked = { what, id };
    this.#asked.add(asked);
    const command = async () => work(controller);
    void command()
      .catch(() => {})
      .finally(() => this.#asked.delete(asked));
  }

  isAsked(id: string, ...whats: string[]): boolean {
    return [...this.#asked].some(asked => asked.id === id && (whats.length === 0 || whats.includes(asked.what)));
  }

  /** Commands that have no answer yet. */
  get waiting(): string[] {
    return [...this.#asked].map(({ what, id }) => `${what} ${id}`);
  }

  create(placeName: PlaceName): void {
    const name = `web-${this.#made++}`;
    this.ask('create', undefined, controller => controller.createInstance({ name }, placeName));
  }

  /** Takes note of what was made; what was made again is not what its place has forgotten. */
  meet(): void {
    for (const name of ['here', 'there'] as const) {
      for (const id of this.places[name].instances.keys()) this.forgotten[name].delete(id);
    }
    const known = [...this.disks.instances.records.keys(), ...this.places.here.instances.keys()];
    for (const id of known) if (!this.ids.includes(id)) this.ids.push(id);
  }

  record(id: string): InstanceRecord | undefined {
    return readIn(this.disks.instances, InstanceRecord, id);
  }

  records(): InstanceRecord[] {
    return [...this.disks.instances.records.keys()].flatMap(id => this.record(id) ?? []);
  }

  health(id: string): InstanceHealth | undefined {
    return readIn(this.disks.health, InstanceHealth, id);
  }

  migrations(id: string): Migration[] {
    const all = [...this.disks.migrations.records.keys()];
    return all.flatMap(key => readIn(this.disks.migrations, Migration, key) ?? []).filter(m => m.instanceId === id);
  }

  placeOf(id: string): MemoryPlace {
    const { providerId = this.places.there.instances.has(id) ? 'there' : 'here' } = this.record(id) ?? {};
    return this.places[providerId === 'there' ? 'there' : 'here'];
  }

  nameOf(place: MemoryPlace): PlaceName {
    return place === this.places.here ? 'here' : 'there';
  }

  /** As the window shows it: what was only seen is not on the disk yet. */
  shown(id: string): InstanceRecord | undefined {
    return this.windows.at(-1)?.controller.registry.getInstance(id);
  }

  stateOf(id: string): ModelState {
    const record = this.shown(id);
    if (!record) return this.placeOf(id).instances.has(id) ? 'found' : 'gone';
    if (record.desired === 'absent') return 'deleting';
    if (record.desired === 'trashed') return 'trashed';
    if (record.status === 'creating' || record.status === 'failed') return record.status;
    if (record.desired === 'stopped') return 'stopped';
    const health = this.window.controller.health.get(id);
    if (health?.pausedSince) return 'paused';
    return health?.recovery.crashLoop ? 'crash loop' : (health?.status ?? 'unknown');
  }

  forgetAll(name: PlaceName): void {
    for (const [id, instance] of this.places[name].instances) this.forgotten[name].set(id, instance);
    this.places[name].instances.clear();
    this.places[name].changed.fire(undefined);
  }

  rememberAll(name: PlaceName): void {
    const { instances, homesOf, changed } = this.places[name];
    this.meet();
    for (const [id, instance] of this.forgotten[name]) if (homesOf.has(id)) instances.set(id, instance);
    this.forgotten[name].clear();
    changed.fire(undefined);
  }

  down(name: PlaceName): void {
    this.witness.begin(`${name} down`);
    this.places[name].unreachable = true;
  }

  up(name: PlaceName): void {
    this.witness.end(`${name} down`);
    this.places[name].unreachable = false;
  }

  slow(name: PlaceName): void {
    this.witness.begin(`${name} slow`);
    this.witness.end(`${name} quick`);
    this.places[name].latency = () => new Promise(resolve => setTimeout(resolve, 4_000));
  }

  /** Until it is slow or quick as a whole, it takes its time for each that it makes. */
  slowToCreate(name: PlaceName): void {
    if (this.witness.isSlow(name)) return;
    this.places[name].latency = call =>
      call === 'createInstance' ? new Promise(resolve => setTimeout(resolve, 40_000)) : Promise.resolve();
  }

  quick(name: PlaceName): void {
    this.witness.begin(`${name} quick`);
    this.places[name].latency = async () => {};
  }

  /** Ends every fault of the places. */
  mend(): void {
    for (const name of ['here', 'there'] as const) {
      this.up(name);
      this.quick(name);
      this.rememberAll(name);
      this.places[name].thawList();
      this.places[name].forgetFaults();
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.windows.map(window => window.close()));
    vi.clearAllTimers();
  }
}

function readIn<T extends { id: string; revision: number }>(
  disk: MemoryDisk,
  schema: ConstructorParameters<typeof MemoryStore<T>>[0],
  id: string,
): T | undefined {
  const text = disk.records.get(id);
  return text === undefined ? undefined : schema.parse(JSON.parse(text));
}
