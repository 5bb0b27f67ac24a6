import { setTimeout as sleep } from 'node:timers/promises';
import { instanceBusy, instanceNotFound, providerUnreachable, timedOut } from '../../model/errors.ts';
import {
  type Claim,
  type OperationContext,
  quietContext,
  uncancelled,
  withTimeout,
} from '../../model/operationContext.ts';
import { refuseUnowned } from '../../model/ownership.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { flyStatus, hostAway, isAbsent, mayPass } from './flyErrors.ts';
import { appName, type InstanceMachine, isAway, label, machinePath, readMachine } from './instanceMachine.ts';
import { instanceOn } from './machineInstance.ts';
import type { MachineReader } from './machineReader.ts';

type WaitState = 'started' | 'stopped' | 'settled' | 'destroyed';

/** States that do not end by themselves. */
const settled = ['created', 'started', 'stopped', 'suspended', 'failed'];

/** Seconds that one wait is held open by Fly, and all of them together may take; milliseconds. */
const waitTime = 25;
const patience = 120_000;
const waitPause = 500;
/** Seconds after which a lease ends by itself, as when this window was killed. */
const leaseTime = 90;
const leasePatience = 60_000;
/** How long a machine may still refuse to start since it is being made or replaced. */
const startPatience = 30_000;

/** The machines that are ours: made, started, stopped, changed and removed. */
export class Machines {
  readonly #api: FlyApi;
  readonly #reader: MachineReader;

  constructor(api: FlyApi, reader: MachineReader) {
    this.#api = api;
    this.#reader = reader;
  }

