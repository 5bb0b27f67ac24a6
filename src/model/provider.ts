import * as z from 'zod';
import type { Disposable } from './event.ts';
import type {
  InstanceConfig,
  InstanceFilter,
  InstanceIdentity,
  InstanceRole,
  InstanceStatus,
  InstanceUpdate,
  Owner,
  VSCodeInstance,
} from './instance.ts';
import type { LockedContext, OperationContext } from './operationContext.ts';

/** What a provider, or a kind of provider, is called. */
export const ProviderId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and dashes');

/** What kind of place a provider is; the names are those of the table in `providers/providerFactory.ts`. */
export type ProviderType = string;

/** What a provider can do and take (seed, Provider Capabilities). Sizes in MiB. */
export const ProviderCapabilities = z.strictObject({
  supportsLiveResize: z.boolean(),
  supportsSnapshotting: z.boolean(),
  supportsMultiRegion: z.boolean(),
  supportedRegions: z.array(z.string()).optional(),
  maxInstancesPerUser: z.number(),
  maxResourcesPerInstance: z.strictObject({
    cpu: z.strictObject({ cores: z.number(), limit: z.number().optional() }),
    memory: z.strictObject({ min: z.number(), max: z.number().optional() }),
    storage: z.strictObject({ size: z.number(), persistent: z.boolean() }).optional(),
  }),
});
export type ProviderCapabilities = z.infer<typeof ProviderCapabilities>;

/** What the controller hands over to make an instance: what was asked for, and the identity it minted. */
export interface InstanceSpec extends InstanceConfig {
  readonly identity: InstanceIdentity;
  /** Values of `secretEnv`. Written to the reserved folder beside the home, and nowhere else. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What it is made of, as {@link VSCodeInstance} has it; absent for what the name of its image leads to now. */
  readonly pinnedImage?: string;
}

/** What an instance is to be. */
export interface InstanceChange extends InstanceUpdate {
  /** Whether its image is asked for anew, though its name may stay. */
  readonly renewsImage?: boolean;
}

/** Who an instance is handed over to (semantics 40). */
export interface InstanceHeir {
  readonly swarmId: string;
  /** Higher than that of every copy of it. */
  readonly epoch: number;
  readonly owner: Owner;
}

/**
 * One row of a provider's batch observation: what the one list call tells, of every swarm. Swarm and epoch are those of
 * its owner now, whoever made it.
 */
export interface InstanceObservation {
  readonly id: string;
  readonly swarmId: string;
  readonly epoch: number;
  readonly generation?: number | undefined;
  readonly role: InstanceRole;
  readonly status: InstanceStatus;
  readonly detail?: string | undefined;
  readonly port?: number | undefined;
  /** The host on which it runs, where that is not this one; its status is `unknown` then. */
  readonly elsewhere?: string | undefined;
  readonly createdAt: string;
}

/** A server's own log, or what was asked of it. */
export interface LogOptions {
  /** At most this many last lines; 200 when absent. */
  tail?: number;
  /** ISO time; only what came after it. */
  since?: string;
}
export interface InstanceLogs {
  /** Lines in order of time, without the instance's token. */
  lines: string[];
  /** Whether older lines were left out. */
  truncated: boolean;
}

export interface CommandResult {
  /** Exit code; 128 + signal when a signal ended it. */
  exitCode: number;
  stdout: string;
  stderr: string;
  /** Whether output past {@link ExecuteOptions.maxOutputBytes} was dropped. */
  truncated: boolean;
}
export interface ExecuteOptions extends OperationContext {
  /** Written to the command's standard input, then closed. How credentials travel: never in arguments. */
  stdin?: AsyncIterable<Uint8Array>;
  /** Bytes kept of each stream; 1 MiB when absent. */
  maxOutputBytes?: number;
}

/** Where an instance's port can be reached from the machine that runs the controller. */
export interface Endpoint extends Disposable {
  readonly host: '127.0.0.1';
  readonly port: number;
}

/** How a face gets a real terminal inside an instance. */
export type TerminalSpec =
  | { kind: 'process'; file: string; args: string[]; cwd: string; env: Record<string, string> }
  | { kind: 'stream'; open(size: TerminalSize, ctx?: OperationContext): Promise<TerminalStream> };
export interface TerminalSize {
  columns: number;
  rows: number;
}
export interface TerminalStream extends Disposable {
  onData(listener: (data: string) => void): Disposable;
  /** Fires once, with the exit code, or undefined when the connection was lost. */
  onExit(listener: (exitCode: number | undefined) => void): Disposable;
  write(data: string): void;
  resize(size: TerminalSize): void;
}

