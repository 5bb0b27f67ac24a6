import * as os from 'node:os';
import * as path from 'node:path/posix';
import type { Disposable } from '../../model/event.ts';
import type { InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext, withTimeout } from '../../model/operationContext.ts';
import type {
  Endpoint,
  HomeProcess,
  HomeTask,
  InstanceHeir,
  InstanceObservation,
  InstanceSpec,
  InstanceStats,
  Probe,
  ProviderAbilities,
  TerminalSpec,
} from '../../model/provider.ts';
import { editorCliFile } from '../editorCli.ts';
import { instanceLayout, probe } from '../editorServer.ts';
import { shellWord } from '../shellWord.ts';
import { sshArguments } from '../sshArguments.ts';
import { ForwardedPort } from './forwardedPort.ts';
import { noForward } from './hostDoors.ts';
import { HostWatch } from './hostWatch.ts';
import { closed } from './lastingLink.ts';
import { Probes } from './probes.ts';
import type { SshProvider } from './sshProvider.ts';

/** How long what was told of an instance is as good as what a get tells; milliseconds. */
const freshness = 2_000;

/** How long a first page may take before it is not waited for; milliseconds. */
const pagePatience = 3_000;

/** What a host can do beside the plain interface. */
export class SshAbilities implements ProviderAbilities {
  readonly images = false;
  readonly limits = false;
  readonly #provider: SshProvider;
  readonly #probes: Probes;
  readonly #open = new Set<Disposable>();
  readonly #told = new WeakMap<InstanceObservation, { readonly instance: VSCodeInstance; readonly at: number }>();
  readonly #heard = new WeakMap<InstanceObservation, Probe>();
  #isDisposed = false;

  constructor(provider: SshProvider) {
    this.#provider = provider;
    this.#probes = new Probes(provider.id, (wanted, ctx) => provider.call('probe', [wanted], ctx));
  }

  async observe(ctx: OperationContext = quietContext): Promise<InstanceObservation[]> {
    const { rows, whole, answered } = await this.#provider.call('observe', [], ctx);
    const at = performance.now();
    const latencies = new Map(answered.map(({ id, latencyMs }) => [id, latencyMs]));
    for (const row of rows) {
      const instance = whole.find(({ id, role }) => id === row.id && role === row.role);
      if (instance) this.#told.set(row, { instance, at });
      const latencyMs = row.role === 'owner' ? latencies.get(row.id) : undefined;
      if (latencyMs !== undefined) this.#heard.set(row, { answered: true, latencyMs });
    }
    return rows;
  }

  /** Those that are well are told with the list, so that a round over a whole host is one command. */
  heard(seen: InstanceObservation): Probe | undefined {
    return this.#heard.get(seen);
  }

  /** As the list call told it, so that a host's instances are found again with one command; a get tells it later. */
  async describe(seen: InstanceObservation): Promise<VSCodeInstance | undefined> {
    const told = this.#told.get(seen);
    return told && performance.now() - told.at < freshness ? told.instance : undefined;
  }

  readToken(instanceId: string, ctx: OperationContext = quietContext): Promise<string> {
    return this.#provider.call('readToken', [instanceId], ctx);
  }

  workspacePath(instanceId: string): string {
    return this.#layout(instanceId).workspace;
  }

  installExtensionCommand(instanceId: string, extensionId: string): string {
    const file = editorCliFile(this.#layout(instanceId));
    return `${shellWord(file)} --install-extension ${shellWord(extensionId)}`;
  }

  async connect(instanceId: string, port?: number, ctx: OperationContext = quietContext): Promise<Endpoint> {
    const serverPort = await this.#provider.call('serverPort', [instanceId], ctx);
    const forwarded = await ForwardedPort.open(this.#provider.connection, port ?? serverPort);
    if (port === undefined) await this.#refuseForbidden(forwarded, instanceId, ctx);
    if (this.#isDisposed || ctx.signal.aborted) {
      forwarded.dispose();
      ctx.signal.throwIfAborted();
      throw closed();
    }
    const kept = this.#keep(forwarded);
    return { host: forwarded.host, port: forwarded.port, dispose: () => kept.dispose() };
  }

  /** From the host itself, so that neither a forward nor a connection is made for it. */
  probe(instanceId: string, port: number | undefined, ctx: OperationContext): Promise<Probe> {
    return this.#probes.probe([instanceId, port ?? null], ctx);
  }

  hasHome(instanceId: string, ctx: OperationContext = quietContext): Promise<boolean> {
    return this.#provider.call('hasHome', [instanceId], ctx);
  }

  recreateInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.change(spec.identity.id, 'recreate', [spec], ctx);
  }

  async trashInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.setRole(instanceId, 'trash', ctx);
  }

  restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.setRole(instanceId, 'owner', ctx);
  }

  prepareIncoming(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.change(spec.identity.id, 'prepareIncoming', [spec], ctx);
  }

  setRole(instanceId: string, role: InstanceRole, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.change(instanceId, 'setRole', [instanceId, role], ctx);
  }

  transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.change(instanceId, 'transfer', [instanceId, heir], ctx);
  }

  giveUpServer(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.change(instanceId, 'giveUpServer', [instanceId], ctx);
  }

  openHome(instanceId: string, task: HomeTask, ctx: OperationContext = quietContext): Promise<HomeProcess> {
    return this.#provider.openHome(instanceId, task, ctx);
  }

  async freeBytes(ctx: OperationContext = quietContext): Promise<number | undefined> {
    return (await this.#provider.call('freeBytes', [], ctx)) ?? undefined;
  }

  async homeBytes(instanceIds: readonly string[], ctx = quietContext): Promise<Map<string, number>> {
    return new Map(await this.#provider.call('homeBytes', [instanceIds], ctx));
  }

  watch(wake: (instanceId: string | undefined) => void): Disposable {
    return this.#keep(new HostWatch(this.#provider, wake));
  }

  stats(instanceIds: readonly string[], ctx: OperationContext = quietContext): Promise<InstanceStats[]> {
    return this.#provider.call('stats', [instanceIds], ctx);
  }

  async terminal(instanceId: string, ctx: OperationContext = quietContext): Promise<TerminalSpec> {
    await this.#provider.call('serverPort', [instanceId], ctx);
    const command = await this.#provider.terminalCommand(instanceId);
    const args = sshArguments(this.#provider.connection.target, ['-tt'], 'none', command);
    const env = Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    return { kind: 'process', file: 'ssh', args, cwd: os.homedir(), env: Object.fromEntries(env) };
  }

  followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    return this.#provider.followLogs(instanceId, sink, ctx);
  }

  listPorts(instanceId: string, ctx: OperationContext = quietContext): Promise<number[]> {
    return this.#provider.call('listPorts', [instanceId], ctx);
  }

  /** The address of the Remote - SSH extension: host, user and port in hexadecimal JSON, and the folder to open. */
  async attachUri(instanceId: string): Promise<{ uri: string; extensionId: string }> {
    const { host: hostName, user, port } = this.#provider.connection.target;
    const target = JSON.stringify({ hostName, ...(user && { user }), ...(port && { port }) });
    const authority = `ssh-remote+${Buffer.from(target).toString('hex')}`;
    return {
      uri: `vscode-remote://${authority}${this.workspacePath(instanceId).split('/').map(encodeURIComponent).join('/')}`,
      extensionId: 'ms-vscode-remote.remote-ssh',
    };
  }

  /** Ends every endpoint and watch that is still open. */
  dispose(): void {
    this.#isDisposed = true;
    for (const resource of this.#open) resource.dispose();
  }

  /** Throws, and ends it, where no page comes through it, since the ssh server forbids that. */
  async #refuseForbidden(forwarded: ForwardedPort, instanceId: string, ctx: OperationContext): Promise<void> {
    await probe(forwarded.host, forwarded.port, instanceId, withTimeout(ctx, pagePatience)).catch(() => {});
    const refusal = await forwarded.refusal().catch(() => undefined);
    if (refusal === undefined) return;
    forwarded.dispose();
    throw noForward(this.#provider.connection.target, refusal);
  }

  #layout(instanceId: string) {
    return instanceLayout(path.join(this.#provider.instancesDirectory, `${instanceId}--owner`));
  }

  #keep(resource: Disposable): Disposable {
    const kept = {
      dispose: () => {
        this.#open.delete(kept);
        resource.dispose();
      },
    };
    this.#open.add(kept);
    return kept;
  }
}
