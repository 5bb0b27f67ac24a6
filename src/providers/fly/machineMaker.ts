import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import pLimit from 'p-limit';
import { instanceNotFound, providerRefused, timedOut } from '../../model/errors.ts';
import type { InstanceConfig, InstanceRole, VSCodeInstance } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceSpec } from '../../model/provider.ts';
import { editorServerImage } from '../editorServer.ts';
import { homeProgram } from '../homeProgram.ts';
import { type InstanceVariables, instanceVariables, markOf, plainVariables } from '../instanceMark.ts';
import { type ImageChoice, imageFor } from '../pinnedImage.ts';
import { reservedFile } from '../reservedFile.ts';
import type { AppBuilder } from './appBuilder.ts';
import type { FlyProviderConfig } from './flyConfig.ts';
import type { FlyLogs } from './flyLogs.ts';
import type { Gate } from './gate.ts';
import { type InstanceMachine, label, type MachineMode, machineName } from './instanceMachine.ts';
import { configNotes, type InstancePrograms, type MachinePlan, machineConfig } from './machineConfig.ts';
import { identityOn, instanceOn, markOn } from './machineInstance.ts';
import type { MachineReader } from './machineReader.ts';
import type { Machines } from './machines.ts';

const readAtOnce = 8;
/** Between two looks whether it answers; milliseconds. */
const lookPause = 100;
/** How long an editor server has to answer after its machine was started; milliseconds. */
const serverPatience = 60_000;

/** Makes machines of instances, and sees that what they are for answers. */
export class MachineMaker {
  readonly #providerId: string;
  readonly #config: FlyProviderConfig;
  readonly #launcherFile: string;
  readonly #reader: MachineReader;
  readonly #machines: Machines;
  readonly #builder: AppBuilder;
  readonly #gate: Gate;
  readonly #logs: FlyLogs;
  /** A fleet that is found again is read a few at a time. */
  readonly #reads = pLimit(readAtOnce);

  constructor(
    config: FlyProviderConfig,
    launcherFile: string,
    reader: MachineReader,
    machines: Machines,
    builder: AppBuilder,
    gate: Gate,
    logs: FlyLogs,
  ) {
    this.#providerId = config.id;
    this.#config = config;
    this.#launcherFile = launcherFile;
    this.#reader = reader;
    this.#machines = machines;
    this.#builder = builder;
    this.#gate = gate;
    this.#logs = logs;
  }

  /** What is asked for, or what instances get that ask for nothing. */
  sizeOf({ image, resources }: Pick<InstanceConfig, 'image' | 'resources'>, choice: ImageChoice = {}) {
    return {
      image: imageFor(image, this.#config.image ?? editorServerImage, choice),
      resources: { ...this.#config.resources, ...resources },
    };
  }

  /** Whether the machine has to have its whole config anew. */
  remakes(before: InstanceConfig, after: InstanceConfig): boolean {
    const made = (config: InstanceConfig) => [this.sizeOf(config), config.env, config.secretEnv];
    return !isDeepStrictEqual(made(before), made(after));
  }

  /** The volume, the secrets and the machine, each unless it is there; the machine of an owner is started with it. */
  async make(spec: InstanceSpec, role: InstanceRole, region: string, ctx: OperationContext): Promise<void> {
    const mark = markOf(spec);
    const { identity, config } = mark;
    const { id } = identity;
    const { image, resources } = this.sizeOf(config, spec);
    const { organization, diskGb } = this.#config;
    ctx.report('Making the home of the instance');
    const plan = { organization, diskGb, resources, region };
    const volume = await this.#builder.ensureVolume(identity, plan, ctx);
    const before = await this.variables(id, ctx);
    const token = await this.#builder.readSecret(id, 'token', ctx);
    const version = await this.#builder.writeSecrets(
      id,
      {
        environment: JSON.stringify(instanceVariables(config, spec.secrets, before)),
        token: token ?? randomBytes(24).toString('base64url'),
      },
      ctx,
    );
    ctx.report('Making the machine of the instance');
    const programs = await this.#programs();
    const machine: MachinePlan = { mark, role, mode: 'serve', image, resources, volumeId: volume.id, programs };
    const request = {
      name: machineName,
      region: volume.region,
      config: machineConfig(machine),
      skip_launch: role !== 'owner',
      ...(version !== undefined && { min_secrets_version: version }),
    };
    await this.#builder.ensureMachine(identity, role, request, ctx);
    const made = await this.#reader.existing(id, ctx);
    await this.#machines.wait(made, role === 'owner' ? 'started' : 'settled', ctx);
  }

  /** Puts its whole config anew; with `launch` it runs after that. */
  async change(
    machine: InstanceMachine,
    { mark, mode }: Pick<MachinePlan, 'mark' | 'mode'>,
    launch: boolean,
    secretsVersion: number | undefined,
    ctx: OperationContext,
    renews = false,
  ): Promise<InstanceMachine> {
    const programs = await this.#programs();
    return this.#machines.update(
      machine,
      (config, now) => {
        const volumeId = config.mounts?.[0]?.volume ?? '';
        const { role } = now;
        const owned = { ...mark, identity: identityOn(now) };
        return {
          ...config,
          ...machineConfig({
            ...{ mark: owned, mode, role, volumeId, programs },
            // Fly looks a name up anew with each change.
            ...this.sizeOf(mark.config, { pinnedImage: now.pinnedImage, renews }),
          }),
        };
      },
      launch,
      secretsVersion,
      ctx,
    );
  }

