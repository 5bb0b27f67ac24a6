import { confirmationRefused, invalidInput, messageOf, nameTaken, noPlacement, wrongState } from '../model/errors.ts';
import {
  InstanceConfig,
  type InstanceConfigInput,
  type InstanceRecord,
  type InstanceUpdate,
  NewInstanceName,
  WorkspaceSource,
} from '../model/instance.ts';
import { looksLike } from '../model/lookalike.ts';
import { runsElsewhere } from '../model/machineErrors.ts';
import type { OperationContext } from '../model/operationContext.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { Provider } from '../model/provider.ts';
import type { FolderFacts, SetupConsent } from '../model/setupConsent.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { choosePlacement, misfits, type PlacementCandidate } from './placement.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import type { SetupSources } from './workspaceSetup.ts';

/** Parses what was asked for, defaults filled in. Throws `invalidInput` naming each field. */
export function checkedConfig(input: InstanceConfigInput, secrets: Readonly<Record<string, string>>): InstanceConfig {
  const parsed = InstanceConfig.safeParse(input, { reportInput: true });
  if (!parsed.success) throw invalidInput('The instance', problemsOf(parsed.error, 'config'));
  checkSecrets(parsed.data.secretEnv, secrets);
  checkNewName(parsed.data.name);
  return parsed.data;
}

/** Throws `invalidInput` for a name that is not given any more, though older instances may bear one like it. */
export function checkNewName(name: string): void {
  const parsed = NewInstanceName.safeParse(name);
  if (!parsed.success) throw invalidInput('The instance', problemsOf(parsed.error, 'name'));
}

/**
 * With a folder as its source, named as it really lies, it has been looked at and, when a program wants it, agreed to by
 * a person before anything is made, or told of the folder. `outside`: what comes along with it. Rejects as {@link SetupSources.surveyFolder} does, or with
 * `confirmation-refused`.
 */
export async function admittedSource(
  config: InstanceConfig,
  providerId: string,
  sources: SetupSources,
  ctx: OperationContext,
  consent: SetupConsent | undefined,
): Promise<{ config: InstanceConfig; outside?: readonly string[] }> {
  const { source } = config;
  if (source.kind !== 'folder') return { config };
  ctx.report(`Looking at ${source.path}…`);
  const ask = async (use: FolderFacts | { path: string; problem: string }) => {
    const agreed = await consent?.mayCopy({ ...use, instance: { providerId, config } });
    if (agreed === false) throw confirmationRefused(`The copy of ${source.path}`);
    ctx.signal.throwIfAborted();
  };
  const looked = await look(source.path, sources, ctx).catch(async error => {
    ctx.signal.throwIfAborted();
    await ask({ path: source.path, problem: messageOf(error) });
    throw error;
  });
  await ask(looked.facts);
  return { config: { ...config, source: looked.source }, outside: looked.facts.outside };
}

async function look(folder: string, sources: SetupSources, { signal }: OperationContext) {
  const facts = await sources.surveyFolder(folder, signal);
  const real = WorkspaceSource.safeParse({ kind: 'folder', path: facts.path });
  if (!real.success) throw invalidInput('The source', problemsOf(real.error, 'source'));
  return { facts, source: real.data };
}

/** Throws `invalidInput` naming the variables of `secretEnv` that have no value. */
export function checkSecrets(secretEnv: readonly string[], secrets: Readonly<Record<string, string>>): void {
  const missing = secretEnv.filter(name => !Object.hasOwn(secrets, name));
  if (missing.length > 0)
    throw invalidInput('The instance', [`secretEnv: no value is stored for ${missing.join(', ')}`]);
}

/** Throws `nameTaken` when another of the records outside the trash has a name that looks so, or is about to have it. */
export function claimName(records: readonly InstanceRecord[], name: string, except?: string, hint?: string): void {
  const isTaken = looksLike(name);
  const other = records.find(
    ({ id, config, wanted, desired }) =>
      id !== except && desired !== 'trashed' && [config, wanted].some(one => one !== undefined && isTaken(one.name)),
  );
  if (other) throw nameTaken(other.config.name, other.id, hint);
}

const candidate = (
  provider: Provider,
  providers: ProviderDirectory,
  registry: InstanceRegistry,
): PlacementCandidate => ({
  provider,
  capabilities: providers.capabilities(provider.id),
  reachable: providers.condition(provider.id)?.reachable,
  instances: registry.getInstanceCount(provider.id),
});

/** The provider that takes the instance: the wanted one, or the one placement chooses. Throws `noPlacement`. */
export function place(
  config: InstanceConfig,
  wanted: string,
  providers: ProviderDirectory,
  registry: InstanceRegistry,
): Provider {
  const asked = wanted ? [providers.resolve(wanted)] : providers.all();
  const placement = choosePlacement(
    config,
    asked.map(provider => candidate(provider, providers, registry)),
    config.region,
  );
  if (placement.providerId === undefined) throw noPlacement(placement.refusals);
  return providers.get(placement.providerId);
}

/** Throws `noPlacement` when an instance that already lives at the provider could not live there as `config` says. */
export function checkFit(
  config: Pick<InstanceConfig, 'image' | 'resources'>,
  providerId: string,
  providers: ProviderDirectory,
): void {
  const [provider, capabilities] = [providers.get(providerId), providers.capabilities(providerId)];
  const problems = misfits(config, { provider, capabilities, reachable: true, instances: 0 });
  if (problems.length > 0) throw noPlacement([`"${providerId}" ${problems.join(' and ')}`]);
}

/** The config after an update: each field that is given takes the place of the whole old one. */
export const merged = (config: InstanceConfig, update: InstanceUpdate): InstanceConfig => ({
  ...config,
  ...Object.fromEntries(Object.entries(update).filter(([, value]) => value !== undefined)),
});

export function refuseInTrash({ id, desired }: InstanceRecord, wanted: string): void {
  if (desired === 'trashed' || desired === 'absent') throw wrongState(id, 'in the trash', wanted);
}

/** Throws `runsElsewhere`: what lives on another machine is only shown, also when it was last seen so a while ago. */
export function refuseElsewhere(record: InstanceRecord): InstanceRecord {
  if (record.elsewhere !== undefined) throw runsElsewhere(record.id, record.elsewhere);
  return record;
}

/** How an instance was when a person was asked about it. */
export type Condition = Pick<InstanceRecord, 'desired' | 'status'>;

/** Throws `wrongState` when there is more to lose than a person was told who agreed to lose it. */
export function refuseRevived(record: InstanceRecord, seen: Condition | undefined): void {
  if (seen && vitality(record) > vitality(seen))
    throw wrongState(record.id, record.status, 'it was not when its deletion was agreed to, and was left as it is');
}

/** How much there is to lose: in the trash, lost, at rest, in use. */
function vitality({ desired, status }: Condition): number {
  if (desired === 'trashed' || desired === 'absent') return 0;
  if (status === 'lost' || status === 'failed') return 1;
  return desired === 'stopped' || status === 'stopped' ? 2 : 3;
}
