import * as z from 'zod';
import { AbsolutePath } from '../../model/config.ts';
import { Port } from '../../model/instance.ts';
import { ProviderId } from '../../model/provider.ts';

/** A provider in the settings that keeps its instances on a host which is reached with `ssh`. */
export const SshProviderConfig = z.strictObject({
  id: ProviderId,
  type: z.literal('ssh'),
  host: z
    .string()
    .max(255, 'must have at most 255 characters')
    .regex(/^[A-Za-z0-9_:][\w.:%-]*$/, 'must be a host name, an address or a name of the ssh configuration')
    .describe('The host as ssh knows it: a name of the ssh configuration, a host name or an address.'),
  user: z
    .string()
    .max(255, 'must have at most 255 characters')
    .regex(/^[A-Za-z0-9_.][\w.@+-]*$/, 'must be the name of a user')
    .optional()
    .describe('User on the host; else as the ssh configuration has it.'),
  port: Port.optional().describe('Port of its ssh server; else as the ssh configuration has it.'),
  directory: AbsolutePath.optional().describe(
    'Directory on the host for instances and the editor server; else .remote-swarm in the home of the user.',
  ),
});
export type SshProviderConfig = z.infer<typeof SshProviderConfig>;
