import { invalidInput, nameTaken, noPlacement } from '../model/errors.ts';
import { InstanceConfig, type InstanceConfigInput } from '../model/instance.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { Provider } from '../model/provider.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { choosePlacement, misfits, type PlacementCandidate } from './placement.ts';
import type { ProviderDirectory } from './providerDirectory.ts';

/** Parses what was asked for, defaults filled in. Throws `invalidInput` naming each field. */
export function checkedConfig(input: InstanceConfigInput, secrets: Readonly<Record<string, string>>): InstanceConfig {
  const parsed = InstanceConfig.safeParse(input, { reportInput: true });
  if (!parsed.success) throw invalidInput('The instance', problemsOf(parsed.error, 'config'));
  checkSecrets(parsed.data.secretEnv, secrets);
  return parsed.data;
}

/** Throws `invalidInput` naming the variables of `secretEnv` that have no value. */
export function checkSecrets(secretEnv: readonly string[], secrets: Readonly<Record<string, string>>): void {
  const missing = secretEnv.filter(name => secrets[name] === undefined);
  if (missing.length > 0)
    throw invalidInput('The instance', [`secretEnv: no value is stored for ${missing.join(', ')}`]);
}

/** Throws `nameTaken` when another instance outside the trash has the name, ignoring case. */
export function claimName(registry: InstanceRegistry, name: string, except?: string): void {
  const wanted = name.toLowerCase();
  const other = registry
    .listInstances()
    .find(({ id, config, desired }) => id !== except && desired !== 'trashed' && config.name.toLowerCase() === wanted);
  if (other) throw nameTaken(other.config.name, other.id);
}

const candidate = (
  provider: Provider,
  providers: ProviderDirectory,
  registry: InstanceRegistry,
): PlacementCandidate => ({
  provider,
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
  );
  if (placement.providerId === undefined) throw noPlacement(placement.refusals);
  return providers.get(placement.providerId);
}

/** Throws `noPlacement` when an instance that already lives at the provider could not live there as `config` says. */
export function checkFit(config: Pick<InstanceConfig, 'image' | 'resources'>, provider: Provider): void {
  const problems = misfits(config, { provider, reachable: true, instances: 0 });
  if (problems.length > 0) throw noPlacement([`"${provider.id}" ${problems.join(' and ')}`]);
}
