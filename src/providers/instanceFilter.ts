import picomatch from 'picomatch';
import type { InstanceFilter, VSCodeInstance } from '../model/instance.ts';

/** Whether an instance of a provider of type `type` passes every given field of the filter. */
export function passesFilter(instance: VSCodeInstance, filter: InstanceFilter, type: string): boolean {
  const { provider, status, name, metadata } = filter;
  if (provider !== undefined && provider !== instance.providerId && provider !== type) return false;
  if (status !== undefined && !status.includes(instance.status)) return false;
  if (
    name !== undefined &&
    !picomatch.isMatch(instance.config.name, name, { nocase: true, nonegate: true, noextglob: true })
  )
    return false;
  return Object.entries(metadata ?? {}).every(([key, value]) => instance.config.metadata[key] === value);
}
