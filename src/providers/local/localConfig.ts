import * as z from 'zod';
import { AbsolutePath } from '../../model/config.ts';
import { ProviderId } from '../../model/provider.ts';

/** A provider in the settings that keeps its instances on this machine. */
export const LocalProviderConfig = z.strictObject({
  id: ProviderId,
  type: z.literal('local'),
  directory: AbsolutePath.optional().describe(
    'Directory in which the instances lie; else the storage of the extension.',
  ),
  server: AbsolutePath.optional().describe(
    'Path of code-server, openvscode-server, code or a server-main.js; else the first one that is found.',
  ),
});
export type LocalProviderConfig = z.infer<typeof LocalProviderConfig>;
