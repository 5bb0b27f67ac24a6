import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { isPlainPath } from '../../model/config.ts';
import { providerRefused, SwarmError } from '../../model/errors.ts';
import { onOneLine } from '../../model/textCut.ts';
import type { DockerProviderConfig } from './dockerConfig.ts';
import { usualSockets } from './usualSockets.ts';

/** PEM texts of a connection secured by TLS. */
export interface TlsMaterial {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An engine's address, checked: what is here may be connected to. */
export type DockerEndpoint =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsMaterial }
  /** `socket`: the engine's socket over there; else docker's own command finds it there. */
  | {
      readonly kind: 'ssh';
      readonly host: string;
      readonly user?: string;
      readonly port?: number;
      readonly socket?: string;
    };

/** What of this machine decides where the engine is. */
export interface EndpointSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly platform: NodeJS.Platform;
  /** The file's text; undefined when there is no such file. */
  readFile(file: string): Promise<string | undefined>;
}

/** The same, where no setting says it. */
export interface SocketSources extends EndpointSources {
  /** Of the user; undefined on Windows. */
  readonly uid: number | undefined;
  /** Whether there is such a socket, and whether the user may use it. */
  lookFor(socket: string): Promise<'usable' | 'forbidden' | 'absent'>;
}

type Settings = Pick<DockerProviderConfig, 'id' | 'endpoint' | 'context' | 'tls'>;
interface Address {
  readonly address: string;
  readonly pem?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/**
 * Finds the engine as the `docker` command line does, after the settings: endpoint, context, `DOCKER_HOST`,
 * `DOCKER_CONTEXT`, current context; then where engines usually are. Plain TCP is refused unless it is loopback
 * (semantics 36).
 */
export async function resolveEndpoint(settings: Settings, sources: SocketSources): Promise<DockerEndpoint> {
  const { address, pem } = await findAddress(settings, sources);
  const endpoint = parseEndpoint(settings.id, address);
  if (endpoint.kind !== 'tcp') return endpoint;
  if (!pem) {
    if (isLoopback(endpoint.host)) return endpoint;
    throw providerRefused(
      'plain-tcp',
      `The provider "${settings.id}" would talk to the Docker engine at ${address} without encryption.`,
      'Set "tls" to the ca, cert and key files of that engine, or reach it with ssh://user@host.',
    );
  }
  const read = async (file: string) => {
    const text = await sources.readFile(file);
    if (text === undefined) {
      throw providerRefused(
        'tls-file-missing',
        `The TLS file ${file} of the provider "${settings.id}" cannot be read.`,
        'Correct the paths in the "tls" setting, or in DOCKER_CERT_PATH.',
      );
    }
    return text;
  };
  const [ca, cert, key] = await Promise.all([read(pem.ca), read(pem.cert), read(pem.key)]);
  return { ...endpoint, tls: { ca, cert, key } };
}

async function findAddress({ id, endpoint, context, tls }: Settings, sources: SocketSources): Promise<Address> {
  const { env, homeDirectory } = sources;
  const withTls = (address: string): Address => (tls ? { address, pem: tls } : { address });
  if (endpoint) return withTls(endpoint);
  const directory = env.DOCKER_CONFIG || path.join(homeDirectory, '.docker');
  if (context) return contextAddress(id, context, directory, sources);
  if (env.DOCKER_HOST) {
    if (tls || !env.DOCKER_TLS_VERIFY) return withTls(env.DOCKER_HOST);
    return { address: env.DOCKER_HOST, pem: pemFiles(env.DOCKER_CERT_PATH || directory) };
  }
  const current = env.DOCKER_CONTEXT || (await currentContext(directory, sources));
  if (current && current !== 'default') return contextAddress(id, current, directory, sources);
  const scheme = sources.platform === 'win32' ? 'npipe' : 'unix';
  return { address: `${scheme}://${await usualSocket(sources)}` };
}

/** The first one that may be used; else the first one that is there; else where Docker itself would be. */
async function usualSocket(sources: SocketSources): Promise<string | undefined> {
  const sockets = usualSockets(sources);
  const seen = await Promise.all(sockets.map(socket => sources.lookFor(socket)));
  const first = (wanted: string) => sockets.find((_, index) => seen[index] === wanted);
  return first('usable') ?? first('forbidden') ?? sockets[0];
}

async function currentContext(directory: string, sources: EndpointSources): Promise<string | undefined> {
  const config = parseJson(await sources.readFile(path.join(directory, 'config.json')));
  return typeof config?.currentContext === 'string' ? config.currentContext : undefined;
}

async function contextAddress(id: string, name: string, directory: string, sources: EndpointSources): Promise<Address> {
  const key = createHash('sha256').update(name).digest('hex');
  const contexts = path.join(directory, 'contexts');
  const meta = parseJson(await sources.readFile(path.join(contexts, 'meta', key, 'meta.json')));
  const address = record(record(meta?.Endpoints)?.docker)?.Host;
  if (typeof address !== 'string') {
    throw providerRefused(
      'unknown-context',
      `There is no Docker context "${name}" for the provider "${id}".`,
      'Run "docker context ls" to see the names, or set the provider\'s "endpoint".',
    );
  }
  const files = pemFiles(path.join(contexts, 'tls', key, 'docker'));
  return (await sources.readFile(files.ca)) === undefined ? { address } : { address, pem: files };
}

const pemFiles = (directory: string) => ({
  ca: path.join(directory, 'ca.pem'),
  cert: path.join(directory, 'cert.pem'),
  key: path.join(directory, 'key.pem'),
});

/** Reads an address as Docker writes it. Hosts that a program could take for an option are refused. */
export function parseEndpoint(providerId: string, address: string): DockerEndpoint {
  const endpoint = endpointIn(address);
  if (endpoint) return endpoint;
  throw new SwarmError({
    family: 'validation',
    code: 'invalid-endpoint',
    message: `The provider "${providerId}" has no usable Docker address: ${withoutPassword(address)}.`,
    hint: 'Use unix:///path, tcp://host:port with "tls", or ssh://user@host.',
  });
}

/** Whether it can be written into the settings as it is. */
export const isEndpoint = (address: string) => !/\s/.test(address) && endpointIn(address) !== undefined;

function endpointIn(address: string): DockerEndpoint | undefined {
  if (!isPlainPath(address)) return undefined;
  const [, scheme, rest = ''] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme === 'unix' && rest.startsWith('/')) return { kind: 'socket', path: rest };
  if (scheme === 'npipe' && rest !== '') return { kind: 'socket', path: rest.replaceAll('\\', '/') };
  if ((scheme === 'tcp' || scheme === 'ssh') && URL.canParse(`http://${rest}`)) {
    const url = new URL(`http://${rest}`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const user = decoded(url.username);
    if (user === undefined) return undefined;
    const plain =
      url.password === '' && /^[A-Za-z0-9]/.test(host.replace(/^:+/, '')) && /^([\w.][\w.@+-]*)?$/.test(user);
    if (plain && scheme === 'ssh') {
      const socket = decoded(url.pathname);
      if (socket === undefined) return undefined;
      return {
        ...{ kind: 'ssh', host, ...(user && { user }), ...(url.port && { port: Number(url.port) }) },
        ...(socket !== '/' && { socket }),
      };
    }
    // URL drops the port that is its scheme's default.
    const port = Number(url.port || (/:80(\/|$)/.test(rest) ? 80 : 2375));
    if (plain && user === '') return { kind: 'tcp', host, port };
  }
  return undefined;
}

/** What a part of a URL says; undefined when it says nothing that can be used. */
function decoded(text: string): string | undefined {
  try {
    const plain = decodeURIComponent(text);
    return isPlainPath(plain) ? plain : undefined;
  } catch {
    return undefined;
  }
}

/** For errors: in one line, and without what stands between a user's colon and the host. */
export function withoutPassword(address: string): string {
  const scheme = address.indexOf('//');
  const begin = scheme < 0 ? 0 : scheme + 2;
  const path = address.indexOf('/', begin);
  const at = address.lastIndexOf('@', path < 0 ? address.length : path);
  const colon = address.indexOf(':', begin);
  const isGiven = at >= begin && colon >= 0 && colon < at;
  return onOneLine(isGiven ? `${address.slice(0, colon)}:***${address.slice(at)}` : address, 200);
}
const isLoopback = (host: string) => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

function parseJson(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined;
  }
}