  /** Makes one that is not there. The outcome is known when it resolves, and only then. */
  async create(instanceId: string, request: Schemas['CreateMachineRequest'], ctx: OperationContext): Promise<void> {
    const row = await this.#api.call('Making the machine', uncancelled(ctx), (client, signal) =>
      client.POST('/apps/{app_name}/machines', {
        params: { path: { app_name: appName(instanceId) } },
        body: request,
        signal,
      }),
    );
    const machine = readMachine(row);
    if (machine) this.#reader.made(machine, row);
  }

  /** As it is when it no longer passes from one state to another. */
  async settle(machine: InstanceMachine, ctx: OperationContext): Promise<InstanceMachine> {
    if (settled.includes(machine.state)) return machine;
    await this.wait(machine, 'settled', ctx);
    return this.#reader.existing(machine.id, ctx);
  }

  /** Starts a machine that does not run, and waits until it does. */
  async start(seen: InstanceMachine, ctx: OperationContext): Promise<void> {
    const machine = await this.settle(seen, ctx);
    if (machine.state === 'started') return;
    await this.#leased(machine, ctx, async headers => {
      await this.#reader.proveAlone(machine, ctx);
      const limited = withTimeout(ctx, startPatience);
      for (;;) {
        try {
          await this.#api.call('Starting the machine', ctx, (client, signal) =>
            client.POST('/apps/{app_name}/machines/{machine_id}/start', {
              params: { path: machinePath(machine.id, machine.machineId) },
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
          params: { path: machinePath(machine.id, machine.machineId) },
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
   * that, else it stays as it was. Answers with its next version. Role and owner are those that it has by then,
   * whatever they were when its caller looked.
   */
  async update(
    machine: InstanceMachine,
    change: (config: Schemas['fly.MachineConfig'], now: InstanceMachine) => Schemas['fly.MachineConfig'],
    launch: boolean,
    secretsVersion: number | undefined,
    ctx: OperationContext,
  ): Promise<InstanceMachine> {
    const { id, machineId } = machine;
    const next = await this.#leased(machine, ctx, async headers => {
      const row = await this.#reader.get(id, machineId, ctx);
      if (row && isAway(row)) throw hostAway(this.#api.providerId, id);
      const now = row && readMachine(row);
      if (!row?.config || !row.instance_id || !now) throw instanceNotFound(id);
      this.refuseUnowned(now, ctx.claim);
      if (launch) await this.#reader.proveAlone(machine, ctx);
      return this.#api.call('Changing the machine', ctx, (client, signal) =>
        client.POST('/apps/{app_name}/machines/{machine_id}', {
          params: { path: machinePath(id, machineId) },
          body: {
            config: change(row.config ?? {}, now),
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
    return this.#reader.existing(id, ctx);
  }

  /** Changes what is noted on it, without a restart. */
  async note({ id, machineId }: InstanceMachine, key: keyof typeof label, value: string, ctx: OperationContext) {
    await this.#api.call('Noting it on the machine', ctx, (client, signal) =>
      client.POST('/apps/{app_name}/machines/{machine_id}/metadata/{key}', {
        params: { path: { ...machinePath(id, machineId), key: label[key] } },
        body: { value },
        signal,
      }),
    );
  }

  /** The same of all that belongs together, while nobody else changes it. `change` gets it as it is by then. */
  async noteTogether(
    { id, machineId }: InstanceMachine,
    change: (now: InstanceMachine) => Partial<Record<keyof typeof label, string>>,
    ctx: OperationContext,
  ): Promise<void> {
    await this.#leased({ id, machineId }, ctx, async headers => {
      const row = await this.#reader.get(id, machineId, ctx);
      const now = row && readMachine(row);
      if (!now) throw instanceNotFound(id);
      const notes = Object.entries(change(now)).map(([key, value]) => [label[key as keyof typeof label], value]);
      await this.#api.call('Noting it on the machine', ctx, (client, signal) =>
        client.PUT('/apps/{app_name}/machines/{machine_id}/metadata', {
          params: { path: machinePath(id, machineId) },
          body: { machine_version: now.version, metadata: Object.fromEntries(notes) },
          headers,
          signal,
        }),
      );
    });
  }

  /** Throws `ownedByAnother` or `olderState`. */
  refuseUnowned(machine: InstanceMachine, claim: Claim | undefined): void {
    refuseUnowned(instanceOn(this.#api.providerId, machine), claim);
  }

  /** Its metadata say that it is being removed, unless it is gone, or Fly is removing it already. */
  async markRemoved(instanceId: string, ctx: OperationContext): Promise<void> {
    const machine = await this.#reader.find(instanceId, ctx);
    if (!machine || machine.role === 'removing' || machine.state === 'destroying') return;
    try {
      await this.note(machine, 'role', 'removing', ctx);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  /** Ends and removes one, whatever it does, and waits until it is gone. */
  async remove(instanceId: string, machineId: string, ctx: OperationContext): Promise<void> {
    const place = { id: instanceId, machineId };
    try {
      await this.#leased(place, ctx, async headers => {
        const row = ctx.claim && (await this.#reader.get(instanceId, machineId, ctx));
        const now = row && readMachine(row);
        if (now) this.refuseUnowned(now, ctx.claim);
        await this.#api.call('Removing the machine', ctx, (client, signal) =>
          client.DELETE('/apps/{app_name}/machines/{machine_id}', {
            params: { path: machinePath(instanceId, machineId), query: { force: true } },
            headers,
            signal,
          }),
        );
      });
      await this.wait({ ...place, version: '' }, 'destroyed', ctx);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    this.#reader.forget(instanceId);
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
            params: {
              path: machinePath(id, machineId),
              query: { state, timeout: waitTime, ...(version && { version }) },
            },
            signal,
          }),
        );
        return;
      } catch (error) {
        if (state === 'destroyed' && isAbsent(error)) return;
        if (!mayPass(error) && !(isAbsent(error) && this.#reader.isNew(machineId))) throw error;
        const missed = error instanceof Error && 'code' in error && error.code === 'timed-out';
        if (performance.now() > deadline)
          throw missed ? timedOut(`The wait for the machine to be ${state}`, patience) : error;
        if (!missed) await sleep(waitPause, undefined, { signal: ctx.signal });
      }
    }
  }

  /** Nobody else changes the machine meanwhile. Rejects with `instance-busy` when somebody does and goes on with it. */
  async #leased<T>(
    { id, machineId }: Pick<InstanceMachine, 'id' | 'machineId'>,
    ctx: OperationContext,
    work: (headers: Record<string, string>) => Promise<T>,
  ): Promise<T> {
    const params = { path: machinePath(id, machineId) };
    const nonce = await this.#lease(id, machineId, ctx);
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

  async #lease(id: string, machineId: string, ctx: OperationContext): Promise<string> {
    const deadline = performance.now() + leasePatience;
    for (;;) {
      try {
        const lease = await this.#api.call('Taking a lease', ctx, (client, signal) =>
          client.POST('/apps/{app_name}/machines/{machine_id}/lease', {
            params: { path: machinePath(id, machineId) },
            body: { ttl: leaseTime, description: 'remote-swarm' },
            signal,
          }),
        );
        // The document has it bare; what really comes is in an envelope.
        const { nonce } = (lease as { data?: Schemas['Lease'] }).data ?? lease;
        if (nonce) return nonce;
        throw providerUnreachable(this.#api.providerId, 'it gave a lease without a nonce', 'Try again.');
      } catch (error) {
        const isHeld = flyStatus(error) === 409;
        if (!isHeld && !(isAbsent(error) && this.#reader.isNew(machineId))) throw error;
        if (performance.now() > deadline)
          throw isHeld ? instanceBusy(id, 'something else holds its machine at Fly.io') : error;
        ctx.report(isHeld ? 'Waiting until nobody else changes the machine' : 'Waiting until Fly.io knows the machine');
        await sleep(1_000, undefined, { signal: ctx.signal });
      }
    }
  }
}
