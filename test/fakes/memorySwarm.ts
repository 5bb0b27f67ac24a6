import * as path from 'node:path';
import type * as z from 'zod';
import { HealthBook } from '../../src/core/health/healthBook.ts';
import { InstanceRegistry } from '../../src/core/instanceRegistry.ts';
import type { HomeCarrier } from '../../src/core/migration/homeCarrier.ts';
import { MigrationBook } from '../../src/core/migration/migrationBook.ts';
import { ObservedTime } from '../../src/core/observedTime.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { SecretMasks } from '../../src/core/secretMasks.ts';
import { SharedRecords } from '../../src/core/sharedRecords.ts';
import type { HomeKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import { SwarmController } from '../../src/core/swarmController.ts';
import type { SetupSources } from '../../src/core/workspaceSetup.ts';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  type HealthConfig,
  type MigrationConfig,
} from '../../src/model/config.ts';
import { InstanceHealth } from '../../src/model/health.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import { Migration } from '../../src/model/migration.ts';
import { ObservedTimeRecord } from '../../src/model/observedTimeRecord.ts';
import type { LockedContext, OperationContext } from '../../src/model/operationContext.ts';
import type { Provider } from '../../src/model/provider.ts';
import { ProviderRecord } from '../../src/model/providerRecord.ts';
import { SnapshotRecord } from '../../src/model/snapshot.ts';
import type { KeyedLock, ObserverLease, RecordStore, SecretVault, StateClaim } from '../../src/model/stateStore.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import type { RecordSchema } from '../../src/storage/parseRecord.ts';
import { freeClaim } from './freeClaim.ts';
import { MemoryCarrier } from './memoryCarrier.ts';
import { MemoryKeeper } from './memoryKeeper.ts';
import { MemoryLease } from './memoryLease.ts';
import { MemoryPlace } from './memoryPlace.ts';
import { MemoryProvider } from './memoryProvider.ts';
import { MemoryDisk, MemoryStore } from './memoryStore.ts';

/** {@link KeyedLock} of one process: turns of a key in the order of the calls. */
export class MemoryLock implements KeyedLock {
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #held = new Set<string>();

  async run<R>(key: string, ctx: OperationContext, work: (ctx: LockedContext) => Promise<R>): Promise<R> {
    const turn = (this.#queues.get(key) ?? Promise.resolve()).then(async () => {
      ctx.signal.throwIfAborted();
      this.#held.add(key);
      try {
        return await work({ ...ctx, lock: { assertHeld: () => {} } });
      } finally {
        this.#held.delete(key);
      }
    });
    this.#queues.set(
      key,
      turn.catch(() => {}),
    );
    return turn;
  }

  async isHeld(key: string): Promise<boolean> {
    return this.#held.has(key);
  }
}

export class MemoryVault implements SecretVault {
  readonly secrets = new Map<string, Record<string, string>>();

  async read(instanceId: string): Promise<Record<string, string>> {
    return this.secrets.get(instanceId) ?? {};
  }
  async store(instanceId: string, secrets: Readonly<Record<string, string>>): Promise<void> {
    this.secrets.set(instanceId, { ...secrets });
  }
  async forget(instanceId: string): Promise<void> {
    this.secrets.delete(instanceId);
  }
}

export interface MemorySwarmOptions {
  readonly swarmId?: string;
  readonly disk?: MemoryDisk;
  readonly place?: MemoryPlace;
  readonly providers?: Provider[];
  readonly providerDisk?: MemoryDisk;
  readonly defaultProviderType?: string;
  readonly loadStateOnStartup?: boolean;
  readonly vault?: MemoryVault;
  readonly gitCredential?: string;
  readonly surveyFolder?: SetupSources['surveyFolder'];
  readonly packFolder?: SetupSources['packFolder'];
  readonly healthDisk?: MemoryDisk;
  readonly timeDisk?: MemoryDisk;
  readonly lease?: ObserverLease;
  readonly autoSaveSeconds?: number;
  /** Over the defaults. */
  readonly health?: Partial<HealthConfig>;
  readonly migration?: Partial<MigrationConfig>;
  readonly migrationDisk?: MemoryDisk;
  readonly homes?: HomeCarrier;
  readonly homeKeeper?: HomeKeeper;
  readonly snapshotDisk?: MemoryDisk;
  readonly claim?: StateClaim;
  /** Of all windows. */
  readonly locks?: KeyedLock;
  /** Where its records lie in files, in place of memory. */
  readonly directory?: string;
  /** Of one window. */
  readonly creations?: Map<string, AbortController>;
}

/** A whole swarm in memory. A second one on the same disk and place is what a restart of the window makes. */
export function memorySwarm(options: MemorySwarmOptions = {}) {
  const disk = options.disk ?? new MemoryDisk();
  const place = options.place ?? new MemoryPlace();
  const vault = options.vault ?? new MemoryVault();
  const masks = new SecretMasks();
  const { directory } = options;
  const storeOf = <T extends { id: string; revision: number }>(
    folder: string,
    schema: RecordSchema<T> & { readonly shape: { readonly id: z.ZodType<string> } },
    memory: MemoryDisk = new MemoryDisk(),
  ): RecordStore<T> =>
    directory === undefined
      ? new MemoryStore(schema, memory)
      : new JsonFileStore(path.join(directory, folder), schema, 1);
  const healthBook = new HealthBook(
    storeOf('health', InstanceHealth, options.healthDisk),
    () => options.autoSaveSeconds ?? 3600,
  );
  const registry = new InstanceRegistry(
    storeOf('instances', InstanceRecord, disk),
    () => options.autoSaveSeconds ?? 3600,
  );
  const lease = options.lease ?? new MemoryLease();
  const time = new ObservedTime(storeOf('observed-time', ObservedTimeRecord, options.timeDisk), lease);
  const controller = new SwarmController({
    swarmId: options.swarmId ?? 'aaaaaaaaaaaaaaaa',
    owner: { user: 'ada', machine: 'engine' },
    registry,
    claim: options.claim ?? freeClaim,
    providers: new ProviderDirectory(options.providers ?? [new MemoryProvider(place)]),
    providerBook: new SharedRecords(storeOf('providers', ProviderRecord, options.providerDisk)),
    locks: options.locks ?? new MemoryLock(),
    creations: options.creations ?? new Map(),
    vault: masks.taughtBy(vault),
    masks,
    sources: {
      surveyFolder: options.surveyFolder ?? (async path => ({ path, bytes: 0, files: 0, outside: [] })),
      packFolder:
        options.packFolder ??
        async function* () {
          yield new Uint8Array();
        },
      gitCredential: () => ({ read: async () => options.gitCredential }),
    },
    defaultProviderType: () => options.defaultProviderType ?? '',
    loadStateOnStartup: options.loadStateOnStartup ?? true,
    healthBook,
    lease,
    time,
    healthConfig: () => ({ ...defaultHealthConfig, ...options.health }),
    migrationBook: new MigrationBook(storeOf('migrations', Migration, options.migrationDisk)),
    homes: options.homes ?? new MemoryCarrier(),
    snapshotBook: new SharedRecords(storeOf('snapshots', SnapshotRecord, options.snapshotDisk)),
    homeKeeper: options.homeKeeper ?? new MemoryKeeper(),
    migrationConfig: () => ({ ...defaultMigrationConfig, ...options.migration }),
    recover: async (instanceId, rung, _reason, ctx) => void (await controller.recoverInstance(instanceId, rung, ctx)),
  });
  return { disk, place, time, vault, controller };
}