  /** Runs it in a mode: as it is when it has that already. */
  async inMode(machine: InstanceMachine, mode: MachineMode, ctx: OperationContext): Promise<InstanceMachine> {
    if (machine.mode !== mode) {
      const { config } = await this.whole(machine, ctx);
      return this.change(machine, { mark: { ...markOn(machine), config }, mode }, true, undefined, ctx);
    }
    await this.#hideVariables(machine, ctx);
    if (machine.state === 'started') return machine;
    await this.#machines.start(machine, ctx);
    return this.#reader.existing(machine.id, ctx);
  }

  /** A machine in which the home can be read and written. */
  async held(instanceId: string, ctx: OperationContext): Promise<InstanceMachine> {
    const machine = await this.#reader.existing(instanceId, ctx);
    return machine.state === 'started' ? machine : this.inMode(machine, 'hold', ctx);
  }

  /** Rejects with `server-ended` when the machine has ended before its editor server answered. */
  async answering(machine: InstanceMachine, ctx: OperationContext): Promise<VSCodeInstance> {
    ctx.report('Waiting for the editor server to answer');
    const deadline = performance.now() + serverPatience;
    for (;;) {
      if ((await this.#gate.probe(machine.id, ctx)).answered) return this.whole(await this.#alive(machine, ctx), ctx);
      await this.#alive(machine, ctx);
      if (performance.now() > deadline) throw timedOut('The start of the editor server', serverPatience);
      await sleep(lookPause, undefined, { signal: ctx.signal });
    }
  }

  /** A gate that was just started may need a moment. */
  async untilOpen<T>(open: () => Promise<T>, ctx: OperationContext): Promise<T> {
    const deadline = performance.now() + serverPatience;
    for (;;) {
      try {
        return await open();
      } catch (error) {
        ctx.signal.throwIfAborted();
        if (performance.now() > deadline) throw error;
        await sleep(lookPause, undefined, { signal: ctx.signal });
      }
    }
  }

  /** The instance on it, with its plain variables, which only a secret of its app holds. */
  async whole(machine: InstanceMachine, ctx: OperationContext): Promise<VSCodeInstance> {
    const instance = instanceOn(this.#providerId, machine);
    if (machine.away || Number(machine.metadata[label.variables] ?? 0) === 0) return instance;
    const variables = await this.#reads(() => this.variables(machine.id, ctx));
    return { ...instance, config: { ...instance.config, env: plainVariables(instance.config, variables) } };
  }

  /** Notes the config anew. */
  async note(machine: InstanceMachine, config: InstanceConfig, ctx: OperationContext): Promise<void> {
    const { [label.variables]: variables, [label.config]: text } = configNotes(config);
    await this.#machines.note(machine, 'variables', variables, ctx);
    await this.#machines.note(machine, 'config', text, ctx);
  }

  /** Plain and secret ones together. */
  async variables(instanceId: string, ctx: OperationContext): Promise<InstanceVariables> {
    const text = await this.#builder.readSecret(instanceId, 'environment', ctx);
    return reservedFile.variables(instanceId, text) ?? {};
  }

  /** Releases before noted them on the machine; the secret has them, too. */
  async #hideVariables(machine: InstanceMachine, ctx: OperationContext): Promise<void> {
    if (machine.metadata[label.variables] === undefined) await this.note(machine, markOn(machine).config, ctx);
  }

  async #alive({ id }: InstanceMachine, ctx: OperationContext): Promise<InstanceMachine> {
    const machine = await this.#reader.find(id, ctx);
    if (!machine) throw instanceNotFound(id);
    if (machine.status === 'running' || machine.status === 'starting') return machine;
    const { lines } = await this.#logs.read(id, { tail: 40 }, ctx).catch(() => ({ lines: [] }));
    const said = lines.map(line => line.slice(line.indexOf(' ') + 1)).filter(line => line.trim() !== '');
    const reason = said.findLast(line => /error|fatal|cannot|failed/i.test(line)) ?? said.at(-1);
    throw providerRefused(
      'server-ended',
      `The editor server ended right after its start${reason === undefined ? '' : `: ${reason.trim().slice(0, 300)}`}.`,
      'Look at its logs. An image without code-server, or too little memory, are the usual causes.',
    );
  }

  async #programs(): Promise<InstancePrograms> {
    const folder = path.dirname(this.#launcherFile);
    const [gate, launcherText, home] = await Promise.all(
      [path.join(folder, 'gate.mjs'), this.#launcherFile, homeProgram(this.#launcherFile)].map(file =>
        readFile(file, 'utf8'),
      ),
    );
    return { 'gate.mjs': gate ?? '', 'launcher.mjs': launcherText ?? '', 'home.mjs': home ?? '' };
  }
}
