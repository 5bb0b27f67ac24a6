import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disposable } from '../../model/event.ts';
import type { InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
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
import { type DiskUsage, diskUsage, freeBytesOf, takenBytesOf } from '../diskUsage.ts';
import { editorCliFile } from '../editorCli.ts';
import { probe } from '../editorServer.ts';
import { shellWord } from '../shellWord.ts';
import { FolderWatch } from './folderWatch.ts';
import type { LocalProvider } from './localProvider.ts';
import { familyOf, type ProcessDetails } from './processes.ts';
import { followLog } from './serverLog.ts';
import { serverLogFile } from './serverProcess.ts';

/** How long CPU use is watched. */
const statsWindow = 250;

/** What this machine can do beside the plain interface; stats and ports only where `/proc` tells them. */
export class LocalAbilities implements ProviderAbilities {
  readonly images = false;
  readonly limits = false;
  readonly stats?: NonNullable<ProviderAbilities['stats']>;
  readonly listPorts?: NonNullable<ProviderAbilities['listPorts']>;
  readonly #provider: LocalProvider;

  constructor(provider: LocalProvider, details: ProcessDetails | undefined) {
    this.#provider = provider;
    if (!details) return;
    this.stats = (ids, ctx) => this.#stats(details, ids, ctx ?? quietContext);
    this.listPorts = id => this.#listPorts(details, id);
  }

  async observe(): Promise<InstanceObservation[]> {
    const { instances, unreadable } = await this.#provider.look();
    // Whose they are is not known, and so nobody's: a record of that id keeps its row, and says why it cannot be used.
    const damaged = unreadable.map(
      ({ problem, ...folder }) => ({ ...folder, swarmId: '', epoch: 0, status: 'failed', detail: problem }) as const,
    );
    const seen = instances.map(
      ({ id, swarmId, epoch, generation, role, status, detail, port, elsewhere, createdAt }) => ({
        id,
        swarmId,
        epoch,
        ...(generation === undefined ? {} : { generation }),
        role,
        status,
        createdAt,
        ...(detail === undefined ? {} : { detail }),
        ...(port === undefined ? {} : { port }),
        ...(elsewhere === undefined ? {} : { elsewhere }),
      }),
    );
    return [...damaged, ...seen];
  }

  async readToken(instanceId: string): Promise<string> {
    return this.#provider.folders.token(await this.#provider.existing(instanceId));
  }

  workspacePath(instanceId: string): string {
    return this.#provider.folders.layoutOf(instanceId, 'owner').workspace;
  }

  installExtensionCommand(instanceId: string, extensionId: string): string {
    const layout = this.#provider.folders.layoutOf(instanceId, 'owner');
    return `${shellWord(editorCliFile(layout))} --install-extension ${shellWord(extensionId)}`;
  }

  async connect(instanceId: string, port?: number): Promise<Endpoint> {
    const running = await this.#provider.running(instanceId);
    return { host: '127.0.0.1', port: port ?? running.port, dispose: () => {} };
  }

  async probe(instanceId: string, port: number | undefined, ctx: OperationContext): Promise<Probe> {
    if (port !== undefined) return probe('127.0.0.1', port, instanceId, ctx);
    const folder = await this.#provider.folders.find(instanceId);
    const state = folder && (await this.#provider.state(folder));
    if (state?.status === 'running') return probe('127.0.0.1', state.port, instanceId, ctx);
    return { answered: false, latencyMs: 0, seen: 'does not run' };
  }

  async hasHome(instanceId: string): Promise<boolean> {
    const folder = await this.#provider.folders.find(instanceId);
    return folder !== undefined && this.#provider.folders.hasHome(folder);
  }

  recreateInstance(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.recreate(spec, ctx);
  }

  async trashInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<void> {
    await this.#provider.moveTo('trash', instanceId, ctx);
  }

  async restoreInstance(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.moveTo('owner', instanceId, ctx);
  }

  prepareIncoming(spec: InstanceSpec, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.prepareIncoming(spec, ctx);
  }

  setRole(instanceId: string, role: InstanceRole, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.moveTo(role, instanceId, ctx);
  }

  transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.transfer(instanceId, heir, ctx);
  }

  giveUpServer(instanceId: string, ctx: OperationContext = quietContext): Promise<VSCodeInstance> {
    return this.#provider.giveUpServer(instanceId, ctx);
  }

  openHome(instanceId: string, task: HomeTask, ctx: OperationContext = quietContext): Promise<HomeProcess> {
    return this.#provider.openHome(instanceId, task, ctx);
  }

  freeBytes(): Promise<number | undefined> {
    return freeBytesOf(this.#provider.folders.directory);
  }

  async homeBytes(instanceIds: readonly string[], ctx = quietContext): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const id of instanceIds) {
      const folder = await this.#provider.folders.find(id);
      const taken = folder && (await takenBytesOf(folder.layout.root, ctx.signal));
      if (taken !== undefined) sizes.set(id, taken);
    }
    return sizes;
  }

  watch(wake: (instanceId: string | undefined) => void): Disposable {
    const folders = new FolderWatch(this.#provider.folders.directory, wake);
    const ended = this.#provider.ended.event(wake);
    return {
      dispose: () => {
        folders.dispose();
        ended.dispose();
      },
    };
  }

  async terminal(instanceId: string): Promise<Extract<TerminalSpec, { kind: 'process' }>> {
    const folder = await this.#provider.running(instanceId);
    const env = await this.#provider.environmentOf(folder);
    return { kind: 'process', file: env.SHELL ?? '/bin/sh', args: [], cwd: folder.layout.workspace, env };
  }

  async followLogs(instanceId: string, sink: (line: string) => void, ctx: OperationContext): Promise<void> {
    const folder = await this.#provider.running(instanceId);
    const token = await this.#provider.folders.token(folder);
    const goesOn = async () => (await this.#provider.state(folder)).status !== 'stopped';
    await followLog(serverLogFile(folder.layout), token, sink, goesOn, ctx);
  }

  /** Of instances that do not run there is no row. */
  async #stats(details: ProcessDetails, ids: readonly string[], ctx: OperationContext): Promise<InstanceStats[]> {
    const families = await Promise.all(ids.map(async id => ({ id, pids: await this.#pids(id) })));
    const running = families.filter(({ pids }) => pids.length > 0);
    const measure = () =>
      Promise.all(
        running.map(async ({ pids }) => {
          const used = await Promise.all(pids.map(pid => details.usage(pid)));
          const sum = (key: 'cpuSeconds' | 'memoryBytes') => used.reduce((total, usage) => total + usage[key], 0);
          return { cpuSeconds: sum('cpuSeconds'), memoryBytes: sum('memoryBytes'), at: performance.now() };
        }),
      );
    const before = await measure();
    const disks = await Promise.all(running.map(({ id }) => this.#disk(id)));
    await sleep(statsWindow, undefined, { signal: ctx.signal });
    const after = await measure();
    return running.flatMap(({ id }, index) => {
      const [first, last] = [before[index], after[index]];
      if (!first || !last) return [];
      const seconds = (last.at - first.at) / 1000;
      const cpuCores = Math.max(0, last.cpuSeconds - first.cpuSeconds) / seconds;
      return [{ id, cpuCores, memoryBytes: last.memoryBytes, ...disks[index] }];
    });
  }

  /** Undefined when it can't be told. */
  #disk(instanceId: string): Promise<DiskUsage | undefined> {
    const { home } = this.#provider.folders.layoutOf(instanceId, 'owner');
    return statfs(home).then(diskUsage, () => undefined);
  }

  async #listPorts(details: ProcessDetails, instanceId: string): Promise<number[]> {
    const { port } = await this.#provider.running(instanceId);
    const ports = await details.listeningPorts(await this.#pids(instanceId));
    return ports.filter(open => open !== port);
  }

  async #pids(instanceId: string): Promise<number[]> {
    const folder = await this.#provider.folders.find(instanceId);
    if (!folder) return [];
    const state = await this.#provider.state(folder);
    if (state.status === 'stopped' || state.status === 'elsewhere') return [];
    const family = await familyOf(this.#provider.processes, state.mark, this.#provider.assignmentOf(folder));
    return family.map(({ pid }) => pid);
  }
}
