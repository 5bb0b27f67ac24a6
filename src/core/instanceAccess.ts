import { instanceNotFound, providerUnreachable, wrongState } from '../model/errors.ts';
import type { InstanceRecord } from '../model/instance.ts';
import { cutNote, longestLine } from '../model/linesOf.ts';
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
import type { LockedVault } from '../model/stateStore.ts';
import { bytesOf } from '../model/textCut.ts';
import { secretNames } from './changesOf.ts';
import { need } from './instanceLifecycle.ts';
import type { InstanceRegistry } from './instanceRegistry.ts';
import { refuseOverruled } from './overruling.ts';
import type { ProviderDirectory } from './providerDirectory.ts';
import type { SecretMask } from './secretMask.ts';
import type { SecretMasks } from './secretMasks.ts';
import { SharedEndpoints } from './sharedEndpoints.ts';

/** Bytes of each stream of a command when its caller names no limit. */
const mostOutput = 1024 * 1024;
/** Bytes of UTF-8: of one that a cut has parted, none is there. */
const longestCharacter = 4;

/**
 * The ways into an instance. Changes nothing that the registry knows. Every method throws `instanceNotFound`; those that
 * need it to run, `wrongState` or, when its provider does not answer, `providerUnreachable`.
 */
export class InstanceAccess {
  readonly #registry: InstanceRegistry;
  readonly #providers: ProviderDirectory;
  readonly #vault: LockedVault;
  readonly #masks: SecretMasks;
  /** Of which token the mask knows, by instance: where it lives, and since which move. */
  readonly #known = new Map<string, string>();
  readonly endpoints: SharedEndpoints;

  constructor(registry: InstanceRegistry, providers: ProviderDirectory, vault: LockedVault, masks: SecretMasks) {
    this.#registry = registry;
    this.#providers = providers;
    this.#vault = vault;
    this.#masks = masks;
    this.endpoints = new SharedEndpoints(registry);
  }

  /** With the secrets of the instance masked, as all that is passed on of it. */
  async getInstanceLogs(
    instanceId: string,
    options?: LogOptions,
    ctx: OperationContext = quietContext,
  ): Promise<InstanceLogs> {
    const provider = this.#providerOf(instanceId);
    const mask = await this.#maskOf(instanceId, ctx);
    const logs = await provider.getInstanceLogs(instanceId, options, ctx);
    const lines = logs.lines.map(line => withoutUnsure(line, mask)).join('\n');
    return { ...logs, lines: logs.lines.length === 0 ? [] : mask.text(lines).split('\n') };
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const { abilities, id } = this.#providerOf(instanceId);
    const follow = need(abilities.followLogs?.bind(abilities), id, 'follow logs');
    const mask = await this.#maskOf(instanceId, ctx);
    await follow(instanceId, line => sink(mask.text(withoutUnsure(line, mask))), ctx);
  }

  async executeCommand(
    instanceId: string,
    command: string,
    options: ExecuteOptions = quietContext,
  ): Promise<CommandResult> {
    const provider = this.#runningProvider(instanceId);
    const mask = await this.#maskOf(instanceId, options);
    const { maxOutputBytes = mostOutput } = options;
    const limited = { ...options, maxOutputBytes };
    const { stdout, stderr, truncated, exitCode } = await provider.executeCommand(instanceId, command, limited);
    // One of them may be whole.
    const told = (text: string) => mask.text(text, truncated && bytesOf(text) > maxOutputBytes - longestCharacter);
    return { exitCode, stdout: told(stdout), stderr: told(stderr), truncated };
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
      const token = await reading;
      this.#masks.learnOf(instanceId, [token]);
      const query = new URLSearchParams({ tkn: token, folder: abilities.workspacePath(instanceId) });
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

  /**
   * Of what the instance has of secrets. Without those that were given to it nothing is passed on; its token cannot
   * always be read, and of a server that has none nobody can show it.
   */
  async #maskOf(instanceId: string, ctx: OperationContext): Promise<SecretMask> {
    const record = this.#recordOf(instanceId);
    // Also those that it is to have no longer: its files may still hold them.
    if (secretNames(record).length > 0) await this.#vault.read(instanceId);
    const where = `${record.providerId} ${record.epoch}`;
    if (this.#known.get(instanceId) !== where) {
      try {
        this.#masks.learnOf(instanceId, [await this.#providerOf(instanceId).abilities.readToken(instanceId, ctx)]);
        this.#known.set(instanceId, where);
      } catch {
        ctx.signal.throwIfAborted();
      }
    }
    return this.#masks.of(instanceId);
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
    const { status, providerId } = refuseOverruled(this.#recordOf(instanceId));
    if (status === 'unknown') {
      const { problem, hint } = this.#providers.condition(providerId) ?? {};
      throw providerUnreachable(providerId, problem ?? 'its state is not known', hint ?? 'Refresh, and try again.');
    }
    if (status !== 'running') throw wrongState(instanceId, status, 'start it first');
    return this.#providers.get(providerId);
  }
}

/** A line that was cut, up to where a secret may begin that the cut has parted. One that only says so was not cut. */
function withoutUnsure(line: string, mask: SecretMask): string {
  const [note] = cutNote.exec(line) ?? [];
  // What a provider writes before a line counts as part of it.
  if (note === undefined || bytesOf(line) < longestLine / 2) return line;
  return `${mask.text(line.slice(0, -note.length), true)}${note}`;
}
