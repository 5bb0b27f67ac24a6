import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { EditorServer } from '../../../src/providers/editorServer.ts';
import type { Schemas } from '../../../src/providers/fly/flyApi.ts';
import { type CloudApp, type CloudMachine, type CloudVolume, type Config, Refusal } from './cloudParts.ts';
import { bindsOf, MachineProcess, machineSpaces, stubBinds } from './machineProcess.ts';

export interface CloudOptions {
  /** How long each state lasts that is only passed through; milliseconds. */
  readonly transientTime?: number;
  /** How far lists are behind; milliseconds. */
  readonly listLag?: number;
  /** Machines have a real editor server in place of one that stands in for it. */
  readonly editor?: Extract<EditorServer, { kind: 'node' }>;
  /** Machines are backed by no process. */
  readonly hollow?: boolean;
}

/** States that do not end by themselves. */
const settled = ['created', 'started', 'stopped', 'suspended', 'failed', 'destroyed'];
const randomId = (length: number) => randomBytes(length).toString('hex').slice(0, length);
/** Ids of versions are sorted by time. */
const newVersion = () => `01${Date.now().toString(36)}${randomId(16)}`.toUpperCase().slice(0, 26);

/**
 * A stand-in for Fly.io, with the behaviour that its documents and those who met it tell: states that are passed
 * through, versions, leases, names that are unique, volumes bound to one machine, lists that lag. Each machine really
 * runs, in mounts, processes and a network of its own.
 */
export class FlyCloud {
  readonly apps = new Map<string, CloudApp>();
  readonly regions = ['ams', 'fra', 'iad'];
  /** Regions with no room for machines or volumes, and those whose machines are missing in the list. */
  readonly full = new Set<string>();
  /** What the names of images lead to; of others Fly tells no digest. */
  readonly digests = new Map<string, string>();
  readonly silent = new Set<string>();
  /**
   * Volumes whose hosts do not answer, with the machines on them: of those Fly tells no whole config, changes nothing, and
   * holds nothing against anybody who makes another.
   */
  readonly away = new Set<string>();
  readonly transientTime: number;
  listLag: number;
  /** How long what was just made is not there to be read, and what is said of such an app; milliseconds. */
  appLag = 0;
  appLagStatus: 401 | 404 = 404;
  machineLag = 0;
  /** Whether the row of a machine has its events, which can be asked for otherwise. */
  tellsEvents = true;
  readonly #hollow: boolean;
  readonly #binds: Readonly<Record<string, string>>;
  readonly #root = mkdtempSync(path.join(tmpdir(), 'remote-swarm-fly-'));
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor({ transientTime = 40, listLag = 300, hollow = false, editor }: CloudOptions = {}) {
    this.transientTime = transientTime;
    this.listLag = listLag;
    this.#hollow = hollow;
    this.#binds = editor ? bindsOf(editor) : stubBinds;
  }

  app(name: string): CloudApp {
    const app = this.apps.get(name);
    if (!app) throw new Refusal(404, `Could not find App "${name}"`, 'unknown');
    return app;
  }

  makeApp(name: string, organization: string, network: string): CloudApp {
    if (this.apps.has(name)) throw new Refusal(422, 'Validation failed: Name has already been taken', 'name_taken');
    const app: CloudApp = {
      ...{ name, madeAt: performance.now(), organization, network, ips: [], secrets: new Map(), secretsVersion: 0 },
      ...{ volumes: new Map(), machines: new Map(), log: [] },
    };
    this.apps.set(name, app);
    return app;
  }

