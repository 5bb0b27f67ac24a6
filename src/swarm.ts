import * as os from 'node:os';
import * as path from 'node:path';
import * as process from 'node:process';
import { AuditLog } from './core/auditLog.ts';
import { HealthBook } from './core/health/healthBook.ts';
import { InstanceRegistry } from './core/instanceRegistry.ts';
import { StreamCarrier } from './core/migration/homeCarrier.ts';
import { MigrationBook } from './core/migration/migrationBook.ts';
import { ObservedTime } from './core/observedTime.ts';
import { type ProviderCondition, ProviderDirectory } from './core/providerDirectory.ts';
import { withStatus } from './core/records.ts';
import { SecretMasks } from './core/secretMasks.ts';
import { SharedRecords } from './core/sharedRecords.ts';
import { StreamKeeper } from './core/snapshots/homeKeeper.ts';
import { SnapshotSchedule } from './core/snapshots/snapshotSchedule.ts';
import { SwarmController } from './core/swarmController.ts';

import { TrashExpiry } from './core/trashExpiry.ts';
import type { GitCredential } from './core/workspaceSetup.ts';
import { LateProviders } from './lateProviders.ts';
import { credentialKey, type ProviderConfig, type SwarmConfig } from './model/config.ts';
import { messageOf, SwarmError, unknownEnabledProvider } from './model/errors.ts';
import { InstanceHealth } from './model/health.ts';
import { InstanceRecord } from './model/instance.ts';
import { Migration } from './model/migration.ts';
import { ObservedTimeRecord } from './model/observedTimeRecord.ts';
import { type OperationContext, quietContext, withTimeout } from './model/operationContext.ts';
import type { Provider } from './model/provider.ts';
import { ProviderRecord } from './model/providerRecord.ts';
import { SnapshotRecord } from './model/snapshot.ts';
import { refusalOf } from './model/stateHindrance.ts';
import type { Quarantined, SecretVault } from './model/stateStore.ts';
import { onOneLine } from './model/textCut.ts';
import type { WebSettings } from './model/webSettings.ts';
import { BlastRadius, DestroyBudget } from './operations/blastRadius.ts';
import { agentOperations } from './operations/catalog.ts';
import { type GateTexts, type OperationCall, OperationGate } from './operations/operationGate.ts';
import { installEditorServer } from './providers/editorServerInstaller.ts';
import type { ProviderEnvironment } from './providers/providerEnvironment.ts';
import { ProviderFactory } from './providers/providerFactory.ts';
import { FileAppendLog } from './storage/appendLog.ts';
import { assertMovable } from './storage/assertMovable.ts';
import { ExplainedHomeArchive } from './storage/explainedHomeArchive.ts';
import { FileHomeArchive } from './storage/fileHomeArchive.ts';
import { FileLock } from './storage/fileLock.ts';
import { FileStateClaim } from './storage/fileStateClaim.ts';
import { surveyFolder } from './storage/folderSurvey.ts';
import { JsonFileStore } from './storage/jsonFileStore.ts';
import { LeaderLease } from './storage/leaderLease.ts';
import { moveState, settleMove } from './storage/moveState.ts';
import { packFolder } from './storage/packFolder.ts';
import { loadSwarmId } from './storage/swarmIdentity.ts';
import { readMachine } from './storage/thisMachine.ts';
import { fieldsOf } from './vscode/providerFields.ts';
import type { SwarmCore } from './vscode/swarmHost.ts';
import { thisUser } from './vscode/thisUser.ts';

/** How long a window waits for a provider that nobody configured to show that it is there. */
const detectionMilliseconds = 1_500;

/** What the swarm needs from whoever hosts it: an editor, a bench or a test. Paths are absolute. */
export interface Surroundings {
  /** The extension's own storage: state when the settings name no directory, local instances, the editor server. */
  readonly storageDirectory: string;
  /** `media/instance/launcher.mjs` of this extension. */
  readonly launcher: string;
  /** The settings as they are now, valid. */
  config(): SwarmConfig;
  /** Entries of the settings that no provider can be made of, with their problem. */
  rejectedProviders(): readonly ProviderCondition[];
  /** What the editor's settings say of the way to the web, as they are now. */
  webSettings?: () => WebSettings;
  readonly vault: SecretVault;
  /** A provider's credential in the secret storage. */
  readSecret(name: string): Promise<string | undefined>;
  writeSecret(name: string, value: string): Promise<void>;
  /** What opens private repositories on the same host as the address. */
  gitCredential(url: string): GitCredential | undefined;
  readonly texts: GateTexts;
  /** The creates that are under way in this window, whichever of its swarms makes them. */
  readonly creations: Map<string, AbortController>;
  /** Told of each state file that cannot be read. */
  unreadable(found: Quarantined): void;
}

