import * as path from 'node:path';
import * as z from 'zod';
import type { WebSettings } from '../../model/webSettings.ts';
import { type Proxies, proxiesElsewhere, proxiesOf, proxyVariables } from '../webProxies.ts';
import type { EndpointSources } from './dockerEndpoint.ts';

/** What of the `docker` command line's `config.json` tells of proxies (docker/cli, `cli/config/configfile`). */
const DockerConfigFile = z.object({
  proxies: z.record(
    z.string(),
    z.object({
      httpProxy: z.string().optional(),
      httpsProxy: z.string().optional(),
      ftpProxy: z.string().optional(),
      allProxy: z.string().optional(),
      noProxy: z.string().optional(),
    }),
  ),
});

/** Pure: the proxies that `docker run` would give to a container of the engine at `host`; undefined when it has none. */
export function dockerProxies(text: string | undefined, host: string | undefined): Proxies | undefined {
  let file: unknown;
  try {
    file = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  const proxies = DockerConfigFile.safeParse(file).data?.proxies;
  const found = (host === undefined ? undefined : proxies?.[host]) ?? proxies?.default;
  if (!found) return undefined;
  const { httpProxy: http, httpsProxy: https, ftpProxy: ftp, allProxy: all, noProxy: no } = found;
  return { http, https, ftp, all, no };
}

/**
 * What a container is told of proxies, as `NAME=value`: what `docker run` would tell it, else the proxies of the person
 * who runs this, where they can be reached from elsewhere.
 */
export async function containerProxies(
  host: string | undefined,
  web: WebSettings | undefined,
  { env, homeDirectory, readFile }: Pick<EndpointSources, 'env' | 'homeDirectory' | 'readFile'>,
): Promise<string[]> {
  const directory = env.DOCKER_CONFIG || path.join(homeDirectory, '.docker');
  const own = dockerProxies(await readFile(path.join(directory, 'config.json')), host ?? env.DOCKER_HOST);
  const variables = proxyVariables(own ?? proxiesElsewhere(proxiesOf(web, env)));
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}