/** What an instance uses now. Sizes in bytes, CPU in cores. */
export interface InstanceStats {
  readonly id: string;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes?: number;
  /** Of the file system that its home lies on. */
  readonly diskUsedBytes?: number;
  readonly diskTotalBytes?: number;
}

/** A home at a place with nothing around it that could serve it. */
export interface StrayHome {
  readonly id: string;
  /** What is paid for, or kept from others, in GB. */
  readonly sizeGb: number;
}

/** Whether an editor server answered. `seen` says what came instead, in words that go on after "it". */
export type Probe =
  | { readonly answered: true; readonly latencyMs: number }
  | { readonly answered: false; readonly latencyMs: number; readonly seen: string };

/** What `media/instance/home.mjs` does beside a home. */
export type HomeTask = 'digest' | 'list' | 'export' | 'import';

/** A program at work beside a home. */
export interface HomeProcess {
  readonly output: AsyncIterable<Uint8Array>;
  /**
   * Resolves when it may be given more. The chunk, and the memory that only it holds, are the program's from then on. One
   * that has ended takes nothing, and says why with `done`.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Settles when its output was read to the end; rejects with `home-task-failed` and what it said when it failed. */
  readonly done: Promise<void>;
  /** Grows with all that comes of it, if only a sign of life: several a minute while it works and need not wait. */
  signs(): number;
  /** Ends it when it still runs, and leaves nothing of it but what it wrote into the home. Never rejects. */
  end(): Promise<void>;
}

/**
 * What more a place can do than the seed's interface. A member that is present is a promise; the core asks
 * `provider.abilities.x` and never a provider's type.
 */