/** Everything that lies in a state directory. */
const stateEntries = [
  'swarm.json',
  'instances',
  'health',
  'providers',
  'migrations',
  'snapshots',
  'homes',
  'observer.epoch',
  'observed-time',
  'audit',
  'agent-destroys',
] as const;

/** Throws `state-unmovable` unless it can be moved there. */
export const assertStateMovable = async (from: string, to: string): Promise<void> =>
  assertMovable({ entries: stateEntries, machine: await readMachine() }, from, to);

/** Moves all of it, in no matter how many windows it is in use. */
export const moveStateDirectory = async (from: string, to: string): Promise<void> =>
  moveState({ entries: stateEntries, machine: await readMachine() }, from, to, quietContext);

export const stateDirectoryOf = (config: SwarmConfig, storageDirectory: string) =>
  config.stateDirectory || storageDirectory;

/** Builds everything behind the faces, and starts it; never waits for a provider that is configured. */
export async function buildSwarm(surroundings: Surroundings): Promise<SwarmCore> {
  const { storageDirectory, launcher } = surroundings;
  const masks = new SecretMasks();
  const vault = masks.taughtBy(surroundings.vault);
  const learned = <T extends string | undefined>(value: T): T => {
    if (value !== undefined) masks.learn(value);
    return value;
  };
  const gitCredential = (url: string): GitCredential | undefined => {
    const credential = surroundings.gitCredential(url);
    return credential && { read: async mayAsk => learned(await credential.read(mayAsk)) };
  };
  const texts: GateTexts = {
    ...surroundings.texts,
    warn: message => surroundings.texts.warn(masks.all().text(message)),
  };
  const config = surroundings.config();
  const stateDirectory = stateDirectoryOf(config, storageDirectory);
  const editorServerDirectory = path.join(storageDirectory, 'editor-server');
  const machine = await readMachine();
  await settleMove({ entries: stateEntries, machine }, stateDirectory, quietContext);
  const claim = new FileStateClaim(stateDirectory, machine);
  const leave = (error: unknown) => {
    claim.dispose();
    throw error;
  };
  const { hindrance } = claim;
  if (hindrance && hindrance.why !== 'elsewhere') leave(refusalOf(hindrance));
  const { judge } = claim;
  const environment: ProviderEnvironment = {
    localDirectory: path.join(storageDirectory, 'local'),
    launcher,
    editorServerDirectory,
    machine,
    readSecret: async name => learned(await surroundings.readSecret(name)),
    ...(surroundings.webSettings && { webSettings: surroundings.webSettings }),
  };
  const { swarmId, quarantined } = await loadSwarmId(stateDirectory, judge).catch(leave);
  // Some is found before there is a controller to tell.
  const early: Quarantined[] = [];
  let note: (found: Quarantined) => unknown = found => early.push(found);
  const told = (found: Quarantined) => {
    // What was told already is found again whenever the state is read.
    if (note(found)) surroundings.unreadable(found);
  };
  const instances = new JsonFileStore(path.join(stateDirectory, 'instances'), InstanceRecord, 1, told, judge);
  const registry = new InstanceRegistry(instances, () => surroundings.config().autoSaveInterval);
  const lease = new LeaderLease(stateDirectory, undefined, judge);
  const providerBook = new SharedRecords(
    new JsonFileStore(path.join(stateDirectory, 'providers'), ProviderRecord, 1, told, judge),
  );
  const { providers, absent } = await makeProviders(config, surroundings.rejectedProviders(), environment, {
    isObserved: async providerId => {
      if (!config.loadStateOnStartup || !lease.isTaken()) return false;
      await providerBook.load();
      return providerBook.get(providerId) !== undefined;
    },
    isInhabited: async providerId => {
      if (config.loadStateOnStartup) await registry.load();
      return registry.getInstanceCount(providerId) > 0;
    },
  });
  const time = new ObservedTime(
    new JsonFileStore(path.join(stateDirectory, 'observed-time'), ObservedTimeRecord, 1, told),
    lease,
  );
  const homes = path.join(stateDirectory, 'homes');
  const controller = new SwarmController({
    swarmId,
    owner: { user: thisUser(), machine: os.hostname() },
    registry,
    claim,
    providers,
    providerBook,
    locks: new FileLock(path.join(stateDirectory, 'locks'), judge),
    creations: surroundings.creations,
    vault,
    masks,
    sources: {
      surveyFolder: (folder, signal) => surveyFolder(folder, [storageDirectory, stateDirectory], signal),
      packFolder: (folder, workspace, signal, note) =>
        packFolder(folder, workspace, [storageDirectory, stateDirectory], signal, note),
      gitCredential,
    },
    defaultProviderType: () => surroundings.config().defaultProviderType,
    loadStateOnStartup: config.loadStateOnStartup,
    healthBook: new HealthBook(
      new JsonFileStore(path.join(stateDirectory, 'health'), InstanceHealth, 1, told, judge),
      () => surroundings.config().autoSaveInterval,
    ),
    lease,
    time,
    healthConfig: () => surroundings.config().health,
    migrationBook: new MigrationBook(
      new JsonFileStore(path.join(stateDirectory, 'migrations'), Migration, 1, told, judge),
    ),
    homes: new StreamCarrier(),
    snapshotBook: new SharedRecords(
      new JsonFileStore(path.join(stateDirectory, 'snapshots'), SnapshotRecord, 1, told, judge),
    ),
    homeKeeper: new StreamKeeper(new ExplainedHomeArchive(new FileHomeArchive(homes), homes)),
    migrationConfig: () => surroundings.config().migration,
    recover: async (instanceId, rung, reason, ctx) => {
      const input = { instanceId, rung, reason: onOneLine(reason, 500) };
      await gate.invoke('recover_instance', input, byItself('health monitor', ctx));
    },
  });
  const audit = new AuditLog(
    new FileAppendLog(path.join(stateDirectory, 'audit'), `${os.hostname()}-${process.pid}`, () =>
      claim.assertUnmoved(),
    ),
    () => claim.hindrance === undefined,
  );
  const budget = new JsonFileStore(path.join(stateDirectory, 'agent-destroys'), DestroyBudget, 1, told, judge);
  const gate = new OperationGate(
    controller,
    audit,
    new BlastRadius(budget, () => os.uptime() * 1000),
    () => surroundings.config(),
    texts,
  );
  note = found => controller.noteUnreadable(found);
  early.forEach(note);
  if (quarantined) told(quarantined);
  const trash = new TrashExpiry(
    registry,
    lease,
    time,
    async instanceId => void (await gate.invoke('empty_trash', { instanceId }, byItself('trash', quietContext))),
  );
  const schedule = new SnapshotSchedule({
    lease,
    interval: () => surroundings.config().snapshots.interval,
    due: milliseconds => controller.snapshots.due(milliseconds),
    take: async instanceId =>
      void (await gate.invoke('take_scheduled_snapshot', { instanceId }, byItself('snapshot schedule', quietContext))),
  });
  await controller.initialize();
  const late = new LateProviders(providers, absent, id => void controller.refresh(quietContext, id).catch(() => {}));
  showUnprovided(registry, providers, config);
  return {
    controller,
    gate,
    operations: agentOperations,
    audit,
    config,
    stateDirectory,
    providerTypes: ProviderFactory.types().map(({ type, displayName, configSchema, tokenUrl }) => ({
      type,
      title: displayName,
      tokenUrl,
      fields: fieldsOf(configSchema),
    })),
    testProvider: async (candidate, ctx) => {
      const provider = await ProviderFactory.createProvider(candidate.type, candidate, environment);
      await provider.initialize(ctx).finally(() => provider.dispose());
    },
    writeToken: (providerId, token) => surroundings.writeSecret(credentialKey(providerId), learned(token)),
    installEditorServer: async ctx =>
      void (await installEditorServer(editorServerDirectory, ctx, undefined, surroundings.webSettings?.())),
    rest: () => lease.resign(),
    dispose: async () => {
      trash.dispose();
      schedule.dispose();
      await late.dispose();
      await controller.dispose();
      claim.dispose();
    },
  };
}

