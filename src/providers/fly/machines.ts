import { setTimeout as sleep } from 'node:timers/promises';
import { instanceBusy, instanceNotFound, providerUnreachable, timedOut, wrongState } from '../../model/errors.ts';
import type { InstanceRole } from '../../model/instance.ts';
import { type OperationContext, quietContext, withTimeout } from '../../model/operationContext.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { flyStatus, hostAway, isAbsent } from './flyErrors.ts';
import { volumesIn, volumesOf } from './homeVolume.ts';
import {
  appName,
  awayMachine,
  endOf,
  type InstanceMachine,
  instanceOfApp,
  isAway,
  label,
  readMachine,
} from './instanceMachine.ts';
import { RecentMachines } from './recentMachines.ts';

type WaitState = 'started' | 'stopped' | 'settled' | 'destroyed';

/** States that do not end by themselves. */
const settled = ['created', 'started', 'stopped', 'suspended', 'failed'];

/** Seconds that one wait is held open by Fly, and all of them together may take; milliseconds. */
const waitTime = 25;
const patience = 120_000;
/** Seconds after which a lease ends by itself, as when this window was killed. */
const leaseTime = 90;
const leasePatience = 20_000;
/** How long a machine may still refuse to start since it is being made or replaced. */
const startPatience = 30_000;
const pageSize = 1_000;

interface Seen {
  readonly machine: InstanceMachine;
  readonly row: Schemas['Machine'];
}

