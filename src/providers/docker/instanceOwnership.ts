import { isDeepStrictEqual } from 'node:util';
import { identityOf } from '../../model/identityOf.ts';
import type { VSCodeInstance } from '../../model/instance.ts';
import type { Claim, OperationContext } from '../../model/operationContext.ts';
import { generationOf, nextGeneration, refuseUnowned, standingOf } from '../../model/ownership.ts';
import type { InstanceHeir } from '../../model/provider.ts';
import { withCheckContainer } from './checkContainer.ts';
import { homeMount } from './containerSpec.ts';
import type { Containers } from './containers.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { containerName, type InstanceContainer, label, volumeName } from './instanceContainer.ts';
import type { InstanceReader } from './instanceReader.ts';
import { ensureImage } from './pull.ts';
import { type ReservedFiles, recordFile } from './reservedFiles.ts';
import { volumeLabels } from './volumes.ts';

/** Who owns instances: told by the names of containers, and by the records beside homes, since labels can't change. */
export class InstanceOwnership {
  readonly #engine: DockerEngine;
  readonly #containers: Containers;
  readonly #files: ReservedFiles;
  readonly #reader: InstanceReader;
  /** One that there is, or can be had. */
  readonly #image: string;

  constructor(
    engine: DockerEngine,
    containers: Containers,
    files: ReservedFiles,
    reader: InstanceReader,
    image: string,
  ) {
    this.#engine = engine;
    this.#containers = containers;
    this.#files = files;
    this.#reader = reader;
    this.#image = image;
  }

  /**
   * Its new name decides; the record beside its home follows, also when that was cut off before. Answers with the
   * container as it is called in the end: one that somebody else has taken over by then is refused.
   */
  async transfer(instanceId: string, heir: InstanceHeir, ctx: OperationContext): Promise<InstanceContainer> {
    const container = await this.#containers.existing(instanceId, ctx);
    const { config, ...instance } = await this.#reader.readWhole(container, ctx);
    const isHeirs = container.swarmId === heir.swarmId && container.epoch === heir.epoch;
    if (!isHeirs) await this.refuse(container, ctx.claim, ctx);
    const generation = isHeirs ? generationOf(container) : nextGeneration(container, ctx.claim);
    const identity = { ...identityOf(instance), ...heir, generation, adoptedAt: new Date().toISOString() };
    if (!isHeirs) await this.#containers.rename(container, containerName(identity, container.role), ctx);
    const isTold = isHeirs && isDeepStrictEqual(instance.owner, heir.owner);
    if (!isTold) await this.#files.write(container.containerId, [recordFile({ identity, config })], ctx);
    const handed = await this.#containers.existing(instanceId, ctx);
    await this.refuse(handed, identity, ctx);
    return handed;
  }

  /** Throws `ownedByAnother` or `olderState`; only then it is read whose it is instead. */
  async refuse(container: InstanceContainer, claim: Claim | undefined, ctx: OperationContext): Promise<void> {
    if (claim === undefined || standingOf(claim, container) === 'owner') return;
    refuseUnowned(await this.#reader.read(container, ctx), claim);
  }

  /**
   * The same of a home of which no container tells: by the record in it, or where it has none, by who made it. Rejects
   * with `reserved-file-unreadable`: what can't be read is somebody's.
   */
  async refuseHome(instanceId: string, claim: Claim, ctx: OperationContext): Promise<void> {
    const owner = await this.#ownerOfHome(instanceId, ctx);
    if (owner) refuseUnowned({ ...owner, id: instanceId, providerId: this.#engine.providerId }, claim);
  }

  async #ownerOfHome(
    instanceId: string,
    ctx: OperationContext,
  ): Promise<(Claim & Pick<VSCodeInstance, 'owner' | 'adoptedAt'>) | undefined> {
    const labels = await volumeLabels(this.#engine, volumeName(instanceId), ctx);
    if (labels?.[label.instance] !== instanceId) return undefined;
    const [image] = await this.#engine.call('Listing the images', ctx, (docker, abortSignal) =>
      docker.listImages({ abortSignal }),
    );
    // Nothing is run of it: any image does.
    const Image = image?.Id ?? (await ensureImage(this.#engine, this.#image, { ...ctx, pullsAsPerson: true })).id;
    const spec = { Image, Entrypoint: ['true'], HostConfig: { Mounts: [homeMount(instanceId)] } };
    const mark = await withCheckContainer(this.#engine, spec, async ({ id: containerId }) => {
      const place = { id: instanceId, containerId };
      return (await this.#files.areThere(place, ctx)) ? this.#files.readMark(place, ctx) : undefined;
    });
    if (mark) return mark.identity;
    return { swarmId: labels[label.swarm] ?? '', epoch: 1, owner: { user: 'unknown', machine: 'unknown' } };
  }
}
