import { instanceNotFound, providerUnreachable, wrongState } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { type OperationContext, quietContext } from '../model/operationContext.ts';
import type {
  CommandResult,
  Endpoint,
  ExecuteOptions,
  InstanceLogs,
  InstanceStats,
  LogOptions,
  Provider,
  TerminalSpec,
} from '../model/provider.ts';
import { need } from './instanceLifecycle.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import { SharedEndpoints } from './sharedEndpoints.ts';

/**
 * The ways into an instance. Changes nothing that the registry knows. Every method throws `instanceNotFound`; those that
 * need it to run, `wrongState` or, when its provider does not answer, `providerUnreachable`.
 */
export class InstanceAccess {
  readonly #registry: InstanceRegistry;
  readonly #providers: ProviderDirectory;
  readonly endpoints: SharedEndpoints;

  constructor(registry: InstanceRegistry, providers: ProviderDirectory) {
    this.#registry = registry;
    this.#providers = providers;
    this.endpoints = new SharedEndpoints(registry);
  }

  getInstanceLogs(instanceId: string, options?: LogOptions, ctx?: OperationContext): Promise<InstanceLogs> {
    return this.#providerOf(instanceId).getInstanceLogs(instanceId, options, ctx);
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const { abilities, id } = this.#providerOf(instanceId);
    await need(abilities.followLogs?.bind(abilities), id, 'follow logs')(instanceId, sink, ctx);
  }

  async executeCommand(instanceId: string, command: string, options?: ExecuteOptions): Promise<CommandResult> {
    return this.#runningProvider(instanceId).executeCommand(instanceId, command, options);
  }

  /** An address that opens the editor with nothing to type. Holds the token: for the person's browser only. */
  async openInstance(
    instanceId: string,
    ctx: OperationContext = quietContext,
  ): Promise<{ url: string; endpoint: Endpoint }> {
    const { abilities } = this.#runningProvider(instanceId);
    const reading = abilities.readToken(instanceId, ctx);
    reading.catch(() => {});
    const endpoint = await this.connectPort(instanceId, undefined, ctx);
    try {
      const query = new URLSearchParams({ tkn: await reading, folder: abilities.workspacePath(instanceId) });
      return { url: `http://${endpoint.host}:${endpoint.port}/${instanceId}/?${query}`, endpoint };
    } catch (error) {
      endpoint.dispose();
      throw error;
    }
  }

  /** Without a port, to its editor server. */
  async connectPort(
    instanceId: string,
    port: number | undefined,
    ctx: OperationContext = quietContext,
  ): Promise<Endpoint> {
    const { abilities } = this.#runningProvider(instanceId);
    const connect = (own: OperationContext) => abilities.connect(instanceId, port, own);
    return this.endpoints.open(this.#recordOf(instanceId), port, connect, ctx);
  }

  async listPorts(instanceId: string, ctx?: OperationContext): Promise<number[]> {
    const { abilities } = this.#runningProvider(instanceId);
    return (await abilities.listPorts?.(instanceId, ctx)) ?? this.#recordOf(instanceId).config.ports;
  }

  async terminal(instanceId: string, ctx?: OperationContext): Promise<TerminalSpec> {
    const { abilities, id } = this.#runningProvider(instanceId);
    return need(abilities.terminal?.bind(abilities), id, 'open terminals')(instanceId, ctx);
  }

  async attachUri(instanceId: string): Promise<{ uri: string; extensionId: string } | undefined> {
    return this.#runningProvider(instanceId).abilities.attachUri?.(instanceId);
  }

  async stats(instanceIds: readonly string[], ctx?: OperationContext): Promise<InstanceStats[]> {
    const byProvider = Map.groupBy(instanceIds, id => this.#providerOf(id));
    const answers = await Promise.all(
      [...byProvider].map(([{ abilities }, ids]) => abilities.stats?.(ids, ctx) ?? Promise.resolve([])),
    );
    return answers.flat();
  }

  #recordOf(instanceId: string): InstanceRecord {
    const record = this.#registry.getInstance(instanceId);
    if (!record) throw instanceNotFound(instanceId);
    return record;
  }

  #providerOf(instanceId: string): Provider {
    return this.#providers.get(this.#recordOf(instanceId).providerId);
  }

  #runningProvider(instanceId: string): Provider {
    const { status, providerId } = this.#recordOf(instanceId);
    if (status === 'unknown') {
      const { problem, hint } = this.#providers.condition(providerId) ?? {};
      throw providerUnreachable(providerId, problem ?? 'its state is not known', hint ?? 'Refresh, and try again.');
    }
    if (status !== 'running') throw wrongState(instanceId, status, 'start it first');
    return this.#providers.get(providerId);
  }
}
