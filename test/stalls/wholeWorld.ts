import { InstanceRecord } from '../../src/model/instance.ts';
import { Migration } from '../../src/model/migration.ts';
import { SnapshotRecord } from '../../src/model/snapshot.ts';
import { framesIn } from '../../src/storage/homeFrames.ts';
import type { MemoryDisk } from '../fakes/memoryStore.ts';
import { type Act, acts } from './acts.ts';
import type { Scene } from './scenes.ts';
import { foreignSwarm, placeNames, type StallWorld, type Window } from './stallWorld.ts';

interface State {
  readonly records: readonly InstanceRecord[];
  readonly migrations: readonly Migration[];
  readonly snapshots: readonly SnapshotRecord[];
}

/** What is not as it must be once everything has come to its end, seen from outside; nothing when all is well. */
export async function faultsOf(
  world: StallWorld,
  windows: readonly Window[],
  { scene, act }: { readonly scene: Scene; readonly act: Act },
): Promise<string[]> {
  const state: State = {
    records: recordsOf(world.instances, InstanceRecord),
    migrations: recordsOf(world.migrations, Migration),
    snapshots: recordsOf(world.snapshots, SnapshotRecord),
  };
  const ids = new Set([...state.records.map(({ id }) => id), ...placeNames.flatMap(place => idsAt(world, place))]);
  const kept = await Promise.all(state.snapshots.map(snapshot => textOf(world, snapshot)));
  const removes = scene.removes ?? act.removes;
  const isLeaving = ({ do: one }: Act) => one === acts.leave.do || one === acts.removeStray.do;
  const leaves = isLeaving(scene) || isLeaving(act) || (scene.fails === true && removes === 'instance');
  return [
    ...(world.mostRunning > 1 ? [`${world.mostRunning} servers of one instance have run at once`] : []),
    ...world.lockedKeys().map(key => `the lock of ${key} is held`),
    ...[...ids].flatMap(id => faultsOfInstance(world, id, state, { ...scene, ...(removes && { removes }), leaves })),
    ...state.migrations.flatMap(({ status, leftovers }) => [
      ...(status === 'in-progress' ? ['a migration is in progress'] : []),
      ...leftovers.filter(() => !scene.fails).map(left => `left over: ${left}`),
    ]),
    ...kept
      .filter((text, index) => text && !state.snapshots[index]?.error && !world.written.has(text))
      .map(text => `a snapshot is ${text}`),
    ...(removes ? [] : lostTexts(world, ids, kept)),
    ...leftBehind(world, state),
    ...windows.flatMap((window, index) =>
      shownFaults(window, state.records).map(fault => `window ${index + 1}: ${fault}`),
    ),
  ];
}

/** One owner, which is as its record says, and every other copy is kept on purpose. */
function faultsOfInstance(
  world: StallWorld,
  id: string,
  { records, migrations }: State,
  { fails: mayFail, removes, leaves }: Pick<Scene, 'fails' | 'removes'> & { readonly leaves: boolean },
): string[] {
  const record = records.find(each => each.id === id);
  if (placeNames.some(place => isForeign(world, place, id))) return [];
  // What is left at its places on purpose, or cannot be removed there, is a person's to remove.
  if (!record && leaves && placeNames.every(place => !world.seen(place, id).running)) return [];
  if (!record) return [`what is nobody's: ${JSON.stringify(placeNames.map(place => world.seen(place, id)))}`];
  // It is a person's to decide, or was never made.
  if (mayFail && (record.overruled || placeNames.every(place => !world.seen(place, id).role))) return [];
  // One that was deleted before it was made.
  if (record.desired === 'trashed' && placeNames.every(place => world.seen(place, id).home === undefined)) return [];
  // The snapshot that its home was to become is gone, or it is brought back once the instance is wanted again.
  const isCutOff = removes !== undefined && record.error?.code === 'restore-cut-off';
  const mayBeHalf = isCutOff || (record.desired === 'trashed' && record.restoring !== undefined);
  const faults: string[] = [];
  for (const place of placeNames) {
    const { role, running, home } = world.seen(place, id);
    if (home && !world.written.has(home) && !mayBeHalf) faults.push(`the home at ${place} is "${home}"`);
    if (place === record.providerId) {
      const wanted = record.desired === 'trashed' ? 'trash' : 'owner';
      if (role !== wanted || record.role !== wanted) faults.push(`${place} has ${role}, the record ${record.role}`);
      if (running !== (record.status === 'running')) faults.push(`it is ${record.status}, and runs: ${running}`);
      if (running !== (record.desired === 'running')) faults.push(`wanted ${record.desired}, and runs: ${running}`);
      if (home === undefined) faults.push('its home is gone');
    } else if (role !== undefined || home !== undefined) {
      const isKept = migrations.some(each => each.instanceId === id && each.parkedUntil !== undefined);
      const isAside = role === 'trash' || (role === 'removing' && mayFail) || (role === 'parked' && isKept);
      if (!isAside || running) faults.push(`${place} has ${role} beside, kept: ${isKept}`);
    }
  }
  const { status, desired, wanted, restoring, setup, error, overruled } = record;
  if (!['running', 'stopped', 'trashed'].includes(status)) faults.push(`it is ${status}, wanted ${desired}`);
  if (wanted && desired !== 'trashed') faults.push('its update has not ended');
  if (restoring && desired !== 'trashed') faults.push('its restore has not ended');
  if (setup?.status === 'pending') faults.push('its first start has not ended');
  if (error && !mayFail && !isCutOff) faults.push(`it failed: ${error.message}`);
  if (overruled) faults.push(`it is overruled by ${overruled.by}`);
  return faults;
}