  async removeApp(app: CloudApp): Promise<void> {
    for (const machine of app.machines.values()) await this.removeMachine(machine, true);
    this.#later(() => {
      for (const volume of app.volumes.values()) this.#free(volume);
      this.apps.delete(app.name);
    });
  }

  makeVolume(app: CloudApp, { name = '', region = 'iad', size_gb: sizeGb = 3 }: Schemas['CreateVolumeRequest']) {
    if (!/^[a-z0-9_]{1,30}$/.test(name)) throw new Refusal(400, 'volume name must be lowercase alphanumeric');
    if (!this.regions.includes(region)) throw new Refusal(400, `region ${region} not found`);
    if (this.full.has(region)) throw new Refusal(400, `no capacity available in ${region} for the volume`);
    const id = `vol_${randomId(16)}`;
    const volume: CloudVolume = {
      ...{ id, name, region, sizeGb, createdAt: new Date().toISOString(), machine: undefined, state: 'creating' },
      folder: path.join(this.#root, 'volumes', id),
    };
    if (!this.#hollow) {
      mkdirSync(volume.folder, { recursive: true });
      if (volumeLimits === undefined)
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeGb}g`, 'tmpfs', volume.folder]);
    }
    app.volumes.set(id, volume);
    this.#later(() => {
      volume.state = 'created';
    });
    return volume;
  }

  volume(app: CloudApp, id: string): CloudVolume {
    const volume = app.volumes.get(id);
    if (!volume) throw new Refusal(404, `volume ${id} not found`);
    return volume;
  }

  /** Softly: it stays in the list for a day. */
  removeVolume(volume: CloudVolume): void {
    if (volume.machine !== undefined)
      throw new Refusal(412, `failed_precondition: volume is currently bound to machine: ${volume.machine}`);
    volume.state = 'pending_destroy';
    this.#free(volume);
  }

  machine(app: CloudApp, id: string): CloudMachine {
    const machine = app.machines.get(id);
    if (!machine) throw new Refusal(404, `machine ${id} not found`);
    return machine;
  }

  makeMachine(app: CloudApp, request: Schemas['CreateMachineRequest']): CloudMachine {
    const { name = randomId(8), region = 'iad', config = {}, skip_launch: skipLaunch = false } = request;
    const same = [...app.machines.values()].find(
      other => other.name === name && other.state !== 'destroyed' && !this.isAway(other),
    );
    if (same)
      throw new Refusal(
        409,
        `already_exists: unique machine name violation, machine ID ${same.id} already exists with name "${name}"`,
      );
    if (!config.image) throw new Refusal(400, 'invalid config.image: is required');
    this.#checkSecrets(app, request.min_secrets_version);
    const volume = this.#volumeOf(app, config);
    if (volume?.machine !== undefined && !this.away.has(volume.id))
      throw new Refusal(412, `failed_precondition: volume is currently bound to machine: ${volume.machine}`);
    if (volume && volume.region !== region) throw new Refusal(400, `volume ${volume.id} is not in ${region}`);
    if (this.full.has(region))
      throw volume
        ? new Refusal(412, 'insufficient resources to create new machine with existing volume')
        : new Refusal(409, 'could not reserve resource for machine: insufficient memory', 'insufficient_capacity');
    const now = new Date().toISOString();
    const machine: CloudMachine = {
      ...{ id: randomId(14), name, app, region, createdAt: now, updatedAt: now, config, state: 'creating' },
      digest: this.#digestOf(config),
      madeAt: performance.now(),
      ...{ version: newVersion(), readyAt: performance.now() + 10 * this.transientTime, events: [] },
      ...{
        lease: undefined,
        process: undefined,
        stopAsked: false,
        ranOutOfMemory: false,
        history: [],
        watchers: new Set(),
      },
    };
    if (volume) volume.machine = machine.id;
    app.machines.set(machine.id, machine);
    this.#put(machine, 'creating');
    this.#later(() => {
      if (machine.state !== 'creating') return;
      this.#put(machine, 'created');
      if (!skipLaunch) this.#launch(machine);
    });
    return machine;
  }

  /** The whole config is another one from now on; a machine that runs is started again. */
  async updateMachine(machine: CloudMachine, request: Schemas['UpdateMachineRequest']): Promise<void> {
    const { config = {}, current_version: current, skip_launch: skipLaunch = false } = request;
    if (current !== undefined && current !== machine.version)
      throw new Refusal(412, `failed_precondition: machine version is ${machine.version}, not ${current}`);
    if (['destroying', 'replacing', 'creating'].includes(machine.state))
      throw new Refusal(412, `failed_precondition: machine is ${machine.state}`);
    this.#checkSecrets(machine.app, request.min_secrets_version);
    if (config.mounts?.[0]?.volume !== machine.config.mounts?.[0]?.volume)
      throw new Refusal(400, 'a mounted volume cannot be changed by an update');
    const before = machine.state;
    machine.version = newVersion();
    machine.config = config;
    machine.digest = this.#digestOf(config);
    this.#put(machine, 'replacing');
    const process = machine.process;
    machine.process = undefined;
    await process?.kill();
    this.#later(() => {
      if (machine.state !== 'replacing') return;
      this.#put(machine, before === 'created' ? 'created' : 'stopped');
      machine.readyAt = 0;
      if (!skipLaunch) this.#launch(machine);
    });
  }

  start(machine: CloudMachine): void {
    if (machine.state === 'replacing') throw new Refusal(412, 'machine getting replaced, refusing to start');
    if (machine.state === 'started' || machine.state === 'starting') return;
    if (!['created', 'stopped', 'suspended'].includes(machine.state) || performance.now() < machine.readyAt)
      throw new Refusal(412, `failed_precondition: unable to start machine from current state: '${machine.state}'`);
    this.#launch(machine);
  }

  stop(machine: CloudMachine, { signal = 'SIGINT', timeout = '5s' }: Schemas['StopRequest']): void {
    if (machine.state === 'stopped') return;
    if (machine.state !== 'started')
      throw new Refusal(412, `failed_precondition: unable to stop machine from current state: '${machine.state}'`);
    machine.stopAsked = true;
    this.#put(machine, 'stopping');
    if (!machine.process) return void this.#later(() => this.#ended(machine, 0));
    machine.process.signal(signal);
    this.#later(
      () => machine.state === 'stopping' && machine.process?.signal('SIGKILL'),
      Number.parseFloat(timeout) * 1_000,
    );
  }

  /** Its kernel ends the editor server, and says why. */
  runOutOfMemory(machine: CloudMachine): void {
    machine.ranOutOfMemory = true;
    machine.process?.signalServer('SIGKILL');
  }

  async removeMachine(machine: CloudMachine, force: boolean): Promise<void> {
    if (!force && machine.state === 'started')
      throw new Refusal(412, 'failed_precondition: unable to destroy machine, not currently stopped');
    const process = machine.process;
    machine.process = undefined;
    this.#put(machine, 'destroying');
    await process?.kill();
    const volume = this.#volumeOf(machine.app, machine.config);
    this.#later(() => this.#put(machine, 'destroyed'));
    // Fly notes a little later that it is free.
    this.#later(() => {
      if (volume?.machine === machine.id) volume.machine = undefined;
    }, 4 * this.transientTime);
  }

  note(machine: CloudMachine, key: string, value: string | undefined): void {
    const { [key]: _, ...rest } = machine.config.metadata ?? {};
    machine.config = { ...machine.config, metadata: { ...rest, ...(value !== undefined && { [key]: value }) } };
    this.#put(machine, machine.state);
  }

  /** Rejects with 408 when it is not so in time. Of a version that was replaced nothing is ever so. */
  async wait(machine: CloudMachine, state: string, version: string | undefined, seconds: number): Promise<void> {
    if (state === 'stopped' && version === undefined)
      throw new Refusal(400, 'invalid_argument: instance_id is required when waiting for state stopped');
    const isIt = () => (state === 'settled' ? settled.includes(machine.state) : machine.state === state);
    const isSo = () => isIt() && (version === undefined || version === machine.version);
    const deadline = performance.now() + Math.min(seconds, 60) * 1_000;
    while (!isSo()) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Refusal(
          408,
          `deadline_exceeded: machine failed to reach desired state, ${state}, currently ${machine.state}`,
        );
      await new Promise<void>(resolve => {
        const wake = () => {
          clearTimeout(timer);
          machine.watchers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        machine.watchers.add(wake);
      });
    }
  }

  /** Whether its host does not answer. */
  isAway({ config }: CloudMachine): boolean {
    return this.away.has(config.mounts?.[0]?.volume ?? '');
  }

  /** What a list has that is a little behind. */
  listed(machine: CloudMachine): Schemas['OrgMachine'] | undefined {
    const then = performance.now() - this.listLag;
    const row = machine.history.findLast(({ at }) => at <= then)?.row;
    if (!row || !this.isAway(machine)) return row;
    const { config: _config, ...rest } = row;
    return rest;
  }

  /** Whether lists have heard of it. */
  isListed = (machine: CloudMachine): boolean => this.listed(machine) !== undefined;

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { machines } of this.apps.values())
      for (const machine of machines.values()) await machine.process?.kill();
    for (const { volumes } of this.apps.values()) for (const volume of volumes.values()) this.#free(volume);
    rmSync(this.#root, { recursive: true, force: true });
  }

  #free({ folder }: CloudVolume): void {
    if (!existsSync(folder)) return;
    if (volumeLimits === undefined) execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  }

  #digestOf({ image = '' }: Config): string | undefined {
    return image.split('@')[1] ?? this.digests.get(image);
  }

  #volumeOf(app: CloudApp, config: Config): CloudVolume | undefined {
    const id = config.mounts?.[0]?.volume;
    return id === undefined ? undefined : this.volume(app, id);
  }

  #checkSecrets(app: CloudApp, version: number | undefined): void {
    if (version !== undefined && version > app.secretsVersion)
      throw new Refusal(412, `failed_precondition: secrets version ${version} is not there yet`);
  }

  #put(machine: CloudMachine, state: string): void {
    machine.state = state;
    machine.updatedAt = new Date().toISOString();
    const { id, name, app, region, createdAt, updatedAt, version, config } = machine;
    const { guest = {}, image = '', metadata = {} } = config;
    const row = {
      ...{ id, name, app_name: app.name, region, state, created_at: createdAt, updated_at: updatedAt },
      ...{ instance_id: version, version, config: { guest, image, metadata } },
    };
    machine.history.push({ at: performance.now(), row: state === 'destroyed' ? undefined : row });
    for (const wake of [...machine.watchers]) wake();
  }

  #event(machine: CloudMachine, type: string, status: string, request: object = {}): void {
    machine.events.unshift({
      id: newVersion(),
      type,
      status,
      source: 'flyd',
      timestamp: Date.now(),
      request: request as Record<string, never>,
    });
  }

  #launch(machine: CloudMachine): void {
    this.#put(machine, 'starting');
    machine.stopAsked = false;
    machine.ranOutOfMemory = false;
    const { app, config } = machine;
    const volume = this.#volumeOf(app, config);
    const begun = () => {
      if (machine.state !== 'starting') return;
      this.#event(machine, 'start', 'started');
      this.#put(machine, 'started');
    };
    if (this.#hollow || !volume) return void this.#later(begun);
    const secretFile = (name: string) => {
      const value = app.secrets.get(name);
      if (value === undefined) throw new Refusal(400, `secret ${name} not found`);
      return value;
    };
    const process: MachineProcess = new MachineProcess(
      {
        folder: path.join(this.#root, 'machines', machine.id),
        volume: volume.folder,
        mountPath: config.mounts?.[0]?.path ?? '/data',
        exec: config.init?.exec ?? [],
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          ...Object.fromEntries(app.secrets),
          ...config.env,
        },
        files: (config.files ?? []).map(({ guest_path: file = '', raw_value, secret_name, mode = 0o644 }) => ({
          ...{ path: file, mode, content: raw_value ?? secretFile(secret_name ?? '') },
        })),
        port: config.services?.[0]?.internal_port ?? 0,
        binds: this.#binds,
      },
      line => app.log.push({ timestamp: new Date().toISOString(), message: line, instance: machine.id }),
      () => this.#later(() => machine.process === process && begun()),
      code => machine.process === process && this.#ended(machine, code),
    );
    machine.process = process;
  }

  #ended(machine: CloudMachine, code: number): void {
    machine.process = undefined;
    const { stopAsked, ranOutOfMemory } = machine;
    const exit = { requested_stop: stopAsked, restarting: false, exit_code: code, oom_killed: ranOutOfMemory };
    this.#event(machine, 'exit', 'stopped', { exit_event: exit });
    this.#put(machine, 'stopping');
    this.#later(() => machine.state === 'stopping' && this.#put(machine, 'stopped'));
  }

  #later(work: () => unknown, time = this.transientTime): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, time);
    this.#timers.add(timer);
  }
}

/** Why a volume has no size of its own; undefined when it has. */
export const volumeLimits = process.getuid?.() === 0 ? undefined : 'only root can give a volume a disk of its own';

/** Why no machine can be run here; undefined when one can. */
export function machineProblem(): string | undefined {
  if (process.platform !== 'linux') return 'machines of the stand-in need Linux';
  try {
    execFileSync('unshare', [...machineSpaces, 'ip', 'link'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'unshare and ip are not there, or not allowed';
  }
}
