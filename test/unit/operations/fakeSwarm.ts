import { freshSteps } from '../../../src/core/migration/migrationSteps.ts';
import { SecretMasks } from '../../../src/core/secretMasks.ts';
import { instanceNotFound, migrationNotFound, wrongState } from '../../../src/model/errors.ts';
import type { InstanceHealth } from '../../../src/model/health.ts';
import { InstanceConfig, type InstanceConfigInput, type InstanceRecord } from '../../../src/model/instance.ts';
import type { Migration, MigrationStrategy } from '../../../src/model/migration.ts';
import type { OperationContext } from '../../../src/model/operationContext.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import type { StateHindrance } from '../../../src/model/stateHindrance.ts';
import type { Swarm } from '../../../src/operations/swarm.ts';

export const idOf = (number: number) => String(number).padStart(12, 'a');

/** A record as the registry holds it. */
export function makeRecord(number: number, change: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: idOf(number),
    swarmId: 'swarm00000000000',
    epoch: 1,
    owner: { user: 'ada', machine: 'm1' },
    createdAt: new Date(1_700_000_000_000 + number * 1000).toISOString(),
    providerId: 'docker',
    role: 'owner',
    config: InstanceConfig.parse({ name: `box ${number}` }),
    status: 'running',
    schemaVersion: 1,
    revision: 0,
    desired: 'running',
    statusSince: new Date(1_700_000_000_000).toISOString(),
    ...change,
  };
}

/** Of the only migration of an instance. */
export const migrationIdOf = (instanceId: string) => `m${instanceId.slice(1)}`;

/** A plan as the manager makes it. */
export function makeMigration(
  record: InstanceRecord,
  targetProviderId: string,
  strategy: MigrationStrategy = 'stop-and-recreate',
): Migration {
  return {
    id: migrationIdOf(record.id),
    schemaVersion: 1,
    revision: 0,
    instanceId: record.id,
    instanceName: record.config.name,
    sourceProviderId: record.providerId,
    targetProviderId,
    strategy,
    status: 'pending',
    plan: { bytes: 10, files: 1, estimatedDowntime: 7, losses: [] },
    steps: freshSteps(strategy),
    createdAt: new Date(1_700_000_000_000).toISOString(),
    wasRunning: true,
    sourceEpoch: record.epoch,
    leftovers: [],
  };
}

/** The one snapshot of an instance has the instance's id. */
const makeSnapshot = ({ id, config }: InstanceRecord): Snapshot => ({
  ...{ id, schemaVersion: 1, revision: 1, instanceId: id, config, takenAt: new Date(1_700_000_000_000).toISOString() },
  ...{ live: false, digest: 'a'.repeat(64), bytes: 10, files: 1, added: 5 },
});

/** A swarm in memory that does at once what it is asked, and counts what it was asked to change. */
export class FakeSwarm implements Swarm {
  readonly records = new Map<string, InstanceRecord>();
  readonly masks = new SecretMasks();
  readonly registry = { getInstance: (id: string) => this.records.get(id) };
  readonly updates = { remakes: () => false };
  readonly strayHomes = {
    remove: async () => {
      this.calls.push('removeStrayHome');
    },
    leave: async () => {
      this.calls.push('forgetInstance');
    },
  };
  readonly ownership = {
    owner: { user: 'ada', machine: 'desk' },
    takeOver: (id: string) => this.#change('followProvider', id, {}),
    takeFrom: (id: string) => this.#change('takeFrom', id, {}),
    insist: (id: string) => this.#change('followState', id, {}),
  };
  readonly claim: { hindrance: StateHindrance | undefined; takeOver: () => Promise<void> } = {
    hindrance: undefined,
    takeOver: async () => {
      this.calls.push('takeOver');
    },
  };
  /** What is found at providers, of other swarms. */
  found: ReturnType<Swarm['listFound']> = [];
  listFound = () => this.found;
  readonly healths = new Map<string, InstanceHealth>();
  readonly health = { get: (id: string) => this.healths.get(id) };
  /** Method names, in order. Only those that would touch the world. */
  readonly calls: string[] = [];
  /** Runs before each change of an instance; throws or waits for the tests. */
  before: (method: string, id: string) => Promise<void> | void = () => {};
  execute: Swarm['access']['executeCommand'] = async () => ({ exitCode: 0, stdout: '', stderr: '', truncated: false });
  logs: string[] = [];
  secrets: Readonly<Record<string, string>> | undefined;

  constructor(count = 0) {
    for (let number = 1; number <= count; number += 1) this.add(makeRecord(number));
    const planned = makeMigration(makeRecord(1), 'local');
    if (count > 0) this.migrated.set(planned.id, planned);
  }

  add(record: InstanceRecord): void {
    this.records.set(record.id, record);
  }

  getInstance(id: string): InstanceRecord {
    const record = this.records.get(id);
    if (!record) throw instanceNotFound(id);
    return record;
  }

  listInstances(): InstanceRecord[] {
    return [...this.records.values()];
  }

