import { instanceBusy, instanceNotFound, providerUnreachable, wrongState } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { flyStatus, hostAway, idTaken, isAbsent, notesUnreadable } from './flyErrors.ts';
import { volumesIn, volumesOf } from './homeVolume.ts';
import {
  appName,
  awayMachine,
  endOf,
  type InstanceMachine,
  instanceOfApp,
  isAway,
  machinePath,
  readMachine,
} from './instanceMachine.ts';
import { RecentMachines } from './recentMachines.ts';

const pageSize = 1_000;
/** How long a machine that was made here may not be known to all of Fly; milliseconds. */
const newMachineTime = 60_000;

interface Seen {
  readonly machine: InstanceMachine;
  readonly row: Schemas['Machine'];
}

/** Sees machines that are ours, and tells what can't be told now from what is not there. Changes nothing. */
export class MachineReader {
  readonly #api: FlyApi;
  readonly #organization: string;
  readonly #recent = new RecentMachines();
  #listed: ReadonlyMap<string, InstanceMachine> = new Map();
  /** Ids of machines, by instance: an id never comes again, so one that is not there tells to look anew. */
  readonly #ids = new Map<string, string>();
  /** Machines that were made here and that Fly has not told of since, by id, as their making was answered. */
  readonly #new = new Map<string, { readonly at: number; readonly row: Schemas['Machine'] }>();

  constructor(api: FlyApi, organization: string) {
    this.#api = api;
    this.#organization = organization;
  }

