import { spawn } from 'node:child_process';
import * as path from 'node:path';
import * as z from 'zod';
import { providerRefused } from '../../model/errors.ts';
import { CappedOutput } from '../commandStreams.ts';
import { findCommand } from '../findCommand.ts';
import type { EndpointSources } from './dockerEndpoint.ts';

/** What an engine is told, for one registry. In no log and no error. */
export type RegistryAuth =
  | { readonly username: string; readonly password: string; readonly serveraddress: string }
  | { readonly identitytoken: string; readonly serveraddress: string };

/** Milliseconds in which a helper has to answer. */
const patience = 30_000;
const mostBytes = 65_536;

/** What of the `docker` command line's `config.json` tells how to sign in (docker/cli, `cli/config/configfile`). */
const DockerConfigFile = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
type DockerConfigFile = z.infer<typeof DockerConfigFile>;

/** What `docker-credential-<name> get` answers (docker/docker-credential-helpers). */
const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** The name under which Docker Hub's credentials are kept. */
const hub = 'https://index.docker.io/v1/';

/** Pure: the registry of an image, as credentials are kept for it. */
export function registryOf(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return !isHost || first === 'docker.io' || first === 'index.docker.io' ? hub : first;
}

/** The credentials with which a person's `docker pull` would sign in to a registry. */
export class RegistryCredentials {
  readonly #sources: EndpointSources;
  readonly #providerId: string;

  constructor(providerId: string, sources: EndpointSources) {
    this.#providerId = providerId;
    this.#sources = sources;
  }

  /** For the image's own registry; undefined when there are none. Rejects when a helper that keeps them fails. */
  async of(reference: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    const registry = registryOf(reference);
    const config = await this.#config();
    const helper = config?.credHelpers?.[registry] ?? config?.credsStore;
    return helper === undefined ? given(config, registry) : this.#ask(helper, registry, signal);
  }

  /** What cannot be read tells of no credentials, as for the command line. */
  async #config(): Promise<DockerConfigFile | undefined> {
    const { env, homeDirectory, readFile } = this.#sources;
    const directory = env.DOCKER_CONFIG || path.join(homeDirectory, '.docker');
    const text = await readFile(path.join(directory, 'config.json'));
    try {
      return text === undefined ? undefined : DockerConfigFile.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  }

  async #ask(helper: string, registry: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    const failed = (why: string) =>
      providerRefused(
        'credentials-unavailable',
        `The credentials for ${registry} could not be had for "${this.#providerId}": docker-credential-${helper} ${why}.`,
        'Check "credsStore" and "credHelpers" in the config.json of the docker command line, or sign in again with "docker login".',
      );
    if (!/^[\w][\w.-]*$/.test(helper)) throw failed('is no name of a helper');
    const { code, output } = await run(`docker-credential-${helper}`, registry, signal, this.#sources).catch(error => {
      signal.throwIfAborted();
      throw failed(error instanceof Error && error.name === 'TimeoutError' ? 'does not answer' : 'could not be run');
    });
    // How every helper says that it has none; its other words may hold anything.
    if (code !== 0 && /credentials not found/i.test(output)) return undefined;
    const answer = code === 0 ? HelperAnswer.safeParse(parsed(output)).data : undefined;
    if (!answer) throw failed('failed');
    return answer.Username === '<token>'
      ? { identitytoken: answer.Secret, serveraddress: registry }
      : { username: answer.Username, password: answer.Secret, serveraddress: registry };
  }
}

/** Of those that lie in the file itself. */
function given(config: DockerConfigFile | undefined, registry: string): RegistryAuth | undefined {
  const entries = Object.entries(config?.auths ?? {});
  const [, entry] =
    entries.find(([key]) => key === registry) ?? entries.find(([key]) => hostOf(key) === hostOf(registry)) ?? [];
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken, serveraddress: registry };
  const text = Buffer.from(entry?.auth ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  return {
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ''),
    serveraddress: registry,
  };
}

/** Earlier versions of the command line kept them under an address. */
const hostOf = (key: string) => key.replace(/^https?:\/\//, '').split('/', 1)[0];

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Pure: how a helper is started that was found at `found`. On Windows some are scripts, which only its shell can run; the
 * name, which holds nothing that a shell reads, is looked for on the PATH there, too.
 */
export function helperCommand(name: string, found: string | undefined, env: EndpointSources['env']) {
  if (!found || !/\.(cmd|bat)$/i.test(found)) return { file: found ?? name, args: ['get'], env };
  const shell = env.ComSpec ?? 'cmd.exe';
  // Not from wherever the editor was started.
  return { file: shell, args: ['/d', '/c', name, 'get'], env: { ...env, NoDefaultCurrentDirectoryInExePath: '1' } };
}

/**
 * Runs a helper with the registry on its standard input. Rejects when it can't be run, or takes too long, after ending it
 * with all that it has started.
 */
async function run(
  name: string,
  registry: string,
  signal: AbortSignal,
  sources: EndpointSources,
): Promise<{ code: number | null; output: string }> {
  const own = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const found = sources.platform === 'win32' ? await findCommand(name, sources.env.PATH) : undefined;
  const { file, args, env } = helperCommand(name, found, sources.env);
  own.throwIfAborted();
  // Many helpers are scripts: in a group of its own what such a one has started ends with it.
  const detached = sources.platform !== 'win32';
  const child = spawn(file, args, { env, detached, stdio: ['pipe', 'pipe', 'ignore'] });
  const end = () => {
    try {
      if (detached && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      else child.kill('SIGKILL');
    } catch {
      // It has ended in between.
    }
  };
  own.addEventListener('abort', end, { once: true });
  const output = new CappedOutput(mostBytes);
  child.stdout.on('data', (chunk: Buffer) => output.add(chunk));
  child.stdin.on('error', () => {}); // It has ended without reading: its exit code tells why.
  child.stdin.end(registry);
  const code = await new Promise<number | null>((resolve, reject) => {
    own.addEventListener('abort', () => reject(own.reason), { once: true });
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => own.removeEventListener('abort', end));
  return { code, output: output.text() };
}
