import { expect } from 'vitest';
import { nextAct } from '../../../../src/core/migration/migrationSteps.ts';
import type { MigrationConfig } from '../../../../src/model/config.ts';
import type { MigrationStrategy } from '../../../../src/model/migration.ts';
import { contentOf, fill, MemoryCarrier } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../../fakes/memoryStore.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import { through } from '../../../fakes/through.ts';

/** Counts the moments right before and right after whatever a window does to the world, and lets one of them be the last. */
export class Life {
  moments = 0;
  /** Called at each moment with its number, from 1; what it throws is thrown there. */
  at: (moment: number) => void = () => {};

  pass(): void {
    this.moments += 1;
    this.at(this.moments);
  }
}

class WatchedMap extends Map<string, string> {
  life: Life | undefined;

  override set(key: string, value: string): this {
    this.life?.pass();
    super.set(key, value);
    this.life?.pass();
    return this;
  }
}

class WatchedDisk extends MemoryDisk {
  override readonly records = new WatchedMap();

  /** What another process finds on it. */
  copy(): WatchedDisk {
    const other = new WatchedDisk();
    for (const [id, text] of this.records) other.records.set(id, text);
    return other;
  }
}

export const homeText = 'uncommitted and untracked work';

/** Two places that outlive every window, and what each window has of the state directory. */
export class MortalWorld {
  readonly places = { here: new MemoryPlace(), there: new MemoryPlace() };
  /** The most copies of the instance that have run at once. */
  mostRunning = 0;
  disks = { instances: new WatchedDisk(), migrations: new WatchedDisk() };
  id = '';

  constructor() {
    const { here, there } = this.places;
    for (const place of [here, there]) {
      place.changed.event(() => {
        const running = [here, there].filter(({ instances }) => instances.get(this.id)?.running).length;
        this.mostRunning = Math.max(this.mostRunning, running);
      });
    }
  }

  /** What is there without any window. */
  seen(name: 'here' | 'there') {
    const instance = this.places[name].instances.get(this.id);
    const content = contentOf(new MemoryProvider(this.places[name]), this.id);
    return { role: instance?.role, epoch: instance?.identity.epoch, running: instance?.running ?? false, content };
  }

  /** A window on it; what is done to the world before `life` is given does not count. */
  async open(migration: Partial<MigrationConfig> = {}) {
    const life = new Life();
    const { instances, migrations } = this.disks;
    const homes = new MemoryCarrier();
    homes.step = async () => life.pass();
    const { controller } = memorySwarm({
      providers: [
        new MemoryProvider(
          through(this.places.here, () => life.pass()),
          { id: 'here' },
        ),
        new MemoryProvider(
          through(this.places.there, () => life.pass()),
          { id: 'there' },
        ),
      ],
      disk: instances,
      migrationDisk: migrations,
      homes,
      defaultProviderType: 'here',
      health: { enabled: false },
      migration,
    });
    await controller.initialize();
    await controller.refresh();
    instances.records.life = life;
    migrations.records.life = life;
    /** From now on what has come to the other place is spoiled. */
    const corrupt = () => {
      homes.step = async () => {
        const there = new MemoryProvider(this.places.there);
        if (contentOf(there, this.id)) fill(there, this.id, 'one byte is another');
      };
    };
    return { controller, life, corrupt };
  }

  /** The state directory is deleted. */
  forgetState(): void {
    this.disks = { instances: new WatchedDisk(), migrations: new WatchedDisk() };
  }

  /** A process that comes after the last one has died. */
  reopen() {
    this.disks = { instances: this.disks.instances.copy(), migrations: this.disks.migrations.copy() };
    return this.open();
  }

  /** Ready to be started: an instance here, and the plan of its migration. */
  async planned(strategy: MigrationStrategy, runs: boolean, migration?: Partial<MigrationConfig>) {
    const window = await this.open(migration);
    const { controller } = window;
    const { id } = await controller.createInstance({ name: 'web' }, 'here');
    this.id = id;
    fill(new MemoryProvider(this.places.here), id, homeText);
    if (!runs) await controller.stopInstance(id);
    const plan = await controller.migrations.createMigrationPlan(id, 'there', strategy);
    window.life.moments = 0;
    return { ...window, migrationId: plan.id };
  }
}

type Window = Awaited<ReturnType<MortalWorld['open']>>;

/** However it came to that: one owner, of whom everybody says the same, with the whole home, and nothing unexplained. */
export async function expectSettled(world: MortalWorld, { controller }: Window, runs: boolean): Promise<void> {
  await controller.migrations.settleAll();
  // As a look at each provider does.
  for (const provider of controller.providers.all()) {
    const seen = new Map((await provider.abilities.observe()).map(observation => [observation.id, observation]));
    await controller.migrations.settleStrays(provider, seen);
  }
  await controller.refresh();
  const [migration] = controller.migrations.listMigrations();
  if (!migration) throw new Error('the migration is lost');
  expect(nextAct(migration)).toBe('nothing');
  const record = await controller.registry.readInstance(world.id);
  const [owner, other] = record.providerId === 'here' ? (['here', 'there'] as const) : (['there', 'here'] as const);
  expect(world.seen(owner)).toEqual({ role: 'owner', epoch: record.epoch, running: runs, content: homeText });
  expect(record).toMatchObject({
    role: 'owner',
    status: runs ? 'running' : 'stopped',
    desired: runs ? 'running' : 'stopped',
  });
  const moved = migration.pivotedAt !== undefined;
  expect(owner).toBe(moved && migration.rolledBackAt === undefined ? 'there' : 'here');
  if (moved) expect(world.seen(other)).toMatchObject({ role: 'parked', running: false, content: homeText });
  else expect(world.seen(other)).toEqual({ role: undefined, epoch: undefined, running: false, content: undefined });
  expect(['completed', 'failed', 'cancelled', 'timed-out', 'pending']).toContain(migration.status);
  expect(moved).toBe(migration.status === 'completed');
  expect(migration.leftovers).toEqual([]);
  expect(world.mostRunning).toBeLessThanOrEqual(1);
  expect(controller.listInstances()).toHaveLength(1);
}

/** After the state was lost: one owner, with the whole home; another copy is parked, and can be rolled back to. */
export async function expectFoundAgain(world: MortalWorld, { controller }: Window): Promise<'here' | 'there'> {
  // Each look does what the one before has made known.
  for (let looks = 0; looks < 4; looks += 1) {
    await controller.refresh();
    for (const provider of controller.providers.all()) {
      const seen = new Map((await provider.abilities.observe()).map(observation => [observation.id, observation]));
      await controller.migrations.settleStrays(provider, seen);
    }
  }
  const record = await controller.registry.readInstance(world.id);
  const [owner, other] = record.providerId === 'here' ? (['here', 'there'] as const) : (['there', 'here'] as const);
  expect(world.seen(owner)).toMatchObject({ role: 'owner', epoch: record.epoch, content: homeText });
  expect(record).toMatchObject({ role: 'owner', config: { name: 'web' } });
  expect(controller.listInstances()).toHaveLength(1);
  const { role, running } = world.seen(other);
  expect({ role, running }).toEqual({ role: owner === 'there' ? 'parked' : undefined, running: false });
  expect(controller.migrations.listMigrations().filter(({ parkedUntil }) => parkedUntil)).toHaveLength(role ? 1 : 0);
  expect(world.mostRunning).toBeLessThanOrEqual(1);
  return owner;
}
