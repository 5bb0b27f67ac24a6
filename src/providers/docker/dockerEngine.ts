import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { providerRefused, providerUnreachable } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import { SshLink } from '../sshLink.ts';
import type { DockerProviderConfig } from './dockerConfig.ts';
import { type DockerEndpoint, type EndpointSources, resolveEndpoint } from './dockerEndpoint.ts';
import { engineClient } from './engineClient.ts';
import { translateEngineError } from './engineErrors.ts';
import { RegistryCredentials } from './registryCredentials.ts';

/** How long one call may take when nothing else is said. An engine never ends a call by itself (semantics 25). */
const patience = 15_000;
const oldestApi = '1.40';

/** What an engine says of itself. Memory in MiB. */
export interface EngineFacts {
  readonly version: string;
  readonly cpus: number;
  readonly memoryMb: number;
}

const thisMachine: EndpointSources = {
  env: process.env,
  homeDirectory: os.homedir(),
  platform: process.platform,
  readFile: file => readFile(file, 'utf8').catch(() => undefined),
};

/** The door to one engine: every call goes through {@link call}, ends in time, and fails with a `SwarmError`. */
export class DockerEngine {
  readonly providerId: string;
  /** Of the person who runs this, for registries. */
  readonly credentials: RegistryCredentials;
  readonly #config: DockerProviderConfig;
  #endpoint: Promise<DockerEndpoint> | undefined;
  #client: Promise<{ docker: Dockerode; forward?: SshLink }> | undefined;
  #disposed = false;

  constructor(config: DockerProviderConfig) {
    this.providerId = config.id;
    this.credentials = new RegistryCredentials(config.id, thisMachine);
    this.#config = config;
  }

  /** Whether ports that the engine publishes are ports of this machine. */
  async isLocal(): Promise<boolean> {
    return (await this.#resolve()).kind === 'socket';
  }

  /** The folder of its volumes on this machine; undefined unless the engine says that it runs here. */
  async volumesHere(ctx: OperationContext): Promise<string | undefined> {
    if (!(await this.isLocal())) return undefined;
    const { Name, DockerRootDir } = await this.call('Asking for the engine', ctx, docker => docker.info());
    return Name === os.hostname() ? path.join(DockerRootDir, 'volumes') : undefined;
  }

  /** Reaches the engine and checks that it can be used here. */
  async check(ctx: OperationContext): Promise<EngineFacts> {
    const version = await this.call('Asking for the version', ctx, docker => docker.version());
    if (compareVersions(version.ApiVersion ?? '0', oldestApi) < 0) {
      throw providerRefused(
        'engine-too-old',
        `The Docker engine "${this.providerId}" (${version.Version}) is too old.`,
        'Update it to Docker 19.03 or later.',
      );
    }
    const info = await this.call('Asking for the engine', ctx, docker => docker.info());
    if (info.OSType !== 'linux') {
      throw providerRefused(
        'engine-not-linux',
        `The Docker engine "${this.providerId}" runs ${info.OSType} containers.`,
        'Switch it to Linux containers.',
      );
    }
    return { version: version.Version, cpus: info.NCPU, memoryMb: Math.floor(info.MemTotal / 1024 ** 2) };
  }

  /**
   * Asks the engine for one thing. `doing` begins the error's sentence. Rejects with a `SwarmError`, or with the
   * context's reason; `milliseconds` without an answer read as "does not answer". A stream that comes later is closed.
   * A change is not asked for once the context's lock is lost.
   */
  async call<T>(
    doing: string,
    ctx: OperationContext,
    work: (docker: Dockerode, signal: AbortSignal) => Promise<T>,
    milliseconds: number = patience,
  ): Promise<T> {
    ctx.signal.throwIfAborted();
    const limit = AbortSignal.timeout(milliseconds);
    const signal = AbortSignal.any([ctx.signal, limit]);
    // Not every call of dockerode listens to its signal in every phase.
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let address = 'its address';
    try {
      const asked = (async () => {
        address = addressOf(await this.#resolve());
        return work(engineClient(await this.#connect(), this.providerId, ctx), signal);
      })();
      asked.then(
        answer => {
          if (signal.aborted && answer instanceof Readable) answer.destroy();
        },
        () => {},
      );
      return await Promise.race([asked, aborted.promise]);
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (limit.aborted) {
        throw providerUnreachable(
          this.providerId,
          `${doing} got no answer within ${Math.round(milliseconds / 1000)} s`,
          'The Docker engine may be overloaded or hanging. Try again, or restart it.',
        );
      }
      throw translateEngineError(error, { providerId: this.providerId, address, doing });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const client = await this.#client?.catch(() => undefined);
    await client?.forward?.dispose();
  }

  #resolve(): Promise<DockerEndpoint> {
    this.#endpoint ??= resolveEndpoint(this.#config, thisMachine);
    this.#endpoint.catch(() => {
      this.#endpoint = undefined;
    });
    return this.#endpoint;
  }

  async #connect(): Promise<Dockerode> {
    if (this.#disposed) throw providerUnreachable(this.providerId, 'it was closed', 'Try again.');
    const current = await this.#client;
    if (current?.forward?.alive === false) {
      this.#client = undefined;
      await current.forward.dispose();
    }
    this.#client ??= this.#open();
    const opening = this.#client;
    opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return (await opening).docker;
  }

  async #open(): Promise<{ docker: Dockerode; forward?: SshLink }> {
    // Loaded at first use: it is the heaviest module of all.
    const [{ default: Client }, endpoint] = await Promise.all([import('dockerode'), this.#resolve()]);
    if (endpoint.kind === 'socket') return { docker: makeClient(Client, { socketPath: endpoint.path }) };
    if (endpoint.kind === 'tcp') {
      const { host, port, tls } = endpoint;
      return { docker: makeClient(Client, { host, port, protocol: tls ? 'https' : 'http', ...tls }) };
    }
    const forward = await SshLink.open(this.providerId, endpoint, { forwardTo: endpoint.socket });
    return { docker: makeClient(Client, { socketPath: forward.socketPath }), forward };
  }
}

/**
 * A client of this one address. While it is made, dockerode must not see `DOCKER_HOST`: it would read the files of
 * `DOCKER_CERT_PATH`, and prefer that host to a socket; {@link resolveEndpoint} has heeded the variables already.
 */
function makeClient(Client: typeof Dockerode, options: Dockerode.DockerOptions): Dockerode {
  const { DOCKER_HOST: host } = process.env;
  delete process.env.DOCKER_HOST;
  try {
    return new Client(options);
  } finally {
    if (host !== undefined) process.env.DOCKER_HOST = host;
  }
}

function addressOf(endpoint: DockerEndpoint): string {
  if (endpoint.kind === 'socket') return endpoint.path;
  if (endpoint.kind === 'ssh') return `ssh://${endpoint.host}${endpoint.socket}`;
  return `tcp://${endpoint.host}:${endpoint.port}`;
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
