import { access, constants, readFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { providerRefused, providerUnreachable, type SwarmError } from '../../model/errors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import type { WebSettings } from '../../model/webSettings.ts';
import { SshLink } from '../sshLink.ts';
import { DialAgent } from './dialStdio.ts';
import type { DockerProviderConfig } from './dockerConfig.ts';
import { type DockerEndpoint, resolveEndpoint, type SocketSources } from './dockerEndpoint.ts';
import { containerProxies } from './dockerProxies.ts';
import { dial, engineClient } from './engineClient.ts';
import { isOtherApi, translateEngineError } from './engineErrors.ts';
import { type ApiRange, compareVersions, oldestApi, pinnedApi } from './pinnedApi.ts';
import { RegistryCredentials } from './registryCredentials.ts';

/** How long one call may take when nothing else is said. An engine never ends a call by itself (semantics 25). */
const patience = 15_000;

/** What an engine says of itself. Memory in MiB. */
export interface EngineFacts {
  readonly version: string;
  readonly cpus: number;
  readonly memoryMb: number;
}

/** Where Docker's own command line looks for an engine here. */
export const thisMachine: SocketSources = {
  env: process.env,
  homeDirectory: os.homedir(),
  platform: process.platform,
  uid: process.getuid?.(),
  readFile: file => readFile(file, 'utf8').catch(() => undefined),
  lookFor: async socket => {
    const may = (mode: number) =>
      access(socket, mode).then(
        () => true,
        () => false,
      );
    if (!(await may(constants.F_OK))) return 'absent';
    return (await may(constants.R_OK | constants.W_OK)) ? 'usable' : 'forbidden';
  },
};

/** The way to an engine. */
interface Way {
  readonly options: ClientOptions;
  /** Through ssh: what all of its connections share, where that can be had. */
  readonly link?: SshLink;
  readonly agent?: DialAgent;
}
type ClientOptions = Dockerode.DockerOptions & { readonly agent?: DialAgent };
type Connection = Way & { readonly docker: Dockerode };

/** The door to one engine: every call goes through {@link call}, ends in time, and fails with a `SwarmError`. */
export class DockerEngine {
  readonly providerId: string;
  /** Of the person who runs this, for registries. */
  readonly credentials: RegistryCredentials;
  readonly #config: DockerProviderConfig;
  #endpoint: Promise<DockerEndpoint> | undefined;
  #connection: Promise<Connection> | undefined;
  #publishesElsewhere = false;
  readonly #disposed = new AbortController();

  readonly #webSettings: () => WebSettings | undefined;

  constructor(config: DockerProviderConfig, webSettings: () => WebSettings | undefined = () => undefined) {
    this.providerId = config.id;
    this.#webSettings = webSettings;
    this.credentials = new RegistryCredentials(config.id, thisMachine);
    this.#config = config;
  }

  /** Whether ports that the engine publishes are taken for ports of this machine. */
  async publishesHere(): Promise<boolean> {
    return !this.#publishesElsewhere && (await this.#resolve()).kind === 'socket';
  }

  /**
   * An instance was reached through the engine, and not on its published port: the socket is here and the engine is not,
   * as in a container that the socket is mounted into, or for one in a virtual machine.
   */
  notePublishesElsewhere(): void {
    this.#publishesElsewhere = true;
  }

  /** What new containers are told of proxies, as `NAME=value`: nothing unless a person says so. */
  async proxies(): Promise<string[]> {
    const { proxies, endpoint } = this.#config;
    return proxies ? containerProxies(endpoint, this.#webSettings(), thisMachine) : [];
  }

  /** The folder of its volumes on this machine; undefined unless the engine says that it runs here. */
  async volumesHere(ctx: OperationContext): Promise<string | undefined> {
    if (!(await this.publishesHere())) return undefined;
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
    let used: Promise<Connection> | undefined;
    try {
      const asked = (async () => {
        address = addressOf(await this.#resolve());
        const docker = await this.#connect();
        used = this.#connection;
        return work(engineClient(docker, this.providerId, ctx), signal);
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
      if (isOtherApi(error)) this.#forget(used);
      if (limit.aborted) throw this.#silent(doing, milliseconds);
      throw translateEngineError(error, { providerId: this.providerId, address, doing });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async dispose(): Promise<void> {
    this.#disposed.abort();
    await close(await this.#connection?.catch(() => undefined));
  }

  #resolve(): Promise<DockerEndpoint> {
    this.#endpoint ??= resolveEndpoint(this.#config, thisMachine);
    this.#endpoint.catch(() => {
      this.#endpoint = undefined;
    });
    return this.#endpoint;
  }

  #silent(doing: string, milliseconds: number): SwarmError {
    return providerUnreachable(
      this.providerId,
      `${doing} got no answer within ${Math.round(milliseconds / 1000)} s`,
      'The Docker engine may be overloaded or hanging. Try again, or restart it.',
    );
  }

  #assertOpen(): void {
    if (this.#disposed.signal.aborted) throw providerUnreachable(this.providerId, 'it was closed', 'Try again.');
  }

  async #connect(): Promise<Dockerode> {
    this.#assertOpen();
    const current = await this.#connection;
    if (current?.link?.alive === false) {
      this.#connection = undefined;
      await close(current);
    }
    this.#connection ??= this.#open();
    const opening = this.#connection;
    opening.catch(() => this.#leave(opening));
    return (await opening).docker;
  }

  /** The engine behind it was updated, so that nothing which was open has outlived that. */
  #forget(connection: Promise<Connection> | undefined): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    void connection.then(close, () => {});
  }

  /** What could not be opened is looked for anew, where nobody has named its place. */
  #leave(connection: Promise<Connection>): void {
    if (this.#connection === connection) [this.#connection, this.#endpoint] = [undefined, undefined];
  }

  async #open(): Promise<Connection> {
    // Loaded at first use: it is the heaviest module of all.
    const [{ default: Client }, endpoint] = await Promise.all([import('dockerode'), this.#resolve()]);
    const way = await this.#way(endpoint);
    const limit = AbortSignal.timeout(patience);
    try {
      const abortSignal = AbortSignal.any([this.#disposed.signal, limit]);
      const asked = { path: '/version', method: 'GET', abortSignal };
      const range = await dial<ApiRange>(engineClient(makeClient(Client, way.options), this.providerId, quietContext), {
        ...{ ...asked, statusCodes: { 200: true } },
      });
      return { ...way, docker: makeClient(Client, { ...way.options, version: `v${pinnedApi(range)}` }) };
    } catch (error) {
      await close(way);
      this.#assertOpen();
      // Whoever asks next may wait for the same connection, and has been waiting for less.
      if (limit.aborted) throw this.#silent('Asking for the version', patience);
      throw error;
    }
  }

  async #way(endpoint: DockerEndpoint): Promise<Way> {
    if (endpoint.kind === 'socket') return { options: { socketPath: endpoint.path } };
    if (endpoint.kind === 'tcp') {
      const { host, port, tls } = endpoint;
      return { options: { host, port, protocol: tls ? 'https' : 'http', ...tls } };
    }
    const { socket, ...target } = endpoint;
    // Windows' ssh shares no connection.
    const link = process.platform === 'win32' ? undefined : await SshLink.open(this.providerId, target, 'connection');
    const agent = new DialAgent(this.providerId, { target, socket }, link?.socketPath ?? 'none');
    return { options: { host: 'engine', port: 80, protocol: 'http', agent }, agent, ...(link && { link }) };
  }
}

async function close(way: Way | undefined): Promise<void> {
  way?.agent?.destroy();
  await way?.link?.dispose();
}

/**
 * A client of this one address. While it is made, dockerode must not see `DOCKER_HOST`: it would read the files of
 * `DOCKER_CERT_PATH`, and prefer that host to a socket; {@link resolveEndpoint} has heeded the variables already.
 */
function makeClient(Client: typeof Dockerode, options: ClientOptions): Dockerode {
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
  if (endpoint.kind === 'ssh') return `ssh://${endpoint.host}${endpoint.socket ?? ''}`;
  return `tcp://${endpoint.host}:${endpoint.port}`;
}
