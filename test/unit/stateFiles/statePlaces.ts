import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { AuditEntry, AuditLog } from '../../../src/core/auditLog.ts';
import { InstanceHealth } from '../../../src/model/health.ts';
import { type InstanceConfig, InstanceRecord } from '../../../src/model/instance.ts';
import { Migration } from '../../../src/model/migration.ts';
import { ObservedTimeRecord } from '../../../src/model/observedTimeRecord.ts';
import { ProviderRecord } from '../../../src/model/providerRecord.ts';
import { SnapshotRecord } from '../../../src/model/snapshot.ts';
import type { Quarantined } from '../../../src/model/stateStore.ts';
import { DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { FileAppendLog } from '../../../src/storage/appendLog.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import type { RecordSchema } from '../../../src/storage/parseRecord.ts';
import { loadSwarmId, SwarmFile } from '../../../src/storage/swarmIdentity.ts';
import { idOf, makeMigration, makeRecord } from '../operations/fakeSwarm.ts';
import { scratchDirectory } from '../storage/scratch.ts';
import { type FilePlace, filesBelow, latin, type Outcome } from './place.ts';

const anything = ['control', 'dots', 'unicode', 'large'] as const;
const at = '2026-01-02T03:04:05.000Z';

const wholeConfig: InstanceConfig = {
  name: 'box',
  image: 'team/editor:1',
  region: 'here',
  resources: { cpuCores: 1, memoryMb: 512, pids: 100 },
  env: { MODE: 'test' },
  secretEnv: ['TOKEN'],
  ports: [3000],
  extensions: ['team.tool'],
  source: { kind: 'git', url: 'https://example.org/r.git', ref: 'main', depth: 1, filter: 'blob:none' },
  metadata: { team: 'web' },
};

/** A record in which every field is given. */
export const wholeRecord: InstanceRecord = {
  ...makeRecord(1),
  detail: 'exit code 1',
  cause: 'exited',
  elsewhere: 'anns-laptop',
  port: 8080,
  config: wholeConfig,
  wanted: wholeConfig,
  pinnedImage: `team/editor:1@sha256:${'ab'.repeat(32)}`,
  renewsImage: true,
  personsImages: ['team/editor:1'],
  restoring: idOf(1),
  setup: { status: 'failed', problems: ['no network'], askedByPerson: true, outside: ['/home/ann/shop'] },
  error: { code: 'timed-out', message: 'It did not answer.', hint: 'Try again.', at },
  trashedAt: at,
  generation: 3,
  adoptedAt: at,
  renamed: { from: ['crate'], at, by: { caller: 'agent', actor: 'chat' } },
  beforeAgents: { config: wholeConfig, at, by: { caller: 'agent', actor: 'chat' } },
  overruled: { by: 'another', swarmId: 'bbbbbbbbbbbbbbbb', owner: { user: 'bob', machine: 'm2' }, adoptedAt: at },
  keptSince: 1,
};

const measures = [
  ...['latencyMs', 'cpuCores', 'memoryBytes', 'memoryLimitBytes', 'diskUsedBytes', 'diskTotalBytes'],
] as const;

/** A health in which every field is given. */
const wholeHealth: InstanceHealth = {
  ...{ id: idOf(1), schemaVersion: 1, revision: 2, observerEpoch: 7, status: 'unhealthy', since: at },
  reason: 'It does not run.',
  next: { act: 'Restart it.', at },
  checks: [{ name: 'connectivity', outcome: 'failed', seen: 'It refused the connection.', at, latencyMs: 1, times: 3 }],
  pausedSince: at,
  recovery: {
    attempts: [{ rung: 'restart', cause: 'exited', at, outcome: 'failed', helped: true, note: 'It did not start.' }],
    crashLoop: { since: at, reason: 'It fails again and again.' },
    resetRevision: 1,
  },
  history: [{ at, status: 'healthy', ...Object.fromEntries(measures.map(name => [name, 1])) }],
};

/** A provider's record in which every field is given. */
const wholeProvider: ProviderRecord = {
  ...{ id: 'engine', schemaVersion: 1, revision: 2, observerEpoch: 7, reachable: false },
  ...{ problem: 'It does not answer.', code: 'provider-unreachable', hint: 'Start it.' },
  capabilities: {
    ...{ supportsLiveResize: true, supportsSnapshotting: false, supportsMultiRegion: true, supportedRegions: ['here'] },
    maxInstancesPerUser: 10,
    maxResourcesPerInstance: {
      cpu: { cores: 4, limit: 2 },
      memory: { min: 128, max: 1024 },
      storage: { size: 10, persistent: true },
    },
  },
  found: [
    {
      ...{ id: idOf(1), swarmId: 'bbbbbbbbbbbbbbbb', epoch: 1, role: 'owner', status: 'stopped' },
      ...{ detail: 'exited with code 1', port: 8080, elsewhere: 'anns-laptop', createdAt: at },
    },
  ],
  suspect: '3 of 3 instances fail at once.',
};

/** A migration in which every field is given. */
const wholeMigration: Migration = {
  ...makeMigration(makeRecord(1), 'local'),
  id: idOf(1),
  revision: 2,
  swarmId: 'swarm00000000000',
  status: 'completed',
  plan: { bytes: 10, files: 1, freeBytes: 1_000, estimatedDowntime: 7, losses: ['Processes end.'] },
  steps: [{ step: 'create-target', status: 'done', startedAt: at, endedAt: at, note: 'Copied.', bytes: 10, files: 1 }],
  startedAt: at,
  endedAt: at,
  pivotedAt: at,
  cancelRequested: false,
  digest: '0'.repeat(64),
  downtimeMs: 1,
  rolledBackAt: at,
  instanceRemovedAt: at,
  removingSince: at,
  parkedGeneration: 3,
  keptSince: 1,
  parkedUntil: at,
  leftovers: ['a copy'],
  error: { code: 'timed-out', message: 'It did not answer.', hint: 'Try again.', at },
};

const wholeSnapshot: SnapshotRecord = {
  ...{ id: idOf(1), schemaVersion: 1, revision: 1, instanceId: idOf(1), config: wholeConfig, takenAt: at },
  ...{ kind: 'scheduled', automatic: true, live: true },
  ...{ digest: '0'.repeat(64), bytes: 10, files: 1, added: 5, keptSince: 1, removingSince: at },
  error: { code: 'timed-out', message: 'It did not answer.', hint: 'Try again.', at },
};

/** What of a config people may write as they like. */
export const freeOfConfig = (prefix: string): FilePlace['free'] => ({
  [`${prefix}env.KEY`]: ['control', 'dots', 'unicode'],
  [`${prefix}metadata.KEY`]: ['control', 'dots', 'unicode'],
  [`${prefix}source.ref`]: ['dots', 'unicode'],
  [`${prefix}source.url`]: ['dots', 'unicode'],
  [`${prefix}source.path`]: ['dots', 'unicode'],
});

/** Reads a folder of records in which the file of `badId` holds the bytes. */
async function readRecord<T extends { id: string; revision: number }>(
  schema: RecordSchema<T>,
  badId: string,
  neighbours: readonly T[],
  bytes: Buffer,
): Promise<Outcome> {
  const directory = scratchDirectory();
  for (const neighbour of neighbours) {
    fs.writeFileSync(path.join(directory, `${neighbour.id}.json`), JSON.stringify(neighbour));
  }
  fs.writeFileSync(path.join(directory, `${badId}.json`), bytes);
  const before = filesBelow(directory);
  const told: Quarantined[] = [];
  const { records, quarantined } = await new JsonFileStore(directory, schema, 1, one => told.push(one)).load();
  expect(told).toEqual(quarantined);
  for (const neighbour of neighbours) expect(records).toContainEqual(neighbour);
  const value = records.find(({ id }) => !neighbours.some(neighbour => neighbour.id === id));
  const left = filesBelow(directory);
  const [kept] = quarantined;
  if (value !== undefined || kept?.file === path.join(directory, `${badId}.json`)) {
    expect(left).toEqual(before);
    return { value, said: kept?.reason };
  }
  const { [`${badId}.json`]: _, ...others } = before;
  const name = path.relative(directory, kept?.file ?? '');
  expect(name).toMatch(new RegExp(`^quarantine/${badId}\\.[0-9a-f-]{36}\\.json$`));
  expect(left).toEqual({ ...others, 'quarantine/': '', 'locks/': '', [name]: latin(bytes) });
  return { value: undefined, said: kept?.reason };
}

async function readIdentity(bytes: Buffer): Promise<Outcome> {
  const directory = scratchDirectory();
  fs.mkdirSync(path.join(directory, 'instances'));
  fs.writeFileSync(path.join(directory, 'instances', 'whole.json'), 'whole');
  fs.writeFileSync(path.join(directory, 'swarm.json'), bytes);
  const { swarmId, fresh, quarantined } = await loadSwarmId(directory);
  const { 'swarm.json': written, ...left } = filesBelow(directory);
  const others = { 'instances/': '', 'instances/whole.json': 'whole' };
  if (!fresh) {
    expect({ written, left, quarantined }).toEqual({ written: latin(bytes), left: others, quarantined: undefined });
    return { value: { schemaVersion: 1, swarmId }, said: undefined };
  }
  const name = path.relative(directory, quarantined?.file ?? '');
  expect(name).toMatch(/^quarantine\/swarm\.[0-9a-f-]{36}\.json$/);
  expect(left).toEqual({ ...others, 'quarantine/': '', 'locks/': '', [name]: latin(bytes) });
  expect(JSON.parse(written ?? '')).toEqual({ schemaVersion: 1, swarmId });
  expect(await loadSwarmId(directory)).toEqual({ swarmId, fresh: false });
  return { value: undefined, said: quarantined?.reason };
}

/** The line lies between two of another writer; a line feed in it makes several of it. */
async function readAuditLine(bytes: Buffer): Promise<Outcome> {
  const directory = scratchDirectory();
  const audit = new AuditLog(new FileAppendLog(directory, 'good'));
  for (const outcome of ['one', 'two']) {
    const who = { caller: 'person', actor: 'ann' } as const;
    await audit.append({ ...who, operation: 'x', effect: 'read', phase: 'done', targets: [], outcome });
  }
  fs.writeFileSync(path.join(directory, '2026-01-01-other.jsonl'), Buffer.concat([bytes, Buffer.from('\n')]));
  const before = filesBelow(directory);
  const entries = await audit.entries();
  const problems = await audit.verify();
  expect(entries.filter(({ actor, outcome }) => actor === 'ann' && outcome).map(({ outcome }) => outcome)).toEqual(
    expect.arrayContaining(['one', 'two']),
  );
  expect(problems.filter(({ writer }) => writer !== 'other')).toEqual([]);
  expect(filesBelow(directory)).toEqual(before);
  const [value] = entries.filter(entry => !('outcome' in entry && /^(one|two)$/.test(entry.outcome ?? '')));
  return { value, said: problems[0]?.problem };
}

/** Every file below the state directory that holds a value. */
export const statePlaces: readonly FilePlace[] = [
  {
    file: '<state>/instances/<id>.json',
    schema: InstanceRecord,
    sample: wholeRecord,
    namesFields: true,
    free: {
      ...freeOfConfig('config.'),
      ...freeOfConfig('wanted.'),
      ...freeOfConfig('beforeAgents.config.'),
      'beforeAgents.by.actor': ['control', 'dots', 'unicode'],
      'renamed.by.actor': ['control', 'dots', 'unicode'],
      'overruled.owner.user': ['dots', 'unicode'],
      'overruled.owner.machine': ['dots', 'unicode'],
      'owner.user': ['dots', 'unicode'],
      'owner.machine': ['dots', 'unicode'],
      keptSince: ['large'],
      revision: ['large'],
      detail: anything,
      elsewhere: ['dots'],
      'setup.problems.0': anything,
      'setup.problems': ['large'],
      'setup.outside.0': ['control', 'dots', 'unicode'],
      'error.code': anything,
      'error.message': anything,
      'error.hint': anything,
    },
    read: bytes => readRecord(InstanceRecord, idOf(1), [makeRecord(2), makeRecord(3)], bytes),
  },
  {
    file: '<state>/health/<id>.json',
    schema: InstanceHealth,
    sample: wholeHealth,
    namesFields: true,
    free: {
      revision: ['large'],
      observerEpoch: ['large'],
      reason: anything,
      'next.act': anything,
      checks: ['large'],
      'checks.0.seen': anything,
      'checks.0.latencyMs': ['large'],
      'checks.0.times': ['large'],
      'recovery.attempts': ['large'],
      'recovery.attempts.0.note': anything,
      'recovery.crashLoop.reason': anything,
      'recovery.resetRevision': ['large'],
      history: ['large'],
      ...Object.fromEntries(measures.map(name => [`history.0.${name}`, ['large'] as const])),
    },
    read: bytes => readRecord(InstanceHealth, idOf(1), [{ ...wholeHealth, id: idOf(2) }], bytes),
  },
  {
    file: '<state>/providers/<id>.json',
    schema: ProviderRecord,
    sample: wholeProvider,
    namesFields: true,
    free: {
      revision: ['large'],
      observerEpoch: ['large'],
      problem: anything,
      code: anything,
      hint: anything,
      'capabilities.supportedRegions': ['large'],
      'capabilities.supportedRegions.0': anything,
      'capabilities.maxInstancesPerUser': ['large'],
      'capabilities.maxResourcesPerInstance.cpu.cores': ['large'],
      'capabilities.maxResourcesPerInstance.cpu.limit': ['large'],
      'capabilities.maxResourcesPerInstance.memory.min': ['large'],
      'capabilities.maxResourcesPerInstance.memory.max': ['large'],
      'capabilities.maxResourcesPerInstance.storage.size': ['large'],
      found: ['large'],
      'found.0.swarmId': anything,
      'found.0.epoch': ['large'],
      'found.0.detail': anything,
      'found.0.elsewhere': ['dots'],
      suspect: anything,
    },
    read: bytes => readRecord(ProviderRecord, 'engine', [{ ...wholeProvider, id: 'other' }], bytes),
  },
  {
    file: '<state>/migrations/<id>.json',
    schema: Migration,
    sample: wholeMigration,
    namesFields: true,
    free: {
      revision: ['large'],
      instanceName: anything,
      'plan.bytes': ['large'],
      'plan.files': ['large'],
      'plan.freeBytes': ['large'],
      'plan.estimatedDowntime': ['large'],
      'plan.losses': ['large'],
      'plan.losses.0': anything,
      steps: ['large'],
      'steps.0.note': anything,
      'steps.0.bytes': ['large'],
      'steps.0.files': ['large'],
      downtimeMs: ['large'],
      keptSince: ['large'],
      leftovers: ['large'],
      'leftovers.0': anything,
      'error.code': anything,
      'error.message': anything,
      'error.hint': anything,
    },
    read: bytes => readRecord(Migration, idOf(1), [{ ...wholeMigration, id: idOf(2) }], bytes),
  },
  {
    file: '<state>/snapshots/<id>.json',
    schema: SnapshotRecord,
    sample: wholeSnapshot,
    namesFields: true,
    free: {
      ...freeOfConfig('config.'),
      revision: ['large'],
      bytes: ['large'],
      files: ['large'],
      added: ['large'],
      keptSince: ['large'],
      'error.code': anything,
      'error.message': anything,
      'error.hint': anything,
    },
    read: bytes => readRecord(SnapshotRecord, idOf(1), [{ ...wholeSnapshot, id: idOf(2) }], bytes),
  },
  {
    file: '<state>/agent-destroys/agent.json',
    schema: DestroyBudget,
    sample: {
      id: 'agent',
      schemaVersion: 1,
      revision: 3,
      spent: [{ reservation: 'r', instanceId: idOf(1), at, uptime: 5 }],
    },
    namesFields: true,
    free: {
      revision: ['large'],
      spent: ['large'],
      'spent.0.reservation': anything,
      'spent.0.instanceId': anything,
      'spent.0.uptime': ['large'],
    },
    read: bytes => readRecord(DestroyBudget, 'agent', [], bytes),
  },
  {
    file: '<state>/observed-time/observed.json',
    schema: ObservedTimeRecord,
    sample: { id: 'observed', schemaVersion: 1, revision: 3, milliseconds: 1000 },
    namesFields: true,
    free: { revision: ['large'], milliseconds: ['large'] },
    read: bytes => readRecord(ObservedTimeRecord, 'observed', [], bytes),
  },
  {
    file: '<state>/swarm.json',
    schema: SwarmFile,
    sample: { schemaVersion: 1, swarmId: 'abcdefgh01234567' },
    namesFields: true,
    free: {},
    read: readIdentity,
  },
  {
    file: '<state>/audit/<day>-<writer>.jsonl',
    schema: AuditEntry,
    sample: {
      time: at,
      actor: 'chat',
      caller: 'agent',
      operation: 'stop_swarm_instance',
      effect: 'change',
      phase: 'done',
      targets: [idOf(1)],
      arguments: {},
      outcome: 'done',
      code: 'none',
      previous: '0'.repeat(64),
      hash: '0'.repeat(64),
    },
    namesFields: false,
    free: {
      arguments: ['type'],
      actor: anything,
      operation: anything,
      'targets.0': anything,
      targets: ['large'],
      outcome: anything,
      code: anything,
    },
    read: readAuditLine,
  },
];
