import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { providerUnreachable } from '../../src/model/errors.ts';
import { Emitter } from '../../src/model/event.ts';
import type {
  InstanceConfig,
  InstanceIdentity,
  InstanceRole,
  InstanceStatus,
  StopCause,
} from '../../src/model/instance.ts';
import type { OperationContext } from '../../src/model/operationContext.ts';
import type {
  CommandResult,
  InstanceObservation,
  InstanceStats,
  Provider,
  ProviderAbilities,
} from '../../src/model/provider.ts';

import { LinuxProcesses } from '../../src/providers/local/linuxProcesses.ts';
import { endFamily } from '../../src/providers/local/processes.ts';
import { testMachine } from './testMachine.ts';

/** Every call of a provider that a fault can be put on. */
export type MemoryCall = Exclude<keyof Provider | keyof ProviderAbilities, 'id' | 'type' | 'abilities'>;

/** One instance of the place, as its engine would know it. */
export interface MemoryInstance {
  identity: InstanceIdentity;
  readonly token: string;
  readonly log: string[];
  config: InstanceConfig;
  variables: Record<string, string>;
  role: InstanceRole;
  running: boolean;
  detail?: string;
  cause?: StopCause;
  pinnedImage?: string;
  port?: number;
  server?: http.Server;
}

/** What outlives an instance's server: its home, and what lies beside it. */
export interface MemoryHome {
  /** Of who owns it now. */
  swarmId: string;
  readonly token: string;
  variables: Record<string, string>;
  /** Whether a server has ever run on it. */
  used: boolean;
}

/** What ends a server's silence: its next start, a server made anew, or only {@link MemoryPlace.responsive}. */
export type SilenceCure = 'restart' | 'recreate' | 'none';

/** A home that was in use and is gone for good. `fault`: a test took it away, as a broken disk would. */
export interface DestroyedHome {
  readonly id: string;
  readonly by: MemoryCall | 'fault';
}

type Fault = { kind: 'fail'; error: unknown } | { kind: 'lose' } | { kind: 'hang' };

/**
 * A place that lives in memory and outlives its providers: a second provider on the same place is what a restart of the
 * controller sees. Faults are put on the place. Needs no clock, no file and no socket unless `homes` is given.
 */
export class MemoryPlace {
  readonly instances = new Map<string, MemoryInstance>();
  /** Homes by instance, also of those whose server was lost. */
  readonly homesOf = new Map<string, MemoryHome>();
  /** Every home that is gone for good, oldest first. */
  readonly destroyed: DestroyedHome[] = [];
  /** With a directory here every instance has a real home below it, a real shell and a real server. */
  readonly homes: string | undefined;
  /** Awaited at the beginning of each call. */
  latency: (call: MemoryCall) => Promise<void> = async () => {};
  /** What `executeCommand` answers in a place without homes. */
  shell: (instanceId: string, command: string) => Promise<CommandResult> = async () => ({
    exitCode: 0,
    stdout: '',
    stderr: '',
    truncated: false,
  });
  /** What it has room for; undefined when it does not tell. */
  freeBytes: number | undefined = 9 * 1024 ** 3;
  /** What `stats` tells of each running instance, unless {@link usage} says more. */
  readonly usageOfAll: Omit<InstanceStats, 'id'> = {
    cpuCores: 0.25,
    memoryBytes: 128 * 1024 ** 2,
    diskUsedBytes: 1024 ** 3,
    diskTotalBytes: 10 * 1024 ** 3,
  };
  /** What `stats` tells of one instance in place of the usual. */
  readonly usage = new Map<string, Partial<Omit<InstanceStats, 'id'>>>();
  /** What holds a home, so that its removal is begun, and does not end. */
  readonly held = new Map<string, Error>();
  /** The digest that the name of an image leads to, `default` for the place's own; of others none is told. */
  readonly digests = new Map<string, string>();
  /** What instances were made of, oldest first, and whether a person's credentials could be used to get it. */
  readonly imagesUsed: { readonly image: string; readonly asPerson: boolean }[] = [];
  /** While true, no call gets through. */
  unreachable = false;
  /** Every call that reached the place, oldest first. */
  readonly calls: MemoryCall[] = [];
  readonly changed = new Emitter<string | undefined>();
  readonly logged = new Emitter<{ id: string; line: string }>();
  readonly #faults = new Map<MemoryCall, Fault[]>();
  readonly #silent = new Map<string, { seen: string; cure: SilenceCure }>();
  #frozen: InstanceObservation[] | undefined;
  #nextPort = 20_000;