/** What the controller does of its own accord goes through the gate too. */
const byItself = (actor: string, ctx: OperationContext): OperationCall => ({
  ...{ ...ctx, caller: 'controller', actor },
  confirm: async () => false,
});

/** Nobody can say how instances are whose provider there is not: what was seen of them last is not shown as so. */
function showUnprovided(registry: InstanceRegistry, providers: ProviderDirectory, config: SwarmConfig): void {
  for (const { id, providerId, status } of registry.listInstances()) {
    if (providers.find(providerId) || status === 'creating' || status === 'deleting') continue;
    const left = config.enabledProviders.length > 0 && !config.enabledProviders.includes(providerId);
    const why = left
      ? 'its provider is left out by remoteSwarm.enabledProviders'
      : 'its provider is not in the settings';
    const detail = providers.condition(providerId)?.problem ?? why;
    registry.observeInstance(id, current => withStatus(current, { status: 'unknown', detail }));
  }
}

/** What the state says of a provider that nobody configured. */
interface Traces {
  /** Another window observes it now. */
  isObserved(providerId: string): Promise<boolean>;
  /** Instances live there. */
  isInhabited(providerId: string): Promise<boolean>;
}

/**
 * The configured providers, and of each type that needs no setting a default one, called as the type is, if it can be
 * used or instances live there. Only an entry of that name takes its place: one that cannot be read, and whose name is
 * not known, may be it.
 */