/** The machines that are ours: seen, started, stopped, changed and removed. */
export class Machines {
  readonly #api: FlyApi;
  readonly #organization: string;
  readonly #recent = new RecentMachines();
  #listed: ReadonlyMap<string, InstanceMachine> = new Map();
  /** Ids of machines, by instance: an id never comes again, so one that is not there tells to look anew. */
  readonly #ids = new Map<string, string>();

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
      return machines;
    }
  }

  /** As the last list told it; asks nobody. */
  listed(instanceId: string): InstanceMachine | undefined {
    return this.#listed.get(instanceId);
  }

  /** The one machine of an instance, for whoever acts on it. Rejects with `provider-unreachable` while it is away. */
  async find(instanceId: string, ctx: OperationContext): Promise<InstanceMachine | undefined> {
    const machine = (await this.findWhole(instanceId, ctx))?.machine;
    if (machine?.away) throw hostAway(this.#api.providerId, instanceId);
    return machine;
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
    const looked = await Promise.all(candidates.map(async id => ({ id, row: await this.#get(instanceId, id, ctx) })));
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

  /** Makes one that is not there. The outcome is known when it resolves, and only then. */
  async create(instanceId: string, request: Schemas['CreateMachineRequest']): Promise<void> {
    const row = await this.#api.call('Making the machine', quietContext, (client, signal) =>
      client.POST('/apps/{app_name}/machines', {
        params: { path: { app_name: appName(instanceId) } },
        body: request,
        signal,
      }),
    );
    const machine = readMachine(row);
    if (!machine) return;
    this.#ids.set(instanceId, machine.machineId);
    this.#recent.saw(instanceId, machine);
  }

  /** How it ended, where it has and was not asked to. */
  async endOf({ id, machineId, state, mode }: InstanceMachine, row: Schemas['Machine'], ctx: OperationContext) {
    if (state !== 'stopped' || mode === 'hold') return undefined;
    const events =
      row.events ??
      (await this.#api.call('Reading the events', ctx, (client, signal) =>
        client.GET('/apps/{app_name}/machines/{machine_id}/events', {
          params: { path: pathOf(id, machineId) },
          signal,
        }),
      ));
    return endOf(events);
  }

  /** As it is when it no longer passes from one state to another. */
  async settle(machine: InstanceMachine, ctx: OperationContext): Promise<InstanceMachine> {
    if (settled.includes(machine.state)) return machine;
    await this.wait(machine, 'settled', ctx);
    return this.existing(machine.id, ctx);
  }

  /** Starts a machine that does not run, and waits until it does. */
  async start(seen: InstanceMachine, ctx: OperationContext): Promise<void> {
    const machine = await this.settle(seen, ctx);
    if (machine.state === 'started') return;
    await this.#leased(machine, ctx, async headers => {
      await this.proveAlone(machine, ctx);
      const limited = withTimeout(ctx, startPatience);
      for (;;) {
        try {
          await this.#api.call('Starting the machine', ctx, (client, signal) =>
            client.POST('/apps/{app_name}/machines/{machine_id}/start', {
              params: { path: pathOf(machine.id, machine.machineId) },
              headers,
              signal,
            }),
          );
          return;
        } catch (error) {
          // It is still being made, or replaced.
          if (flyStatus(error) !== 412 || limited.signal.aborted) throw error;
          await sleep(500, undefined, { signal: ctx.signal });
        }
      }
    });
    await this.wait(machine, 'started', ctx);
  }

  /** Stops it, whatever it does, and waits until it has. One that was never started, or has ended, is left as it is. */
  async stop(seen: InstanceMachine, force: boolean, ctx: OperationContext): Promise<void> {
    const machine = await this.settle(seen, ctx);
    if (['created', 'stopped', 'suspended', 'failed'].includes(machine.state)) return;
    await this.#leased(machine, ctx, async headers => {
      await this.#api.call('Stopping the machine', ctx, (client, signal) =>
        client.POST('/apps/{app_name}/machines/{machine_id}/stop', {
          params: { path: pathOf(machine.id, machine.machineId) },
          body: force ? { signal: 'SIGKILL', timeout: '1s' } : { signal: 'SIGTERM', timeout: '10s' },
          headers,
          signal,
        }),
      );
    });
    await this.wait(machine, 'stopped', ctx);
  }

  /**
   * Puts what `change` makes of its whole config in its place, which restarts one that runs; with `launch` it runs after
   * that, else it stays as it was. Answers with its next version. The role is the one that it has by then, whatever it was
   * when its caller looked.
   */
  async update(
    machine: InstanceMachine,
    change: (config: Schemas['fly.MachineConfig'], role: InstanceRole) => Schemas['fly.MachineConfig'],
    launch: boolean,
    secretsVersion: number | undefined,
    ctx: OperationContext,
  ): Promise<InstanceMachine> {
    const { id, machineId } = machine;
    const next = await this.#leased(machine, ctx, async headers => {
      const row = await this.#get(id, machineId, ctx);
      if (row && isAway(row)) throw hostAway(this.#api.providerId, id);
      const role = row && readMachine(row)?.role;
      if (!row?.config || !row.instance_id || !role) throw instanceNotFound(id);
      if (launch) await this.proveAlone(machine, ctx);
      return this.#api.call('Changing the machine', ctx, (client, signal) =>
        client.POST('/apps/{app_name}/machines/{machine_id}', {
          params: { path: pathOf(id, machineId) },
          body: {
            config: change(row.config ?? {}, role),
            ...(row.instance_id !== undefined && { current_version: row.instance_id }),
            skip_launch: !launch,
            ...(secretsVersion !== undefined && { min_secrets_version: secretsVersion }),
          },
          headers,
          signal,
        }),
      );
    });
    const updated = readMachine(next);
    if (!updated) throw instanceNotFound(id);
    await this.wait(updated, launch ? 'started' : 'settled', ctx);
    return this.existing(id, ctx);
  }

  /** Changes what is noted on it, without a restart. */
  async note({ id, machineId }: InstanceMachine, key: keyof typeof label, value: string, ctx: OperationContext) {
    await this.#api.call('Noting it on the machine', ctx, (client, signal) =>
      client.POST('/apps/{app_name}/machines/{machine_id}/metadata/{key}', {
        params: { path: { ...pathOf(id, machineId), key: label[key] } },
        body: { value },
        signal,
      }),
    );
  }

  /** Ends and removes one, whatever it does, and waits until it is gone. */
  async remove(instanceId: string, machineId: string, ctx: OperationContext): Promise<void> {
    const place = { id: instanceId, machineId };
    try {
      await this.#leased(place, ctx, async headers => {
        await this.#api.call('Removing the machine', ctx, (client, signal) =>
          client.DELETE('/apps/{app_name}/machines/{machine_id}', {
            params: { path: pathOf(instanceId, machineId), query: { force: true } },
            headers,
            signal,
          }),
        );
      });
      await this.wait({ ...place, version: '' }, 'destroyed', ctx);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    this.#forget(instanceId);
  }

  /** Waits until this version of it has the state. Rejects with `timed-out`. */
  async wait(
    { id, machineId, version }: Pick<InstanceMachine, 'id' | 'machineId' | 'version'>,
    state: WaitState,
    ctx: OperationContext,
  ): Promise<void> {
    const deadline = performance.now() + patience;
    for (;;) {
      ctx.report(`Waiting for the machine to be ${state}`);
      try {
        await this.#api.call('Waiting for the machine', ctx, (client, signal) =>
          client.GET('/apps/{app_name}/machines/{machine_id}/wait', {
            params: { path: pathOf(id, machineId), query: { state, timeout: waitTime, ...(version && { version }) } },
            signal,
          }),
        );
        return;
      } catch (error) {
        if (state === 'destroyed' && isAbsent(error)) return;
        const missed = error instanceof Error && 'code' in error && error.code === 'timed-out';
        if (!missed) throw error;
        if (performance.now() > deadline) throw timedOut(`The wait for the machine to be ${state}`, patience);
      }
    }
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
    const row = await this.#get(instanceId, volume.machineId, ctx);
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

  /** Notes what there is of it now. */
  async #look(instanceId: string, machineId: string, ctx: OperationContext): Promise<Seen | undefined> {
    const row = await this.#get(instanceId, machineId, ctx);
    const machine = row && (await this.#read(instanceId, row, ctx));
    if (row && machine?.id === instanceId) {
      this.#ids.set(instanceId, machineId);
      this.#recent.saw(instanceId, machine);
      return { machine, row };
    }
    this.#forget(instanceId);
    return undefined;
  }

  /** Rejects with `provider-unreachable` when it is away, and nobody can tell whose it is. */
  async #read(instanceId: string, row: Schemas['Machine'], ctx: OperationContext) {
    if (!isAway(row)) return readMachine(row);
    const known = this.#listed.get(instanceId) ?? (await volumesOf(this.#api, instanceId, ctx))[0];
    if (!known) throw hostAway(this.#api.providerId, instanceId);
    return awayMachine(row, instanceId, 'role' in known ? known : { swarmId: known.swarmId });
  }

  async #get(instanceId: string, machineId: string, ctx: OperationContext): Promise<Schemas['Machine'] | undefined> {
    try {
      return await this.#api.call('Looking at the machine', ctx, (client, signal) =>
        client.GET('/apps/{app_name}/machines/{machine_id}', {
          params: { path: pathOf(instanceId, machineId) },
          signal,
        }),
      );
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  #forget(instanceId: string): void {
    this.#ids.delete(instanceId);
    this.#recent.saw(instanceId, undefined);
  }

  /** Nobody else changes the machine meanwhile. Rejects with `instance-busy` when somebody does and goes on with it. */
  async #leased<T>(
    { id, machineId }: Pick<InstanceMachine, 'id' | 'machineId'>,
    ctx: OperationContext,
    work: (headers: Record<string, string>) => Promise<T>,
  ): Promise<T> {
    const params = { path: pathOf(id, machineId) };
    const nonce = await this.#lease(id, params, ctx);
    const headers = { 'fly-machine-lease-nonce': nonce };
    try {
      return await work(headers);
    } finally {
      // One that can't be given back ends by itself.
      await this.#api
        .call('Giving back the lease', quietContext, (client, signal) =>
          client.DELETE('/apps/{app_name}/machines/{machine_id}/lease', {
            params: { ...params, header: headers },
            signal,
          }),
        )
        .catch(() => {});
    }
  }

  async #lease(id: string, params: { path: ReturnType<typeof pathOf> }, ctx: OperationContext): Promise<string> {
    const deadline = performance.now() + leasePatience;
    for (;;) {
      try {
        const lease = await this.#api.call('Taking a lease', ctx, (client, signal) =>
          client.POST('/apps/{app_name}/machines/{machine_id}/lease', {
            params,
            body: { ttl: leaseTime, description: 'remote-swarm' },
            signal,
          }),
        );
        // The document has it bare; what really comes is in an envelope.
        const { nonce } = (lease as { data?: Schemas['Lease'] }).data ?? lease;
        if (nonce) return nonce;
        throw providerUnreachable(this.#api.providerId, 'it gave a lease without a nonce', 'Try again.');
      } catch (error) {
        if (flyStatus(error) !== 409) throw error;
        if (performance.now() > deadline) throw instanceBusy(id, 'something else holds its machine at Fly.io');
        ctx.report('Waiting until nobody else changes the machine');
        await sleep(1_000, undefined, { signal: ctx.signal });
      }
    }
  }
}

const pathOf = (instanceId: string, machineId: string) => ({ app_name: appName(instanceId), machine_id: machineId });
