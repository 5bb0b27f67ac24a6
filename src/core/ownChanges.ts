import type { InstanceConfig } from '../model/instance.ts';
import { isSame } from './isSame.ts';

/**
 * Pure: what persons had, with what a person changes of what they were shown. Of lists and maps that is each entry: one
 * that was left as it was shown stays as persons had it. `given` is the same change, made to what persons had.
 */
export const ownChanges = (
  persons: InstanceConfig,
  shown: InstanceConfig,
  wanted: InstanceConfig,
  given: InstanceConfig,
): InstanceConfig => ({
  ...given,
  resources: members(persons.resources, shown.resources, wanted.resources),
  env: members(persons.env, shown.env, wanted.env),
  metadata: members(persons.metadata, shown.metadata, wanted.metadata),
  secretEnv: entries(persons.secretEnv, shown.secretEnv, wanted.secretEnv),
  ports: entries(persons.ports, shown.ports, wanted.ports),
  extensions: entries(persons.extensions, shown.extensions, wanted.extensions),
});

/** In the order that was wanted, where that has the same. */
function entries<T>(persons: readonly T[], shown: readonly T[], wanted: readonly T[]): T[] {
  if (isSame(shown, wanted)) return [...persons];
  const kept = persons.filter(one => wanted.includes(one) || !shown.includes(one));
  const all = [...new Set([...kept, ...wanted.filter(one => !shown.includes(one))])];
  return isSame(all.toSorted(), wanted.toSorted()) ? [...wanted] : all;
}

function members<V>(
  persons: Readonly<Record<string, V>>,
  shown: Readonly<Record<string, V>>,
  wanted: Readonly<Record<string, V>>,
): Record<string, V> {
  const isTouched = ([key]: readonly [string, unknown]) => shown[key] !== wanted[key];
  return Object.fromEntries([
    ...Object.entries(persons).filter(entry => !isTouched(entry)),
    ...Object.entries(wanted).filter(isTouched),
  ]);
}