  /**
   * All of the organization, page by page, with what was seen here since; what lists do not have yet is looked at, and what
   * they do not tell of a machine that is away is what was known of it. Rejects when a region did not answer: what is
   * missing then is not gone (semantics 24).
   */
  async list(ctx: OperationContext): Promise<InstanceMachine[]> {
    const found: InstanceMachine[] = [];
    const away: Schemas['OrgMachine'][] = [];
    for (let cursor: string | undefined; ; ) {
      const query = { limit: pageSize, ...(cursor && { cursor }) };
      const page = await this.#api.call('The list of machines', ctx, (client, signal) =>
        client.GET('/orgs/{org_slug}/machines', {
          params: { path: { org_slug: this.#organization }, query },
          signal,
        }),
      );
      if (page.error_regions?.length)
        throw providerUnreachable(
          this.#api.providerId,
          `its regions ${page.error_regions.join(', ')} are missing in the list of machines`,
          'Look at status.flyio.net.',
        );
      for (const row of page.machines ?? []) {
        const machine = isAway(row) ? undefined : readMachine(row);
        if (machine && row.app_name === appName(machine.id)) found.push(machine);
        if (isAway(row) && instanceOfApp(row.app_name ?? '') !== undefined) away.push(row);
      }
      cursor = page.next_cursor || undefined;
      if (cursor !== undefined) continue;
      found.push(...(await this.#known(away, ctx)));
      const { list, missing } = this.#recent.mend(found);
      const looked = await Promise.all(missing.map(({ id, machineId }) => this.#look(id, machineId, ctx)));
      const machines = [...list, ...looked.flatMap(seen => seen?.machine ?? [])];
      this.#listed = new Map(machines.map(machine => [machine.id, machine]));
      for (const { id, machineId } of machines) if (!this.#ids.has(id)) this.#ids.set(id, machineId);
      return machines;
    }
  }

  /** As the last list told it; asks nobody. */
  listed(instanceId: string): InstanceMachine | undefined {
    return this.#listed.get(instanceId);
  }

  /**
   * The one machine of an instance, for whoever acts on it. Rejects with `provider-unreachable` while it is away, and with
   * `reserved-file-unreadable` when nobody can tell what it is.
   */
  async find(instanceId: string, ctx: OperationContext): Promise<InstanceMachine | undefined> {
    const machine = (await this.findWhole(instanceId, ctx))?.machine;
    if (machine?.away) throw hostAway(this.#api.providerId, instanceId);
    if (machine?.untold) throw notesUnreadable(instanceId, 'whose it is and in what role');
    return machine;
  }

  /**
   * The same, for whoever makes or removes one. Rejects with `id-taken` when the app of its name may not be seen: a token
   * that sees the whole organization sees all apps of it.
   */
  async findOurs(instanceId: string, ctx: OperationContext): Promise<InstanceMachine | undefined> {
    try {
      return await this.find(instanceId, ctx);
    } catch (error) {
      if (flyStatus(error) !== 403) throw error;
      await this.list(ctx);
      throw idTaken(appName(instanceId), error);
    }
  }

  /** The same with all that Fly tells of it, away or not. */
  async findWhole(instanceId: string, ctx: OperationContext): Promise<Seen | undefined> {
    const known = this.#ids.get(instanceId);
    const seen = known === undefined ? undefined : await this.#look(instanceId, known, ctx);
    return seen ?? this.#lookFor(instanceId, ctx);
  }

  /**
   * Ids of what has the home of an instance right now, or may have it: what mounts a volume of its app, what does not tell,
   * and what a volume is bound to. Asked before a server is made or started on it (semantics 42).
   */
  async holdersOf(instanceId: string, ctx: OperationContext): Promise<string[]> {
    const [rows = [], volumes] = await Promise.all([
      this.rowsIn(appName(instanceId), ctx),
      volumesOf(this.#api, instanceId, ctx),
    ]);
    const bound = volumes.flatMap(({ machineId }) => machineId ?? []);
    const candidates = [...new Set([...rows.flatMap(({ id }) => id ?? []), ...bound])];
    const looked = await Promise.all(candidates.map(async id => ({ id, row: await this.get(instanceId, id, ctx) })));
    const homes = volumes.map(({ id }) => id);
    return looked.flatMap(({ id, row }) => {
      // Fly notes a little late that its volume is free.
      if (!row || row.state === 'destroyed') return [];
      const mounts = row.config?.mounts?.some(({ volume = '' }) => homes.includes(volume));
      return isAway(row) || mounts || bound.includes(id) ? [id] : [];
    });
  }

  /** Rejects with `instance-busy` when anything else has its home. */
  async proveAlone({ id, machineId }: InstanceMachine, ctx: OperationContext): Promise<void> {
    const others = (await this.holdersOf(id, ctx)).filter(other => other !== machineId);
    if (others.length > 0) throw instanceBusy(id, `its home is in use by the machine ${others.join(', ')} at Fly.io`);
  }

  async existing(instanceId: string, ctx: OperationContext): Promise<InstanceMachine> {
    const machine = await this.find(instanceId, ctx);
    if (!machine) throw instanceNotFound(instanceId);
    return machine;
  }

  async running(instanceId: string, ctx: OperationContext): Promise<InstanceMachine> {
    const machine = await this.existing(instanceId, ctx);
    if (machine.status !== 'running') throw wrongState(instanceId, machine.status, 'start it first');
    return machine;
  }

  /** Everything in the app, whatever it is; undefined when there is no such app. */
  async rowsIn(app: string, ctx: OperationContext): Promise<Schemas['Machine'][] | undefined> {
    try {
      const rows = await this.#api.call('The list of machines', ctx, (client, signal) =>
        client.GET('/apps/{app_name}/machines', { params: { path: { app_name: app } }, signal }),
      );
      return rows.filter(({ id, state }) => id !== undefined && state !== 'destroyed');
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** How it ended, where it has and was not asked to. */
  async endOf({ id, machineId, state, mode }: InstanceMachine, row: Schemas['Machine'], ctx: OperationContext) {
    if (state !== 'stopped' || mode === 'hold') return undefined;
    const events =
      row.events ??
      (await this.#api
        .call('Reading the events', ctx, (client, signal) =>
          client.GET('/apps/{app_name}/machines/{machine_id}/events', {
            params: { path: machinePath(id, machineId) },
            signal,
          }),
        )
        // That it has ended is known without them.
        .catch(() => []));
    ctx.signal.throwIfAborted();
    return endOf(events);
  }

  /** It was made now, which was answered with that row. */
  made(machine: InstanceMachine, row: Schemas['Machine']): void {
    this.#new.set(machine.machineId, { at: performance.now(), row });
    this.#ids.set(machine.id, machine.machineId);
    this.#recent.saw(machine.id, machine);
  }

  async #lookFor(instanceId: string, ctx: OperationContext): Promise<Seen | undefined> {
    const rows = await this.rowsIn(appName(instanceId), ctx);
    if (rows === undefined) return undefined;
    for (const { id = '' } of rows) {
      const seen = await this.#look(instanceId, id, ctx);
      if (seen) return seen;
    }
    if (rows.length > 0) return undefined;
    // What was made a moment ago may not be listed yet, but its volume knows it.
    const [volume] = await volumesOf(this.#api, instanceId, ctx);
    if (volume?.machineId === undefined) return undefined;
    const row = await this.get(instanceId, volume.machineId, ctx);
    if (!row) throw hostAway(this.#api.providerId, instanceId);
    return this.#look(instanceId, volume.machineId, ctx);
  }

  /** Machines that are away, by what was known of them before, or else by their volumes; which nobody knows are left out. */
  async #known(rows: readonly Schemas['OrgMachine'][], ctx: OperationContext): Promise<InstanceMachine[]> {
    const ids = rows.map(({ app_name: app = '' }) => instanceOfApp(app) ?? '');
    const volumes = ids.every(id => this.#listed.has(id)) ? [] : await volumesIn(this.#api, this.#organization, ctx);
    return rows.flatMap((row, index) => {
      const id = ids[index] ?? '';
      const known = this.#listed.get(id) ?? volumes.find(({ instanceId }) => instanceId === id);
      return known ? [awayMachine(row, id, 'role' in known ? known : { swarmId: known.swarmId })] : [];
    });
  }

  /** Whether that it is not there may only mean that not all of Fly knows it yet. */
  isNew(machineId: string): boolean {
    const made = this.#new.get(machineId);
    if (made && performance.now() - made.at > newMachineTime) this.#new.delete(machineId);
    return this.#new.has(machineId);
  }

  /** Notes what there is of it now. */
  async #look(instanceId: string, machineId: string, ctx: OperationContext): Promise<Seen | undefined> {
    const row = await this.get(instanceId, machineId, ctx);
    const machine = row && (await this.#read(instanceId, row, ctx));
    if (row && machine?.id === instanceId) {
      this.#ids.set(instanceId, machineId);
      this.#recent.saw(instanceId, machine);
      return { machine, row };
    }
    this.forget(instanceId);
    return undefined;
  }

  /** Rejects with `provider-unreachable` when it is away, and nobody can tell whose it is. */
  async #read(instanceId: string, row: Schemas['Machine'], ctx: OperationContext) {
    if (!isAway(row)) return readMachine(row);
    const known = this.#listed.get(instanceId) ?? (await volumesOf(this.#api, instanceId, ctx))[0];
    if (!known) throw hostAway(this.#api.providerId, instanceId);
    return awayMachine(row, instanceId, 'role' in known ? known : { swarmId: known.swarmId });
  }

  /** What is new and not known yet is as its making was answered. */
  async get(instanceId: string, machineId: string, ctx: OperationContext): Promise<Schemas['Machine'] | undefined> {
    try {
      const row = await this.#api.call('Looking at the machine', ctx, (client, signal) =>
        client.GET('/apps/{app_name}/machines/{machine_id}', {
          params: { path: machinePath(instanceId, machineId) },
          signal,
        }),
      );
      this.#new.delete(machineId);
      return row;
    } catch (error) {
      if (isAbsent(error)) return this.isNew(machineId) ? this.#new.get(machineId)?.row : undefined;
      throw error;
    }
  }

  /** It was removed. */
  forget(instanceId: string): void {
    this.#new.delete(this.#ids.get(instanceId) ?? '');
    this.#ids.delete(instanceId);
    this.#recent.saw(instanceId, undefined);
  }
}
