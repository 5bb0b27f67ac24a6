import { InstanceRecord } from '../../src/model/instance.ts';
import { Migration } from '../../src/model/migration.ts';
import { SnapshotRecord } from '../../src/model/snapshot.ts';
import type { MemoryDisk } from '../fakes/memoryStore.ts';
import { knownTexts } from './scenes.ts';
import { placeNames, type StallWorld, type Window } from './stallWorld.ts';

/** What is not as it must be once everything has come to its end, seen from outside; nothing when all is well. */
export function faultsOf(world: StallWorld, windows: readonly Window[]): string[] {
  const records = recordsOf(world.instances, InstanceRecord);
  const migrations = recordsOf(world.migrations, Migration);
  const ids = new Set([...records.map(({ id }) => id), ...placeNames.flatMap(place => idsAt(world, place))]);
  return [
    ...(world.mostRunning > 1 ? [`${world.mostRunning} servers of one instance have run at once`] : []),
    ...world.lockedKeys().map(key => `the lock of ${key} is held`),
    ...[...ids].flatMap(id => faultsOfInstance(world, id, records, migrations)),
    ...migrations.flatMap(({ status, leftovers }) => [
      ...(status === 'in-progress' ? ['a migration is in progress'] : []),
      ...leftovers.map(left => `left over: ${left}`),
    ]),
    ...snapshotFaults(world, records),
    ...windows.flatMap((window, index) => shownFaults(window, records).map(fault => `window ${index + 1}: ${fault}`)),
  ];
}

/** One owner, which is as its record says, and every other copy is kept on purpose. */
function faultsOfInstance(
  world: StallWorld,
  id: string,
  records: readonly InstanceRecord[],
  migrations: readonly Migration[],
): string[] {
  const record = records.find(each => each.id === id);
  if (!record) return [`what is nobody's: ${JSON.stringify(placeNames.map(place => world.seen(place, id)))}`];
  const faults: string[] = [];
  for (const place of placeNames) {
    const { role, running, home } = world.seen(place, id);
    if (home !== undefined && !knownTexts.includes(home)) faults.push(`the home at ${place} is "${home}"`);
    if (place === record.providerId) {
      const wanted = record.desired === 'trashed' ? 'trash' : 'owner';
      if (role !== wanted || record.role !== wanted) faults.push(`${place} has ${role}, the record ${record.role}`);
      if (running !== (record.status === 'running')) faults.push(`it is ${record.status}, and runs: ${running}`);
      if (running !== (record.desired === 'running')) faults.push(`wanted ${record.desired}, and runs: ${running}`);
      if (home === undefined) faults.push('its home is gone');
    } else if (role !== undefined || home !== undefined) {
      const isKept = migrations.some(each => each.instanceId === id && each.parkedUntil !== undefined);
      if (role !== 'parked' || running || !isKept) faults.push(`${place} has ${role} beside, kept: ${isKept}`);
    }
  }
  const { status, desired, wanted, restoring, setup, error } = record;
  if (!['running', 'stopped', 'trashed'].includes(status)) faults.push(`it is ${status}, wanted ${desired}`);
  if (wanted && desired !== 'trashed') faults.push('its update has not ended');
  if (restoring) faults.push('its restore has not ended');
  if (setup?.status === 'pending') faults.push('its first start has not ended');
  if (error) faults.push(`it failed: ${error.message}`);
  return faults;
}

function snapshotFaults(world: StallWorld, records: readonly InstanceRecord[]): string[] {
  const listed = recordsOf(world.snapshots, SnapshotRecord);
  const kept = world.archive.kept;
  return [
    ...listed.filter(({ id }) => !kept.has(id)).map(() => 'a snapshot is listed that is not kept'),
    ...[...kept.keys()].filter(id => listed.every(each => each.id !== id)).map(() => 'what is kept is in no list'),
    ...listed
      .filter(({ instanceId }) => records.every(({ id }) => id !== instanceId))
      .map(() => 'a snapshot is kept of what was deleted for good'),
    ...[...world.vault.secrets.keys()]
      .filter(instanceId => records.every(({ id }) => id !== instanceId))
      .map(() => 'the secrets are kept of what was deleted for good'),
  ];
}

/** What a window shows is what is so. */
function shownFaults({ controller }: Window, records: readonly InstanceRecord[]): string[] {
  const told = ({ id, desired, status, providerId, epoch, role, config }: InstanceRecord) =>
    JSON.stringify([id, desired, status, providerId, epoch, role, config]);
  const shown = controller.registry.listInstances();
  return [
    ...shown.filter(one => records.every(each => told(each) !== told(one))).map(one => `it shows ${told(one)}`),
    ...records.filter(one => shown.every(({ id }) => id !== one.id)).map(({ id }) => `it does not show ${id}`),
    ...controller.listFound().map(({ observation }) => `it has found ${observation.role} ${observation.id}`),
  ];
}

export const recordsOf = <T>(disk: MemoryDisk, schema: { parse(value: unknown): T }): T[] =>
  [...disk.records.values()].map(text => schema.parse(JSON.parse(text)));

const idsAt = ({ places }: StallWorld, place: 'here' | 'there') => [
  ...places[place].instances.keys(),
  ...places[place].homesOf.keys(),
];
