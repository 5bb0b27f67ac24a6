import * as z from 'zod';
import { AbsolutePath } from '../../model/config.ts';
import { ImageReference, Resources } from '../../model/instance.ts';
import { ProviderId } from '../../model/provider.ts';
import { isEndpoint } from './dockerEndpoint.ts';

/** A provider in the settings that keeps its instances on a Docker engine. */
export const DockerProviderConfig = z
  .strictObject({
    id: ProviderId,
    type: z.literal('docker'),
    endpoint: z
      .string()
      .max(1024, 'must have at most 1024 characters')
      .refine(isEndpoint, 'must be unix:///path, npipe:////./pipe/name, tcp://host:port or ssh://user@host')
      .optional()
      .describe(
        'Where the engine listens, such as ssh://user@host; else the context, DOCKER_HOST or the current context.',
      ),
    context: z
      .string()
      .max(255, 'must have at most 255 characters')
      .regex(/^[a-zA-Z0-9][\w.+-]*$/, 'must be the name of a Docker context')
      .optional()
      .describe('Name of a context of the docker command line.'),
    /** For a `tcp://` endpoint: PEM files of this machine. */
    tls: z.strictObject({ ca: AbsolutePath, cert: AbsolutePath, key: AbsolutePath }).optional(),
    image: ImageReference.optional().describe('Image of instances that name none; else the runtime image itself.'),
    runtimeImage: ImageReference.optional().describe(
      'Image that the editor server is taken from, for images without one; else code-server, pinned.',
    ),
    proxies: z
      .boolean()
      .optional()
      .describe(
        'Give new containers the proxies of the docker command line, as docker run does, else those of the editor or the environment.',
      ),
    /** Limits of instances that ask for none. */
    resources: Resources.optional(),
  })
  .refine(config => !(config.endpoint && config.context), 'must name an endpoint or a context, not both');
export type DockerProviderConfig = z.infer<typeof DockerProviderConfig>;
