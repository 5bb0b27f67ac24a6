import { setTimeout as sleep } from 'node:timers/promises';
import { instanceBusy, SwarmError, timedOut } from '../../model/errors.ts';
import type { InstanceIdentity, InstanceRole, Resources, VSCodeInstance } from '../../model/instance.ts';
import { type Claim, type OperationContext, uncancelled } from '../../model/operationContext.ts';
import { refuseUnowned } from '../../model/ownership.ts';
import { reservedFile } from '../reservedFile.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { FlyAnswer, flyStatus, hostAway, idTaken, isAbsent, isOutcomeUnknown } from './flyErrors.ts';
import { type HomeVolume, volumesOf } from './homeVolume.ts';
import { appName, isAway, volumeName } from './instanceMachine.ts';
import { guestOf, secretName } from './machineConfig.ts';
import type { MachineReader } from './machineReader.ts';
import type { Machines } from './machines.ts';

/** What was made may take a moment to be listed. */
const looks = [0, 1_000, 2_000, 4_000];
const removalPatience = 60_000;
/** How long an app that was made may not be known to all of Fly, which answers with 404 or 401 then; milliseconds. */
const newAppPatience = 60_000;

/** Of a home without a machine its own first epoch is all that is known, unless it was taken over. */
type HomeOwner = Claim & Pick<VSCodeInstance, 'owner' | 'adoptedAt'>;
type VolumePlace = Pick<HomeVolume, 'id' | 'region'>;

/** Where and how large homes are made. */
export interface VolumePlan {
  readonly organization: string;
  readonly region: string;
  readonly diskGb: number;
  readonly resources: Resources;
}

/** An instance's app, with all that is in it beside the machine: its address, its secrets, and the volume of its home. */
export class AppBuilder {
  readonly #api: FlyApi;
  readonly #reader: MachineReader;
  readonly #machines: Machines;

  constructor(api: FlyApi, reader: MachineReader, machines: Machines) {
    this.#api = api;
    this.#reader = reader;
    this.#machines = machines;
  }