  constructor({ homes }: { homes?: string } = {}) {
    this.homes = homes;
  }

  /** The next such call rejects before it does anything. */
  failNext(call: MemoryCall, error: unknown): void {
    this.#plan(call, { kind: 'fail', error });
  }

  /** The next such call does its work, and its answer is lost. */
  loseReply(call: MemoryCall): void {
    this.#plan(call, { kind: 'lose' });
  }

  /** The next such call does nothing until its signal is aborted. */
  hang(call: MemoryCall): void {
    this.#plan(call, { kind: 'hang' });
  }

  /** Until `thawList`, `observe` answers with `seen`, or what is here now, whatever happens. */
  freezeList(seen: InstanceObservation[] = this.observations()): void {
    this.#frozen = seen;
  }

  thawList(): void {
    this.#frozen = undefined;
  }

  get isListFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** No call that comes has a fault any more. */
  forgetFaults(): void {
    this.#faults.clear();
  }

  /** The editor server of an instance ends by itself. */
  async crash(
    id: string,
    detail = 'its editor server ended with exit code 137',
    cause: StopCause = 'exited',
  ): Promise<void> {
    const instance = this.instances.get(id);
    if (!instance) return;
    await this.halt(instance);
    instance.detail = detail;
    instance.cause = cause;
    this.changed.fire(id);
  }

  /** The editor server of an instance is ended because its memory is used up. */
  runOutOfMemory(id: string): Promise<void> {
    return this.crash(id, 'exited with code 137', 'out-of-memory');
  }

  /** The server runs, and a probe of it is told `seen`. */
  unresponsive(id: string, seen = 'did not answer in time', cure: SilenceCure = 'restart'): void {
    this.#silent.set(id, { seen, cure });
  }

  responsive(id: string): void {
    this.#silent.delete(id);
  }

  /** What a probe is told in place of an answer; undefined when the server answers. */
  silenceOf(id: string): string | undefined {
    return this.#silent.get(id)?.seen;
  }

  /** The server is removed behind our back; the home is left. */
  async loseServer(id: string): Promise<void> {
    const instance = this.instances.get(id);
    if (instance) await this.halt(instance);
    this.instances.delete(id);
    this.changed.fire(id);
  }

  /** The home is removed behind our back; a server that runs goes on without it. */
  async loseHome(id: string): Promise<void> {
    await this.removeHome(id, 'fault');
  }

  /** How many homes are gone that nobody deleted and no test took away. Must stay 0, whatever happens. */
  get homesLost(): number {
    return this.destroyed.filter(({ by }) => by !== 'deleteInstance' && by !== 'fault').length;
  }

  /** False when there was none. */
  async removeHome(id: string, by: DestroyedHome['by']): Promise<boolean> {
    const home = this.homesOf.get(id);
    if (!home) return false;
    this.homesOf.delete(id);
    if (home.used) this.destroyed.push({ id, by });
    if (this.homes !== undefined) await rm(path.join(this.homes, id), { recursive: true, force: true });
    return true;
  }

  listed(): InstanceObservation[] {
    return this.#frozen ?? this.observations();
  }

