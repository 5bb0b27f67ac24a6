import { migrationRefused, noPlacement, wrongState } from '../../model/errors.ts';
import type { HomeFacts, HomeNames } from '../../model/homeArchive.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { MigrationPlan, MigrationStrategy } from '../../model/migration.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';
import type { LockedVault } from '../../model/stateStore.ts';
import { onOneLine } from '../../model/textCut.ts';
import { getTwice } from '../getTwice.ts';
import { onlyThere, refuseForgetting } from '../onlyThere.ts';
import { refuseOverruled } from '../overruling.ts';
import { choosePlacement, misfits } from '../placement.ts';
import type { HomeCarrier } from './homeCarrier.ts';
import type { MigrationWorld } from './migrationRun.ts';

/** Bytes and files a second, and seconds for each stop and start, that a careful estimate reckons with. */
const pace = { bytes: 30_000_000, files: 1_500, change: 3 };

/** Throws `wrongState` unless it is whole and at rest, or runs. */
export function refuseUnmovable(record: InstanceRecord): void {
  const { id, status, desired, setup, wanted, restoring } = refuseOverruled(record);
  if (desired === 'trashed' || desired === 'absent')
    throw wrongState(id, 'in the trash', 'restore it before migrating it');
  if (status !== 'running' && status !== 'stopped')
    throw wrongState(id, status, 'only what runs or is stopped can be migrated');
  if (setup?.status === 'pending') throw wrongState(id, 'being set up', 'let its first start end before migrating it');
  if (restoring) throw wrongState(id, 'being brought back', 'let its home be whole before migrating it');
  if (wanted) throw wrongState(id, 'being updated', 'let the update end, or make it again, before migrating it');
}

/** Secret variables whose values only its provider knows. */
export const secretsLeft = async (
  { id, config }: InstanceRecord,
  vault: Pick<LockedVault, 'read'>,
): Promise<string[]> => onlyThere(config.secretEnv, await vault.read(id));

/** Only persons agree to lose values that nobody else knows (semantics 45). Throws `denied`. */
export async function refuseLossy(
  record: InstanceRecord,
  vault: Pick<LockedVault, 'read'>,
  { by }: OperationContext,
): Promise<void> {
  if (by?.caller === 'person') return;
  const lost = await secretsLeft(record, vault);
  refuseForgetting(`The migration of "${record.id}"`, lost, 'A person may start it in the Instances view.');
}

/** Throws when the target can't take it: `noPlacement`, `migrationRefused`, or what the provider itself says. */
export async function refuseTarget(
  record: InstanceRecord,
  source: Provider,
  target: Provider,
  instances: number,
  carrier: HomeCarrier,
  ctx: OperationContext,
): Promise<void> {
  const what = `The migration of "${record.id}"`;
  if (source.id === target.id) {
    throw migrationRefused(what, `It lives on "${target.id}" already.`, 'Name another provider.');
  }
  await target.initialize(ctx);
  const problems = misfits(record.config, {
    ...{ provider: target, capabilities: target.getCapabilities() },
    ...{ reachable: true, instances },
  });
  if (problems.length > 0) throw noPlacement([`"${target.id}" ${problems.join(' and ')}`]);
  const unreached = [source, target].find(provider => !carrier.reaches(provider));
  if (unreached) {
    throw migrationRefused(what, `"${unreached.id}" cannot hand over homes, or take them.`, 'Name another provider.');
  }
  const there = await getTwice(target, record.id, ctx);
  if (!there) return;
  throw there.role === 'parked'
    ? migrationRefused(
        what,
        `"${target.id}" still keeps the copy that an earlier migration has parked.`,
        'Clean that up first, or roll that migration back.',
      )
    : migrationRefused(
        what,
        `"${target.id}" has something of the same id, as when both providers are one place.`,
        'Name another provider.',
      );
}

/** What the target has room for, where it can tell. Throws `migrationRefused` when the home can't be held by that. */
export async function roomAt(
  target: Provider,
  { bytes, solid = bytes }: Pick<HomeFacts, 'bytes' | 'solid'>,
  instanceId: string,
  ctx: OperationContext,
): Promise<number | undefined> {
  const free = await target.abilities.freeBytes?.(ctx);
  if (free === undefined || solid <= free) return free;
  throw migrationRefused(
    `The migration of "${instanceId}"`,
    `"${target.id}" has ${inMegabytes(free)} free, and the home takes ${inMegabytes(solid)}.`,
    'Make room there, or name another provider.',
  );
}

const inMegabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;

/** The other provider on which it fits best; undefined when its own can't be read, or none fits. */
export function refugeOf(
  record: InstanceRecord,
  { providers, registry, carrier }: Pick<MigrationWorld, 'providers' | 'registry' | 'carrier'>,
): string | undefined {
  const source = providers.find(record.providerId);
  const rests = record.status === 'running' || record.status === 'stopped';
  if (!rests || !source || !carrier.reaches(source) || providers.condition(source.id)?.reachable !== true)
    return undefined;
  const others = providers.all().filter(({ id }) => id !== source.id && providers.condition(id)?.reachable === true);
  const candidates = others
    // By itself nothing moves out of its limits to where it has none.
    .filter(provider => carrier.reaches(provider) && (provider.abilities.limits || !source.abilities.limits))
    .map(provider => ({
      ...{ provider, capabilities: providers.capabilities(provider.id) },
      ...{ reachable: true, instances: registry.getInstanceCount(provider.id) },
    }));
  return choosePlacement(record.config, candidates).providerId;
}

/** Pure: what is agreed to before anything is done. */
export function planOf(
  record: InstanceRecord,
  strategy: MigrationStrategy,
  { bytes, files, skipped, attributed, foreign }: Omit<HomeFacts, 'digest'>,
  source: Pick<Provider, 'abilities'>,
  unknownSecrets: readonly string[],
  freeBytes: number | undefined,
): MigrationPlan {
  const runs = record.desired === 'running';
  const reading = bytes / pace.bytes + files / pace.files;
  // The home is read three times when it is copied at rest; else its copy is made before.
  const downtime = pace.change * 2 + reading * (strategy === 'stop-and-recreate' ? 3 : 2);
  const losses = [
    ...(runs ? ['Processes that run in it end, and what they have not written is lost.'] : []),
    ...(source.abilities.images ? ['What was installed outside of the home is not taken along.'] : []),
    ...(unknownSecrets.length > 0
      ? [`Values of secret variables that only the source knows are not taken along: ${unknownSecrets.join(', ')}.`]
      : []),
    ...namely('Sockets, pipes and devices stay behind', skipped),
    ...namely('Extended attributes and access lists (ACLs) stay behind, of files and folders', attributed),
    ...namely('Owners and groups other than the home’s are kept only where the target’s program runs as root', foreign),
  ];
  const estimatedDowntime = runs ? Math.ceil(downtime) : 0;
  return { bytes, files, estimatedDowntime, ...(freeBytes !== undefined && { freeBytes }), losses };
}

const namely = (loss: string, { count, names }: HomeNames = { count: 0, names: [] }) =>
  count > 0 ? [`${loss}, ${count} in all: ${onOneLine(names.join(', '), 300)}.`] : [];