export interface ProviderAbilities {
  /** Whether an instance can be made from an image of the caller's choice. */
  readonly images: boolean;
  /** Whether `resources` are enforced. */
  readonly limits: boolean;
  /** Whether an instance that does not run, in the trash too, costs money there. */
  readonly costsAtRest?: boolean;
  /**
   * Pure: whether an update makes everything of it but its home anew, beside one that names an image. A place without it
   * never does.
   */
  remakes?(before: InstanceConfig, after: InstanceConfig): boolean;
  /** Everything that bears our labels, of every swarm, in one call to the place. */
  observe(ctx?: OperationContext): Promise<InstanceObservation[]>;
  /**
   * All of an instance that was just observed, without asking for what `observe` told; undefined when its record is no
   * longer there. A place without it is asked by `getInstance`.
   */
  describe?(seen: InstanceObservation, ctx?: OperationContext): Promise<VSCodeInstance | undefined>;
  /** The editor server's connection token, read from the reserved folder (semantics 35). */
  readToken(instanceId: string, ctx?: OperationContext): Promise<string>;
  /** Absolute path of the workspace as the instance itself sees it. */
  workspacePath(instanceId: string): string;
  /** A command line for `executeCommand` that installs an extension into the instance's editor server. */
  installExtensionCommand(instanceId: string, extensionId: string): string;
  /** A loopback address that leads to `port` inside the instance; without `port`, to its editor server. */
  connect(instanceId: string, port?: number, ctx?: OperationContext): Promise<Endpoint>;
  /**
   * Asks the instance's own editor server for its version, within the context's time. Rejects only when the place itself
   * can't be reached, or with the signal's reason.
   */
  probe(instanceId: string, port: number | undefined, ctx: OperationContext): Promise<Probe>;
  /**
   * What its editor server answered while `observe` saw it; undefined when that is for a probe to find out. A place that
   * asks there and then spares its watchers a second way to it.
   */
  heard?(seen: InstanceObservation): Probe | undefined;
  /** Whether its home is there and its own, by label: what may be made anew around it without losing a file. */
  hasHome(instanceId: string, ctx?: OperationContext): Promise<boolean>;
  /** Makes everything of it anew but its home, and starts it. Rejects with `home-missing` when there is none. */
  recreateInstance(spec: InstanceSpec, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Stops the instance and keeps it, with its home, in the trash. Idempotent. */
  trashInstance(instanceId: string, ctx: LockedContext): Promise<void>;
  /** Takes it back out of the trash, stopped. Idempotent. */
  restoreInstance(instanceId: string, ctx: LockedContext): Promise<VSCodeInstance>;
  /**
   * Makes an instance in the role `incoming`, stopped and with a new token, for the home of a copy elsewhere. Adopts what
   * an earlier try made, and rejects with `id-taken` when there is anything else of that id.
   */
  prepareIncoming(spec: InstanceSpec, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Stops the instance and gives it another role; only an `owner` can be started. Idempotent. */
  setRole(instanceId: string, role: InstanceRole, ctx: LockedContext): Promise<VSCodeInstance>;
  /**
   * Makes another swarm its owner, as it is: nothing is stopped. Its observations tell the new owner from then on, and
   * who claims it for another one is refused. Idempotent; of two that take it from one owner at once, one is refused.
   */
  transfer(instanceId: string, heir: InstanceHeir, ctx: LockedContext): Promise<VSCodeInstance>;
  /**
   * Takes the server of an instance that is `elsewhere` for ended, as a person says: from then on it is stopped, and
   * anybody may start it. Rejects with `wrong-state` when it is not elsewhere (any more).
   */
  giveUpServer?(instanceId: string, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Starts `home.mjs` beside the home of an instance, whatever its role, and whether it runs or not. */
  openHome?(instanceId: string, task: HomeTask, ctx?: OperationContext): Promise<HomeProcess>;
  /** Bytes that homes can still take there; undefined when that can't be told now. */
  freeBytes?(ctx?: OperationContext): Promise<number | undefined>;
  /** What homes take on the disk, in bytes, whatever their role; what can't be told is left out. */
  homeBytes?(instanceIds: readonly string[], ctx?: OperationContext): Promise<ReadonlyMap<string, number>>;
  /** Homes of a swarm around which nothing is: what others have left when they removed an instance's server. */
  strayHomes?(swarmId: string, ctx?: OperationContext): Promise<StrayHome[]>;
  /** Wakes the reconciler when something changed at the place; `undefined` when the stream itself was lost. */
  watch?(wake: (instanceId: string | undefined) => void): Disposable;
  stats?(instanceIds: readonly string[], ctx?: OperationContext): Promise<InstanceStats[]>;
  terminal?(instanceId: string, ctx?: OperationContext): Promise<TerminalSpec>;
  /** Calls `sink` for each line until the context is cancelled or the server ends. */
  followLogs?(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void>;
  /** Ports on which something inside listens, the editor server's own left out. */
  listPorts?(instanceId: string, ctx?: OperationContext): Promise<number[]>;
  /** URI with which a desktop VS Code attaches itself, and the extension that it needs. */
  attachUri?(instanceId: string): Promise<{ uri: string; extensionId: string }>;
}

/**
 * A place where instances live (seed, Provider Interface). Every method:
 * - rejects only with `SwarmError` or the signal's abort reason;
 * - is safe to repeat: a create whose answer was lost adopts what it made (semantics 28);
 * - changes nothing for a `claim` that is not its owner's: `owned-by-another`, `older-state` (semantics 40, 41);
 * - touches only resources that bear our labels.
 */
export interface Provider {
  readonly id: string;
  readonly type: ProviderType;
  readonly abilities: ProviderAbilities;
  getCapabilities(): ProviderCapabilities;
  /** Reaches the place and checks that it can be used. Rejects with the reason and its fix. */
  initialize(ctx?: OperationContext): Promise<void>;
  /** Makes and starts it; resolves when the editor server answers. Leaves nothing behind when it rejects. */
  createInstance(spec: InstanceSpec, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Null only when the place itself says that there is no such instance. */
  getInstance(instanceId: string, ctx?: OperationContext): Promise<VSCodeInstance | null>;
  listInstances(filter?: InstanceFilter, ctx?: OperationContext): Promise<VSCodeInstance[]>;
  startInstance(instanceId: string, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Asks nicely, then ends it; `force` ends it at once. */
  stopInstance(instanceId: string, force: boolean, ctx: LockedContext): Promise<VSCodeInstance>;
  /** Removes the instance and its home for good, and confirms that they are gone. False when there was nothing. */
  deleteInstance(instanceId: string, ctx: LockedContext): Promise<boolean>;
  /** Live where the place can, else by making it anew on the same home. `secrets` as in {@link InstanceSpec}. */
  updateInstance(
    instanceId: string,
    config: InstanceChange,
    ctx: LockedContext,
    secrets?: Readonly<Record<string, string>>,
  ): Promise<VSCodeInstance>;
  getInstanceLogs(instanceId: string, options?: LogOptions, ctx?: OperationContext): Promise<InstanceLogs>;
  /** Runs `command` with the instance's own shell, in its workspace, with its environment. */
  executeCommand(instanceId: string, command: string, options?: ExecuteOptions): Promise<CommandResult>;
  /** Ends connections, streams and tunnels. Instances go on running. */
  dispose(): Promise<void>;
}
