import type { InstanceFilter, InstanceRecord } from '../model/instance.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { byName } from './records.ts';

/** Those of which every given field holds; by name, then id. */
export function filtered(
  registry: InstanceRegistry,
  providers: ProviderDirectory,
  { provider, status, name, metadata = {} }: InstanceFilter,
): InstanceRecord[] {
  const named = name === undefined ? registry.listInstances() : registry.findInstancesByName(name);
  return named
    .filter(record => {
      const type = providers.find(record.providerId)?.type;
      return (
        (provider === undefined || record.providerId === provider || type === provider) &&
        (status === undefined || status.includes(record.status)) &&
        Object.entries(metadata).every(([key, value]) => record.config.metadata[key] === value)
      );
    })
    .sort(byName);
}