  /**
   * Makes the app with a network of its own, and its address; false when it was there, or may have been and has a home in
   * it. Rejects with `id-taken` when its name, which is one for all the world, is somebody else's.
   */
  async ensureApp(instanceId: string, organization: string, ctx: OperationContext): Promise<boolean> {
    const name = appName(instanceId);
    ctx.signal.throwIfAborted();
    let refusal: unknown;
    try {
      await this.#api.call('Making the app', uncancelled(ctx), (client, signal) =>
        client.POST('/apps', { body: { name, org_slug: organization, network: name }, signal }),
      );
    } catch (error) {
      if (!isOutcomeUnknown(error) && flyStatus(error) !== 422 && flyStatus(error) !== 409) throw error;
      refusal = error;
    }
    if (!isOf(organization, await this.#shown(name, refusal, ctx))) throw idTaken(name, refusal);
    const made = !refusal || (isOutcomeUnknown(refusal) && (await this.homeOf(instanceId, ctx)) === undefined);
    const params = { path: { app_name: name } };
    const { ips } = await this.#api.call('Looking for an address', ctx, (client, signal) =>
      client.GET('/apps/{app_name}/ip_assignments', { params, signal }),
    );
    if (!ips?.length)
      await this.#api.call('Getting an address', ctx, (client, signal) =>
        client.POST('/apps/{app_name}/ip_assignments', { params, body: { type: 'shared_v4' }, signal }),
      );
    return made;
  }

  /** The home that there is; undefined when there is none. */
  async homeOf(instanceId: string, ctx: OperationContext): Promise<HomeVolume | undefined> {
    return (await volumesOf(this.#api, instanceId, ctx))[0];
  }

  /** Who owns a home: who made it, unless another has taken it over since. */
  async ownerOf({ instanceId, swarmId }: HomeVolume, ctx: OperationContext): Promise<HomeOwner> {
    const text = await this.readSecret(instanceId, 'owner', ctx);
    return (
      reservedFile.title(instanceId, text) ?? { swarmId, epoch: 1, owner: { user: 'unknown', machine: 'unknown' } }
    );
  }

  /** The volume of the home: the one that is there, or a new one where a machine of its size has room too. */
  async ensureVolume(identity: InstanceIdentity, plan: VolumePlan, ctx: OperationContext): Promise<VolumePlace> {
    const { id, swarmId } = identity;
    const existing = await this.homeOf(id, ctx);
    if (existing && (await this.ownerOf(existing, ctx)).swarmId !== swarmId) throw idTaken(appName(id));
    if (existing?.away) throw hostAway(this.#api.providerId, id);
    if (existing) return existing;
    ctx.signal.throwIfAborted();
    return this.#settled(
      async () => {
        const made = await this.#api.call('Making the volume', uncancelled(ctx), (client, signal) =>
          client.POST('/apps/{app_name}/volumes', {
            params: { path: { app_name: appName(id) } },
            body: {
              name: volumeName(swarmId),
              region: plan.region,
              size_gb: plan.diskGb,
              encrypted: true,
              compute: guestOf(plan.resources),
            },
            signal,
          }),
        );
        return { id: made.id ?? '', region: made.region ?? '' };
      },
      () => this.homeOf(id, ctx),
      ctx,
    );
  }

  /**
   * Makes the machine, unless one is there that an earlier try made whose answer was lost. Rejects with `instance-busy`
   * when anything else has the home.
   */
  async ensureMachine(
    { id: instanceId, swarmId, epoch }: InstanceIdentity,
    role: InstanceRole,
    request: Schemas['CreateMachineRequest'],
    ctx: OperationContext,
  ) {
    const make = async () => {
      try {
        const holders = await this.#reader.holdersOf(instanceId, ctx);
        if (holders.length > 0) {
          const there = await this.#reader.find(instanceId, ctx);
          if (there?.swarmId === swarmId && there.epoch === epoch && there.role === role) return true;
          throw instanceBusy(instanceId, `its home is in use by the machine ${holders.join(', ')} at Fly.io`);
        }
        ctx.signal.throwIfAborted();
        await this.#machines.create(instanceId, request, ctx);
        return true;
      } catch (error) {
        if (isStillBound(error)) return false;
        throw error;
      }
    };
    await this.#settled(
      async () => {
        await this.#until('The making of the machine', make, ctx);
        return true;
      },
      async () => ((await this.#reader.find(instanceId, ctx)) ? true : undefined),
      ctx,
    );
  }

  /** Answers with their version, which a machine must have been told of. */
  async writeSecrets(
    instanceId: string,
    values: Partial<Record<keyof typeof secretName, string>>,
    ctx: OperationContext,
  ): Promise<number | undefined> {
    const encoded = Object.entries(values).map(([name, text]) => [
      secretName[name as keyof typeof secretName],
      Buffer.from(text).toString('base64'),
    ]);
    const { version, Version } = await this.#api.call('Writing the secrets', ctx, (client, signal) =>
      client.POST('/apps/{app_name}/secrets', {
        params: { path: { app_name: appName(instanceId) } },
        body: { values: Object.fromEntries(encoded) },
        signal,
      }),
    );
    return version ?? Version;
  }

  /** Undefined when there is none, or no such app. */
  async readSecret(
    instanceId: string,
    name: keyof typeof secretName,
    ctx: OperationContext,
  ): Promise<string | undefined> {
    try {
      const { value } = await this.#api.call('Reading a secret', ctx, (client, signal) =>
        client.GET('/apps/{app_name}/secrets/{secret_name}', {
          params: {
            path: { app_name: appName(instanceId), secret_name: secretName[name] },
            query: { show_secrets: true },
          },
          signal,
        }),
      );
      return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** The same of what its asker owns; false, too, when the app is somebody else's. */
  async removeOwned(instanceId: string, organization: string, ctx: OperationContext): Promise<boolean> {
    try {
      const machine = await this.#reader.findOurs(instanceId, ctx);
      if (machine) this.#machines.refuseUnowned(machine, ctx.claim);
      const home = machine || !ctx.claim ? undefined : await this.homeOf(instanceId, ctx);
      const owner = home && (await this.ownerOf(home, ctx));
      if (owner) refuseUnowned({ ...owner, id: instanceId, providerId: this.#api.providerId }, ctx.claim);
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'id-taken') return false;
      throw error;
    }
    return this.removeAll(instanceId, organization, ctx);
  }

  /** Removes machines, volumes and the app, and confirms that it is gone; false when there was no app of ours. */
  async removeAll(instanceId: string, organization: string, ctx: OperationContext): Promise<boolean> {
    const name = appName(instanceId);
    const app = await this.#app(name, ctx);
    if (!app || !isOf(organization, app)) return false;
    const volumes = await volumesOf(this.#api, instanceId, ctx);
    const rows = (await this.#reader.rowsIn(name, ctx)) ?? [];
    if (volumes.some(({ away }) => away) || rows.some(isAway)) throw hostAway(this.#api.providerId, instanceId);
    // From here on nobody takes it for a whole one, should this be cut off.
    await this.#machines.markRemoved(instanceId, ctx);
    ctx.report('Removing the machine of the instance');
    ctx.signal.throwIfAborted();
    // A machine that was made a moment ago may not be listed yet, but its volume knows it.
    const bound = volumes.flatMap(({ machineId }) => machineId ?? []);
    const machineIds = new Set([...rows.flatMap(({ id }) => id ?? []), ...bound]);
    for (const machineId of machineIds) await this.#machines.remove(instanceId, machineId, ctx);
    ctx.report('Removing the home of the instance');
    for (const { id } of volumes) await this.#removeVolume(name, id, ctx);
    ctx.report('Removing the app of the instance');
    try {
      await this.#api.call('Removing the app', ctx, (client, signal) =>
        client.DELETE('/apps/{app_name}', { params: { path: { app_name: name } }, signal }),
      );
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await this.#until('The removal of the app', async () => (await this.#app(name, ctx)) === undefined, ctx);
    return true;
  }

  /** The app that was made or, where that was refused, is there already, as soon as Fly knows it. */
  async #shown(name: string, refusal: unknown, ctx: OperationContext): Promise<Schemas['App']> {
    const deadline = performance.now() + newAppPatience;
    for (let pause = 100; ; pause = Math.min(2 * pause, 1_000)) {
      try {
        return await this.#api.call('Looking at the app', ctx, (client, signal) =>
          client.GET('/apps/{app_name}', { params: { path: { app_name: name } }, signal }),
        );
      } catch (error) {
        const status = flyStatus(error);
        if (refusal && status === 403) throw idTaken(name, error);
        // Whether there is one at all is found out by making it again.
        if (status === 404 && isOutcomeUnknown(refusal)) throw refusal;
        if (status !== 404 && status !== 401) throw error;
        if (performance.now() > deadline) throw refusal ?? error;
        ctx.report('Waiting until Fly.io knows the app');
        await sleep(pause, undefined, { signal: ctx.signal });
      }
    }
  }

  async #app(name: string, ctx: OperationContext): Promise<Schemas['App'] | undefined> {
    try {
      return await this.#api.call('Looking at the app', ctx, (client, signal) =>
        client.GET('/apps/{app_name}', { params: { path: { app_name: name } }, signal }),
      );
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async #removeVolume(app: string, volumeId: string, ctx: OperationContext): Promise<void> {
    await this.#until(
      'The removal of the volume',
      async () => {
        try {
          await this.#api.call('Removing the volume', ctx, (client, signal) =>
            client.DELETE('/apps/{app_name}/volumes/{volume_id}', {
              params: { path: { app_name: app, volume_id: volumeId } },
              signal,
            }),
          );
          return true;
        } catch (error) {
          if (isAbsent(error)) return true;
          if (isStillBound(error)) return false;
          throw error;
        }
      },
      ctx,
    );
  }

  async #until(what: string, isDone: () => Promise<boolean>, ctx: OperationContext): Promise<void> {
    const deadline = performance.now() + removalPatience;
    for (let pause = 100; !(await isDone()); pause = Math.min(2 * pause, 1_000)) {
      if (performance.now() > deadline) throw timedOut(what, removalPatience);
      await sleep(pause, undefined, { signal: ctx.signal });
    }
  }

  /** Makes something once: where its answer was lost, or something of its name is there, it is looked for (semantics 28). */
  async #settled<T>(make: () => Promise<T>, find: () => Promise<T | undefined>, ctx: OperationContext) {
    try {
      return await make();
    } catch (error) {
      if (!isOutcomeUnknown(error) && ![409, 422].includes(flyStatus(error) ?? 0)) throw error;
      for (const pause of looks) {
        await sleep(pause, undefined, { signal: ctx.signal });
        const found = await find();
        if (found) return found;
      }
      throw error;
    }
  }
}

/** `personal` stands for an organization that may be called otherwise; apps of others can't be seen at all. */
const isOf = (organization: string, app: Schemas['App']): boolean =>
  organization === 'personal' || app.organization?.slug === organization;

/** Its last machine is gone, and Fly has yet to note that. */
const isStillBound = (error: unknown): boolean =>
  error instanceof Error && error.cause instanceof FlyAnswer && /currently bound/.test(error.cause.said);