const isForeign = ({ places }: StallWorld, place: 'here' | 'there', id: string) =>
  places[place].instances.get(id)?.identity.swarmId === foreignSwarm;

/** What was written into a home, and is nowhere any more. */
function lostTexts(world: StallWorld, ids: ReadonlySet<string>, kept: readonly string[]): string[] {
  const there = [...ids].flatMap(id => placeNames.map(place => world.seen(place, id).home));
  return [...world.written].filter(text => !(there.includes(text) || kept.includes(text))).map(text => `lost: ${text}`);
}

/** Of what was deleted for good nothing is kept. */
function leftBehind(world: StallWorld, { records, snapshots }: State): string[] {
  const isGone = (instanceId: string) => records.every(({ id }) => id !== instanceId);
  return [
    ...snapshots.filter(({ instanceId }) => isGone(instanceId)).map(() => 'a snapshot is left of what is gone'),
    ...[...world.vault.secrets]
      .filter(([id, values]) => Object.keys(values).length > 0 && isGone(id))
      .map(() => 'secrets are left of what is gone'),
  ];
}

/** What the archive has of a snapshot. */
async function textOf(world: StallWorld, { id, digest, error }: SnapshotRecord): Promise<string> {
  if (digest === undefined) return error ? `what failed: ${error.message}` : 'half kept';
  const nothingThere = async function* () {
    yield Buffer.from('{"digest":""}\n');
  };
  let text = '';
  try {
    for await (const { kind, payload } of framesIn(world.archive().load(id, nothingThere())))
      if (kind === 'D') text += payload.toString();
    return text;
  } catch (reason) {
    return `damaged: ${reason}`;
  }
}

/** What a window shows is what is so. */
function shownFaults({ controller }: Window, records: readonly InstanceRecord[]): string[] {
  const told = ({ id, desired, status, providerId, epoch, role, config }: InstanceRecord) =>
    JSON.stringify([id, desired, status, providerId, epoch, role, config]);
  const shown = controller.registry.listInstances();
  return [
    ...shown.filter(one => records.every(each => told(each) !== told(one))).map(one => `it shows ${told(one)}`),
    ...records.filter(one => shown.every(({ id }) => id !== one.id)).map(({ id }) => `it does not show ${id}`),
    ...controller
      .listFound()
      .filter(({ observation }) => observation.swarmId === controller.swarmId)
      .map(({ observation }) => `it has found ${observation.role} ${observation.id}`),
  ];
}

export const recordsOf = <T>(disk: MemoryDisk, schema: { parse(value: unknown): T }): T[] =>
  [...disk.records.values()].map(text => schema.parse(JSON.parse(text)));

const idsAt = ({ places }: StallWorld, place: 'here' | 'there') => [
  ...places[place].instances.keys(),
  ...places[place].homesOf.keys(),
];
