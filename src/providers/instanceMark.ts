import * as z from 'zod';
import { EnvironmentName, InstanceConfig, InstanceIdentity } from '../model/instance.ts';
import type { InstanceChange, InstanceSpec } from '../model/provider.ts';

/** What `reserved/instance.json` holds: whose instance this is, and how it was asked for. Never a secret's value. */
export const InstanceMark = z.strictObject({ identity: InstanceIdentity, config: InstanceConfig });
export type InstanceMark = z.infer<typeof InstanceMark>;

export const markOf = ({ identity, secrets: _, pinnedImage: _pinned, ...config }: InstanceSpec): InstanceMark => ({
  identity,
  config,
});

/** What `reserved/title-<n>.json` holds, where the mark no longer tells who owns an instance; of several the latest counts. */
export const InstanceTitle = InstanceIdentity.pick({
  swarmId: true,
  epoch: true,
  generation: true,
  owner: true,
  adoptedAt: true,
}).required({ generation: true });
export type InstanceTitle = z.infer<typeof InstanceTitle>;

/** What `reserved/environment.json` holds: plain and secret variables together. */
export const InstanceVariables = z.record(EnvironmentName, z.string().regex(/^[^\0]*$/, 'must not hold NUL'));
export type InstanceVariables = z.infer<typeof InstanceVariables>;

/** The config after an update: each given field takes the place of the whole old one; an image of undefined means the default. */
export function updatedConfig(
  { image: before, ...config }: InstanceConfig,
  { renewsImage: _, ...update }: InstanceChange,
): InstanceConfig {
  const given = Object.entries(update).filter(([, value]) => value !== undefined);
  const image = Object.hasOwn(update, 'image') ? update.image : before;
  return { ...config, ...(image === undefined ? {} : { image }), ...Object.fromEntries(given) };
}

/** The plain ones of an instance's variables. */
export const plainVariables = ({ secretEnv }: Pick<InstanceConfig, 'secretEnv'>, variables: InstanceVariables) =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !secretEnv.includes(name)));

/** Plain variables, and the secret ones that `config` names. A secret that is not given keeps the value it had. */
export function instanceVariables(
  config: InstanceConfig,
  secrets: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>> = {},
): InstanceVariables {
  const values = config.secretEnv.flatMap(name => {
    const value = secrets[name] ?? before[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...config.env, ...Object.fromEntries(values) };
}
