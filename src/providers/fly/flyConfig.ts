import * as z from 'zod';
import { InstanceConfig, Resources } from '../../model/instance.ts';
import { ProviderId } from '../../model/provider.ts';

/** An address that nobody on the way can read or change. */
const SafeUrl = z
  .string()
  .max(1024, 'must have at most 1024 characters')
  .regex(
    /^(https:\/\/[A-Za-z0-9][\w.-]*|http:\/\/(127\.0\.0\.1|localhost|\[::1\]|_api\.internal))(:\d{1,5})?(\/[\w~-][\w.~-]*)*\/?$/,
    'must be an https:// address, or one of this computer',
  );

/** A provider in the settings that keeps its instances on Fly.io, each as an app of its own. */
export const FlyProviderConfig = z.strictObject({
  id: ProviderId,
  type: z.literal('fly'),
  organization: z
    .string()
    .max(63, 'must have at most 63 characters')
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be the short name of an organization, such as personal')
    .describe('Short name of the organization that pays, as "fly orgs list" prints it.'),
  region: z
    .string()
    .regex(/^[a-z]{3}$/, 'must be the three letters of a region, such as fra')
    .optional()
    .describe('Three letters of the region of instances, such as fra; else the nearest.'),
  image: InstanceConfig.shape.image.describe(
    'Image of instances that name none, with code-server in it; else code-server itself, pinned.',
  ),
  diskGb: z
    .int()
    .min(1, 'must be 1 to 500')
    .max(500, 'must be 1 to 500')
    .default(3)
    .describe('Size of the volume of a home in GB; it is paid for as long as the instance is there.'),
  /** Sizes of instances that ask for none. */
  resources: Resources.omit({ pids: true }).optional(),
  /** Where Fly.io is, when not at its public addresses: the Machines API, logs, and the way to all apps. */
  endpoints: z.strictObject({ api: SafeUrl.optional(), logs: SafeUrl.optional(), edge: SafeUrl.optional() }).optional(),
});
export type FlyProviderConfig = z.infer<typeof FlyProviderConfig>;
