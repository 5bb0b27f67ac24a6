import * as z from 'zod';
import { ProviderConfig } from '../../model/config.ts';

const absolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be an absolute path');

/** A provider in the settings that keeps its instances on this machine. */
export const LocalProviderConfig = z.strictObject({
  id: ProviderConfig.shape.id,
  type: z.literal('local'),
  directory: absolutePath
    .optional()
    .describe('Directory in which the instances lie; else the storage of the extension.'),
  server: absolutePath
    .optional()
    .describe('Path of code-server, openvscode-server, code or a server-main.js; else the first one that is found.'),
});
export type LocalProviderConfig = z.infer<typeof LocalProviderConfig>;