  async createInstance(
    config: InstanceConfigInput,
    providerId = 'local',
    _ctx?: unknown,
    secrets?: Record<string, string>,
  ) {
    this.calls.push('create');
    this.secrets = secrets;
    const record = makeRecord(this.records.size + 1, { config: InstanceConfig.parse(config), providerId });
    this.add(record);
    return record;
  }

  startInstance = (id: string) => this.#change('start', id, { status: 'running', desired: 'running' });
  stopInstance = (id: string) => this.#change('stop', id, { status: 'stopped', desired: 'stopped' });
  restartInstance = (id: string) => this.#change('restart', id, { status: 'running' });
  restoreInstance = (id: string) => this.#change('restore', id, { status: 'stopped', desired: 'stopped' });
  adoptInstance = async (providerId: string, id: string) => {
    this.calls.push('adopt');
    const record = makeRecord(1, { id, providerId });
    this.add(record);
    return record;
  };
  updateInstance = (id: string, update: object) =>
    this.#change('update', id, { config: { ...this.getInstance(id).config, ...update } });
  undoAgentChanges = (id: string) => this.#change('undo', id, {});
  deleteInstance = (id: string, ctx?: OperationContext) =>
    this.#change(
      'delete',
      id,
      { status: 'trashed', desired: 'trashed', trashedAt: new Date(Date.now()).toISOString() },
      ctx,
    );

  async purgeInstance(id: string): Promise<void> {
    await this.#change('purge', id, {});
    this.records.delete(id);
  }

  kept: Snapshot[] = [];
  readonly snapshots: Swarm['snapshots'] = {
    getSnapshot: id => makeSnapshot(this.getInstance(id)),
    listSnapshots: id => this.kept.filter(({ instanceId }) => instanceId === id),
    takeSnapshot: async id => {
      this.calls.push('keep');
      return makeSnapshot(this.getInstance(id));
    },
    restoreSnapshot: (id, name, provider) => this.createInstance({ ...this.getInstance(id).config, name }, provider),
    resetToSnapshot: id => this.#change('reset', id, {}),
    forkInstance: (id, name, provider) => this.createInstance({ ...this.getInstance(id).config, name }, provider),
    failOverPlan: async id => ({ snapshot: this.snapshots.listSnapshots(id)[0], lost: [] }),
    failOver: (id, providerId) => this.#change('fail over', id, { providerId }),
    deleteSnapshot: async () => void this.calls.push('forget'),
  };

  readonly migrated = new Map<string, Migration>();
  readonly migrations: Swarm['migrations'] = {
    createMigrationPlan: async (id, target, strategy = 'stop-and-recreate') => {
      this.calls.push('plan');
      const migration = makeMigration(this.getInstance(id), target, strategy);
      this.migrated.set(migration.id, migration);
      return migration;
    },
    startMigration: id => this.#migrate('migrate', id, { status: 'completed' }),
    cancelMigration: id => this.#migrate('cancel', id, { status: 'cancelled' }),
    getMigrationStatus: id => {
      const migration = this.migrated.get(id);
      if (!migration) throw migrationNotFound(id);
      return migration;
    },
    listMigrations: () => [...this.migrated.values()],
    cleanUp: id => this.#migrate('clean up', id, {}),
    compareParked: async () => ({ count: 1, changes: [{ path: 'notes', what: 'only-there' as const, bytes: 5 }] }),
    rollBack: id => this.#migrate('roll back', id, { rolledBackAt: new Date(Date.now()).toISOString() }),
  };

  readonly access: Swarm['access'] = {
    openInstance: async id => {
      this.getInstance(id);
      const endpoint = { host: '127.0.0.1' as const, port: 1, dispose: () => {} };
      return { url: 'http://127.0.0.1:1/?tkn=secret', endpoint };
    },
    getInstanceLogs: async () => ({ lines: this.logs, truncated: false }),
    executeCommand: (id, command, options) => {
      this.calls.push('execute');
      return this.execute(id, command, options);
    },
  };

  async checkInstanceHealth(id: string): Promise<InstanceHealth> {
    const health = this.healths.get(this.getInstance(id).id);
    if (!health) throw wrongState(id, 'stopped', 'start it first');
    return health;
  }

  recoverInstance = (id: string) => this.#change('recover', id, { status: 'running' });
  resetCrashLoop = async (id: string) => void (await this.#change('reset', id, {}));
  pauseMonitoring = async (id: string) => void (await this.#change('pause', id, {}));

  getSwarmStatus() {
    return { swarmId: 's', instances: this.records.size, byStatus: {}, found: 0, providers: [], quarantined: [] };
  }

  async #migrate(method: string, id: string, change: Partial<Migration>): Promise<Migration> {
    const migration = { ...this.migrations.getMigrationStatus(id), ...change };
    this.calls.push(method);
    this.migrated.set(id, migration);
    return migration;
  }

  async #change(
    method: string,
    id: string,
    change: Partial<InstanceRecord>,
    ctx?: OperationContext,
  ): Promise<InstanceRecord> {
    const record = this.getInstance(id);
    this.calls.push(method);
    await this.before(method, id);
    await ctx?.permit?.(id);
    const next = { ...record, ...change };
    this.add(next);
    return next;
  }
}