async function makeProviders(
  config: SwarmConfig,
  unreadable: readonly ProviderCondition[],
  environment: ProviderEnvironment,
  traces: Traces,
): Promise<{ readonly providers: ProviderDirectory; readonly absent: readonly Provider[] }> {
  const enabled = ({ id }: ProviderConfig) =>
    config.enabledProviders.length === 0 || config.enabledProviders.includes(id);
  const listed = [...config.providers, ...unreadable];
  const defaults = ProviderFactory.types()
    .filter(({ type }) => !listed.some(({ id }) => id === type) && !unreadable.some(entry => entry.type === type))
    .filter(({ type, configSchema }) => configSchema.safeParse({ id: type, type }).success)
    .map(({ type }) => ({ id: type, type }));
  const rejected = [...unreadable];
  const reject = ({ id, type }: { id: string; type: string }, error: unknown) => {
    const hint = error instanceof SwarmError ? error.hint : undefined;
    rejected.push({ id, type, reachable: false, problem: messageOf(error), ...(hint !== undefined && { hint }) });
  };
  for (const id of config.enabledProviders) {
    const known = [...listed, ...defaults].map(provider => provider.id);
    if (!known.includes(id)) reject({ id, type: '' }, unknownEnabledProvider(id, known));
  }
  const make = async (one: ProviderConfig): Promise<Provider | undefined> => {
    try {
      return await ProviderFactory.createProvider(one.type, one, environment);
    } catch (error) {
      reject(one, error);
      return undefined;
    }
  };
  const [detected, configured] = await Promise.all([
    Promise.all(
      defaults.filter(enabled).map(async one => {
        const provider = await make(one);
        return provider && { provider, isThere: await isThere(provider, traces) };
      }),
    ),
    Promise.all(config.providers.filter(enabled).map(make)),
  ]);
  const made = (wanted: boolean) => detected.flatMap(found => (found?.isThere === wanted ? [found.provider] : []));
  const all = [...made(true), ...configured.filter(provider => provider !== undefined)];
  return { providers: new ProviderDirectory(all, rejected), absent: made(false) };
}

/**
 * A default provider is there when its place is: an engine that does not answer is nobody's wish, unless instances live
 * there. One that only lacks an editor server, which can be installed, stays, and one that takes its time: something is
 * there. What another window observes is not asked.
 */
async function isThere(provider: Provider, traces: Traces): Promise<boolean> {
  if (await traces.isObserved(provider.id)) return true;
  const limited = withTimeout(quietContext, detectionMilliseconds);
  try {
    await provider.initialize(limited);
    return true;
  } catch (error) {
    if (limited.signal.aborted || (error instanceof SwarmError && error.code === 'editor-server-missing')) return true;
    return traces.isInhabited(provider.id);
  }
}
