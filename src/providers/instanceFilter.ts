import type { InstanceFilter, VSCodeInstance } from '../model/instance.ts';
import { namePattern } from '../model/namePattern.ts';

/** Whether an instance of a provider of type `type` passes every given field of the filter. */
export function passesFilter(instance: VSCodeInstance, filter: InstanceFilter, type: string): boolean {
  const { provider, status, name, metadata } = filter;
  if (provider !== undefined && provider !== instance.providerId && provider !== type) return false;
  if (status !== undefined && !status.includes(instance.status)) return false;
  if (name !== undefined && !namePattern(name)(instance.config.name)) return false;
  return Object.entries(metadata ?? {}).every(([key, value]) => instance.config.metadata[key] === value);
}
