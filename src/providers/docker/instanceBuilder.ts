import { providerRefused } from '../../model/errors.ts';
import type { InstanceConfig, InstanceIdentity, InstanceRole, Resources } from '../../model/instance.ts';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import { type ImageChoice, imageFor } from '../pinnedImage.ts';
import { archiveOf } from './archive.ts';
import { canResizeLive, containerSpec } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { isNameTaken } from './engineErrors.ts';
import { refuseSecondServer } from './homeHolders.ts';
import { Images, type UsableImage } from './images.ts';
import { containerName, type InstanceContainer, label, labelsOf, volumeName } from './instanceContainer.ts';
import { Networks } from './networks.ts';
import { isEngineId } from './pull.ts';
import { makeVolume, removeVolume, volumeLabels } from './volumes.ts';

/** What instances get that ask for nothing else. */
export interface InstanceDefaults {
  readonly image: string;
  readonly runtimeImage: string;
  readonly resources: Resources;
}

/** Making may wait for a busy disk; it is never cut off in the middle, when its outcome could not be known. */
const patience = 60_000;

/** Makes what an instance consists of on the engine, and removes it. */
export class InstanceBuilder {
  readonly #engine: DockerEngine;
  readonly #defaults: InstanceDefaults;
  readonly #images: Images;
  readonly #networks: Networks;

  constructor(engine: DockerEngine, defaults: InstanceDefaults) {
    this.#engine = engine;
    this.#defaults = defaults;
    this.#images = new Images(engine, defaults.runtimeImage);
    this.#networks = new Networks(engine);
  }

  imageOf(config: Pick<InstanceConfig, 'image'>): string {
    return config.image ?? this.#defaults.image;
  }

  limitsOf(config: Pick<InstanceConfig, 'resources'>): Resources {
    return { ...this.#defaults.resources, ...config.resources };
  }

  /** Whether a container of the one can't be made into one of the other. */
  remakes(before: Pick<InstanceConfig, 'image' | 'resources'>, after: typeof before): boolean {
    const isOfOther = this.imageOf(after) !== this.imageOf(before);
    return isOfOther || !canResizeLive(this.limitsOf(before), this.limitsOf(after));
  }

  /**
   * Gets the image, the pinned one where the config still names it, and sees that an instance can live on it. Makes
   * nothing of the instance.
   */
  prepareImage(
    config: Pick<InstanceConfig, 'image'>,
    ctx: OperationContext,
    choice: ImageChoice,
  ): Promise<UsableImage> {
    const image = imageFor(config.image, this.#defaults.image, choice, isEngineId);
    // The default is named by a person in the settings.
    const own = config.image === undefined ? { ...ctx, pullsAsPerson: true } : ctx;
    return this.#images.prepare(image, own, choice.renews ?? false);
  }

  /** Makes the volume of the home; false when it is there already. A volume of that name which is not ours is refused. */
  async makeVolume(identity: InstanceIdentity, ctx: OperationContext): Promise<boolean> {
    const name = volumeName(identity.id);
    const existed = (await volumeLabels(this.#engine, name, uncancelled(ctx))) !== undefined;
    const labels = await makeVolume(this.#engine, name, labelsOf(identity), ctx);
    if (labels[label.instance] !== identity.id || labels[label.swarm] !== identity.swarmId) throw idTaken(name);
    return !existed;
  }

  /**
   * Makes the container, not started, with an account of whoever works in it. A container that an earlier create left,
   * whose answer was lost, is adopted.
   */
  async makeContainer(
    identity: InstanceIdentity,
    config: Pick<InstanceConfig, 'resources'>,
    image: UsableImage,
    ctx: OperationContext,
    role: InstanceRole = 'owner',
  ): Promise<void> {
    const network = await this.#networks.ensure(identity.swarmId, identity.id, ctx);
    const spec = containerSpec({
      ...image,
      identity,
      role,
      network,
      resources: this.limitsOf(config),
      publish: await this.#engine.publishesHere(),
      proxies: await this.#engine.proxies(),
    });
    await refuseSecondServer(this.#engine, identity.id, undefined, ctx);
    ctx.signal.throwIfAborted();
    try {
      await this.#engine.call(
        'Making the container',
        uncancelled(ctx),
        (docker, abortSignal) => docker.createContainer({ ...spec, abortSignal }),
        patience,
      );
    } catch (error) {
      if (!isNameTaken(error)) throw error;
      const { Config } = await this.#engine.call('Looking at the container', ctx, (docker, abortSignal) =>
        docker.getContainer(containerName(identity, role)).inspect({ abortSignal }),
      );
      const own = Config.Labels[label.instance] === identity.id && Config.Labels[label.swarm] === identity.swarmId;
      if (!own) throw idTaken(containerName(identity, role));
    }
    const files = Object.entries(image.accounts).map(([name, text]) => ({ name: `etc/${name}`, mode: 0o644, text }));
    const accounts = await archiveOf(files, { uid: 0, gid: 0 });
    await this.#engine.call('Writing the accounts', ctx, (docker, abortSignal) =>
      docker.getContainer(containerName(identity, role)).putArchive(accounts, { path: '/', abortSignal }),
    );
  }

  /** Gives a container that does not run the swarm's network in place of one that was removed. */
  async renewNetwork({ id, containerId, swarmId }: InstanceContainer, ctx: OperationContext): Promise<void> {
    await this.#networks.rejoin(containerId, await this.#networks.ensure(swarmId, id, ctx), ctx);
  }

  /** Removes what no container of the swarm needs any more. */
  removeIdleNetworks(swarmId: string, ctx: OperationContext): Promise<void> {
    return this.#networks.removeIdle(swarmId, ctx);
  }

  /** The swarm whose home of this instance is there, by its labels; undefined when there is none. */
  async swarmOfHome(instanceId: string, ctx: OperationContext): Promise<string | undefined> {
    const labels = await volumeLabels(this.#engine, volumeName(instanceId), ctx);
    return labels?.[label.instance] === instanceId ? labels[label.swarm] : undefined;
  }

  /** Removes the volume with the home; false when there was none. One that is not ours is left alone. */
  async removeVolume(instanceId: string, ctx: OperationContext): Promise<boolean> {
    if ((await this.swarmOfHome(instanceId, ctx)) === undefined) return false;
    await removeVolume(this.#engine, volumeName(instanceId), ctx);
    return true;
  }
}

/** An instance's name on the engine is held by something else. */
export const idTaken = (name: string) =>
  providerRefused(
    'id-taken',
    `The Docker engine has a "${name}" that belongs to another swarm, or to nobody.`,
    'Try again; another id will be chosen.',
  );
