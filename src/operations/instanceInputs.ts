import * as z from 'zod';
import { InstanceConfig, InstanceId, InstanceUpdate, NewInstanceName } from '../model/instance.ts';
import { ProviderId } from '../model/provider.ts';
import { referenceProblem } from './references.ts';

/** A provider by its id, or by its type. */
export const ProviderReference = ProviderId;

/** The id of one instance. */
export const OneInstanceId = InstanceId.describe('Id of the instance, as list_swarm_instances shows it.');

const words = {
  name: 'Name that people see: 1 to 60 letters, digits, spaces, dots, dashes, underscores. Unique in the swarm.',
  image: 'Container image, for providers that have images. Leave out for the default.',
  region: 'Where its home is made, at providers that have regions. Leave out for the default.',
  resources: 'Limits: cpuCores (cores), memoryMb (MiB), pids (processes). Leave out for the default.',
  env: 'Environment variables that are not secret, by name. A value may refer to what the image or the system has, as in /opt/bin:$PATH.',
  secretEnv: 'Names of variables whose values are secret: only a person can give those, never a tool.',
  ports: 'Ports on which applications inside will listen, so that people can reach them.',
  extensions: 'Visual Studio Code extensions to install, as publisher.name or publisher.name@version.',
  source:
    'What the workspace holds at first start: {kind:"empty"}, {kind:"git",url,ref?,depth?,filter?} (ref: a branch, tag, commit, or what git can fetch, as pull/7/head; depth: commits of history; filter: as git’s --filter, e.g. blob:none) or {kind:"folder",path} for a folder of this machine, absolute path.',
  metadata: 'Free facts about it by key, for finding it again.',
} satisfies Record<keyof InstanceConfig, string>;

const { shape } = InstanceConfig;
const update = InstanceUpdate.shape;

/** Of plain variables, in one input; instances of earlier versions may have more. */
const mostVariables = 256;
const areFew = (env: Readonly<Record<string, string>> = {}) => Object.keys(env).length <= mostVariables;
const tooMany = `must have at most ${mostVariables} variables`;

/** Characters of all values: no system starts a program with much more. */
const mostText = 1_048_576;
const areShort = (env: Readonly<Record<string, string>> = {}) =>
  Object.values(env).reduce((sum, value) => sum + value.length, 0) <= mostText;
const tooLong = 'must have at most 1,048,576 characters in all values';

/** What could not be expanded when the instance starts. */
function refuseReferences(env: Readonly<Record<string, string>> | undefined, ctx: z.RefinementCtx): void {
  for (const name of Object.keys(env ?? {})) {
    const message = referenceProblem(name, env ?? {});
    if (message !== undefined) ctx.addIssue({ code: 'custom', path: [name], message });
  }
}

export const CreateInput = z.strictObject({
  name: NewInstanceName.describe(words.name),
  provider: ProviderReference.optional().describe(
    'Id or type of the provider to create it on, as get_swarm_status shows them. Leave out to let the controller choose.',
  ),
  image: shape.image.describe(words.image),
  region: shape.region.describe(words.region),
  resources: shape.resources.describe(words.resources),
  env: shape.env.refine(areFew, tooMany).refine(areShort, tooLong).superRefine(refuseReferences).describe(words.env),
  secretEnv: shape.secretEnv.describe(words.secretEnv),
  ports: shape.ports.describe(words.ports),
  extensions: shape.extensions.describe(words.extensions),
  source: shape.source.describe(words.source),
  metadata: shape.metadata.describe(words.metadata),
});
export type CreateInput = z.infer<typeof CreateInput>;

export const UpdateInput = z
  .strictObject({
    instanceId: OneInstanceId,
    name: update.name.describe(words.name),
    image: update.image.describe(words.image),
    resources: update.resources.describe(words.resources),
    env: update.env
      .refine(areFew, tooMany)
      .refine(areShort, tooLong)
      .superRefine(refuseReferences)
      .describe(`${words.env} Replaces all of them.`),
    secretEnv: update.secretEnv.describe(`${words.secretEnv} Replaces all of them.`),
    ports: update.ports.describe(`${words.ports} Replaces all of them.`),
    extensions: update.extensions.describe(`${words.extensions} Replaces all of them.`),
    metadata: update.metadata.describe(`${words.metadata} Replaces all of them.`),
  })
  .refine(({ instanceId: _, ...changes }) => Object.keys(changes).length > 0, 'must change at least one field');
export type UpdateInput = z.infer<typeof UpdateInput>;

/** The same input with every variable's value hidden: also plain ones hold secrets by mistake. */
export function withoutValues<T extends { env?: Record<string, string> | undefined }>(input: T): T {
  if (!input.env) return input;
  return { ...input, env: Object.fromEntries(Object.keys(input.env).map(name => [name, '***'])) };
}
