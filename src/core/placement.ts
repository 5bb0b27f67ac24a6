import type { InstanceConfig } from '../model/instance.ts';
import type { ProviderAbilities, ProviderCapabilities } from '../model/provider.ts';

/** What placement knows of one provider. */
export interface PlacementCandidate {
  readonly provider: { readonly id: string; readonly abilities: Pick<ProviderAbilities, 'images' | 'limits'> };
  readonly capabilities: ProviderCapabilities;
  /** False when it did not answer; undefined when it was not asked yet. */
  readonly reachable: boolean | undefined;
  /** Instances there now. */
  readonly instances: number;
}

/** Where an instance goes and why, or why nobody can take it. */
export type Placement =
  | { readonly providerId: string; readonly reason: string }
  | { readonly providerId: undefined; readonly refusals: string[] };

/** Why `config` can't live at this provider, in words; empty when it can. */
export function misfits(config: Pick<InstanceConfig, 'image' | 'resources'>, candidate: PlacementCandidate): string[] {
  const { provider, capabilities, reachable, instances } = candidate;
  const { cpuCores, memoryMb } = config.resources;
  const problems: string[] = [];
  if (reachable === false) problems.push('does not answer');
  if (config.image !== undefined && !provider.abilities.images) problems.push('has no images to choose from');
  if (Object.values(config.resources).some(limit => limit !== undefined) && !provider.abilities.limits) {
    problems.push('cannot limit resources');
  } else {
    problems.push(...tooBig(capabilities, cpuCores, memoryMb));
  }
  if (instances >= capabilities.maxInstancesPerUser) problems.push(`already holds ${instances} instances, its most`);
  return problems;
}

/** Why no new home can be made in that region; a home that moves there goes to the provider's default instead. */
function regionMisfits(region: string | undefined, { supportedRegions }: ProviderCapabilities): string[] {
  if (region === undefined || supportedRegions?.includes(region)) return [];
  return [supportedRegions ? `has no region "${region}"` : 'has no regions to choose from'];
}

function tooBig(
  { maxResourcesPerInstance: most }: ProviderCapabilities,
  cpuCores: number | undefined,
  memoryMb: number | undefined,
): string[] {
  const problems: string[] = [];
  const cores = most.cpu.limit ?? most.cpu.cores;
  if (cpuCores !== undefined && cpuCores > cores) problems.push(`has ${cores} CPU cores, ${cpuCores} are asked for`);
  if (memoryMb !== undefined && memoryMb < most.memory.min)
    problems.push(`gives at least ${most.memory.min} MiB of memory`);
  if (memoryMb !== undefined && most.memory.max !== undefined && memoryMb > most.memory.max) {
    problems.push(`has ${most.memory.max} MiB of memory, ${memoryMb} are asked for`);
  }
  return problems;
}

/** Of the providers that can take the instance, with a new home in `region`, the one with the fewest instances; of equals the first in the settings. */
export function choosePlacement(
  config: Pick<InstanceConfig, 'image' | 'resources'>,
  candidates: readonly PlacementCandidate[],
  region?: string,
): Placement {
  const judged = candidates.map(candidate => ({
    candidate,
    problems: [...misfits(config, candidate), ...regionMisfits(region, candidate.capabilities)],
  }));
  const fitting = judged.filter(({ problems }) => problems.length === 0).map(({ candidate }) => candidate);
  const [first, ...others] = fitting;
  if (!first) {
    return {
      providerId: undefined,
      refusals: judged.map(({ candidate, problems }) => `"${candidate.provider.id}" ${problems.join(' and ')}`),
    };
  }
  const best = others.reduce((least, next) => (next.instances < least.instances ? next : least), first);
  const reason =
    others.length === 0
      ? 'It is the only provider that can take the instance.'
      : `Of the ${fitting.length} providers that can take it, it has the fewest instances (${best.instances}).`;
  return { providerId: best.provider.id, reason };
}