  observations(): InstanceObservation[] {
    return [...this.instances.values()].map(({ identity, role, running, detail, port }) => ({
      id: identity.id,
      swarmId: identity.swarmId,
      epoch: identity.epoch,
      ...(identity.generation === undefined ? {} : { generation: identity.generation }),
      createdAt: identity.createdAt,
      role,
      status: statusOf({ role, running }),
      ...(detail === undefined ? {} : { detail }),
      ...(running && port !== undefined ? { port } : {}),
    }));
  }

  /** Puts one call through, with whatever fault waits for it. */
  async pass<T>(providerId: string, call: MemoryCall, ctx: OperationContext, work: () => Promise<T> | T): Promise<T> {
    ctx.signal.throwIfAborted();
    await this.latency(call);
    ctx.signal.throwIfAborted();
    if (this.unreachable) throw providerUnreachable(providerId, 'connection refused', 'Start it and try again.');
    this.calls.push(call);
    const fault = this.#faults.get(call)?.shift();
    if (fault?.kind === 'hang') await aborted(ctx.signal);
    if (fault?.kind === 'fail') throw fault.error;
    const result = await work();
    if (fault?.kind === 'lose') throw providerUnreachable(providerId, 'the answer was lost', 'Look again.');
    return result;
  }

  newToken(): string {
    return randomBytes(16).toString('hex');
  }

  async run(instance: MemoryInstance): Promise<void> {
    if (instance.running) return;
    instance.running = true;
    delete instance.detail;
    delete instance.cause;
    const { id } = instance.identity;
    this.#cure(id, 'restart');
    const home = this.homesOf.get(id);
    if (home) home.used = true;
    instance.port = this.homes === undefined ? this.#nextPort++ : await this.#serve(instance);
    this.say(instance, `Web UI available at http://127.0.0.1:${instance.port}?tkn=${instance.token}`);
    this.changed.fire(id);
  }

  async halt(instance: MemoryInstance): Promise<void> {
    instance.running = false;
    delete instance.port;
    delete instance.detail;
    delete instance.cause;
    const { server } = instance;
    delete instance.server;
    server?.closeAllConnections();
    await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)));
    this.changed.fire(instance.identity.id);
  }

  /** Ends whatever was started in an instance. */
  async endCommands(id: string): Promise<void> {
    if (this.homes === undefined || process.platform !== 'linux') return;
    const assignment = `HOME=${path.join(this.homes, id)}`;
    await endFamily(new LinuxProcesses(testMachine), undefined, { graceMs: 0, assignment });
  }

  say(instance: MemoryInstance, line: string): void {
    instance.log.push(line);
    this.logged.fire({ id: instance.identity.id, line });
  }

  /** Takes the instance's server away, and puts another in its place that was never started. */
  async renew(instance: MemoryInstance): Promise<void> {
    const { id } = instance.identity;
    const old = this.instances.get(id);
    if (old) await this.halt(old);
    this.instances.set(id, instance);
    this.#cure(id, 'recreate');
  }

  /** Ends every server of the place. */
  async dispose(): Promise<void> {
    await Promise.all([...this.instances.values()].map(instance => this.halt(instance)));
  }

  #cure(id: string, by: SilenceCure): void {
    if (this.#silent.get(id)?.cure === by) this.#silent.delete(id);
  }

  #plan(call: MemoryCall, fault: Fault): void {
    this.#faults.set(call, [...(this.#faults.get(call) ?? []), fault]);
  }

  #serve(instance: MemoryInstance): Promise<number> {
    const server = http.createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const token = url.searchParams.get('tkn');
      if (url.pathname.replace(`/${instance.identity.id}`, '') === '/version') response.writeHead(200).end('memory');
      else if (token === instance.token) response.writeHead(302, { location: '/', 'set-cookie': 'tkn=1' }).end();
      else response.writeHead(403).end();
    });
    instance.server = server;
    return new Promise(resolve => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  }
}

export function statusOf({ role, running }: Pick<MemoryInstance, 'role' | 'running'>): InstanceStatus {
  if (role === 'removing') return 'deleting';
  if (role === 'trash') return 'trashed';
  return running ? 'running' : 'stopped';
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
