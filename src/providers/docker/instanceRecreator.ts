import { readFile } from 'node:fs/promises';
import { homeMissing } from '../../model/homeErrors.ts';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import { refuseUnowned, standingOf } from '../../model/ownership.ts';
import { olderState } from '../../model/ownershipErrors.ts';
import type { InstanceSpec } from '../../model/provider.ts';
import { instanceVariables, markOf } from '../instanceMark.ts';
import { refuseRole } from '../instanceRoles.ts';
import { reservedFile } from '../reservedFile.ts';
import { layout } from './containerSpec.ts';
import { type Containers, refuseUntold } from './containers.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { type InstanceBuilder, idTaken } from './instanceBuilder.ts';
import { type InstanceContainer, primaryOf, volumeName } from './instanceContainer.ts';
import { type ReservedFiles, renewedFiles } from './reservedFiles.ts';

/** Makes an instance's container anew on the home that is there, whatever became of the old one. */
export class InstanceRecreator {
  readonly #engine: DockerEngine;
  readonly #containers: Containers;
  readonly #files: ReservedFiles;
  readonly #builder: InstanceBuilder;
  readonly #launcherFile: string;

  constructor(
    engine: DockerEngine,
    containers: Containers,
    files: ReservedFiles,
    builder: InstanceBuilder,
    launcherFile: string,
  ) {
    this.#engine = engine;
    this.#containers = containers;
    this.#files = files;
    this.#builder = builder;
    this.#launcherFile = launcherFile;
  }

  /**
   * Answers with the container, not started. The token stays, and so do secrets that the spec does not give. An image
   * that can't be had, and a home that is not there, are told before anything is removed. Cut off at any point, it can
   * be repeated.
   */
  async recreate(spec: InstanceSpec, ctx: OperationContext): Promise<InstanceContainer> {
    const { identity, config } = markOf(spec);
    const { id, swarmId } = identity;
    const owner = await this.#builder.swarmOfHome(id, ctx);
    if (owner === undefined) throw homeMissing(id, this.#engine.providerId);
    const old = await this.#containers.of(id, ctx);
    const stranger = old.find(container => container.swarmId !== swarmId);
    if (stranger) throw idTaken(stranger.name);
    for (const container of old) {
      refuseUntold(container);
      refuseRole(id, container.role);
    }
    if (old.some(container => standingOf(identity, container) === 'older'))
      throw olderState(id, this.#engine.providerId);
    const latest = primaryOf(old);
    if (latest) await this.#refuseUnreadable(latest, ctx);
    const image = await this.#builder.prepareImage(config, ctx, spec);
    ctx.report('Removing what is left of the container');
    for (const container of old) await this.#end(container, ctx);
    ctx.report('Making the container anew on the same home');
    await this.#builder.makeContainer(identity, config, image, ctx);
    const container = await this.#containers.existing(id, ctx);
    // Labels of a volume tell who made it; who owns it now told its container, or else the record in it.
    if (old.length === 0) await this.#refuseUnowned(container, owner === swarmId, ctx);
    await this.#renew(container, spec, ctx);
    return container;
  }

  /** What can't be read is somebody's, and is not written anew. Of a container that is broken nothing is asked. */
  async #refuseUnreadable(container: InstanceContainer, ctx: OperationContext): Promise<void> {
    const text = await this.#files.read(container, layout.record, ctx).catch(() => {
      ctx.signal.throwIfAborted();
      return undefined;
    });
    reservedFile.mark(container.id, text);
  }

  /** Ends it politely when it can hear, and removes it whatever its state is. */
  async #end(container: InstanceContainer, ctx: OperationContext): Promise<void> {
    if (container.state === 'running') {
      await this.#containers.stop(container, false, ctx).catch(() => ctx.signal.throwIfAborted());
    }
    await this.#containers.remove(container.containerId, ctx);
  }

  /** Leaves no container on a home that is another's. */
  async #refuseUnowned(container: InstanceContainer, isMaker: boolean, ctx: OperationContext): Promise<void> {
    const mark = await this.#files.readMark(container, ctx).catch(() => null);
    if (mark ? standingOf(container, mark.identity) === 'owner' : isMaker && mark === undefined) return;
    const own = uncancelled(ctx);
    await this.#containers.remove(container.containerId, own);
    await this.#builder.removeIdleNetworks(container.swarmId, own);
    if (mark) refuseUnowned({ ...mark.identity, providerId: this.#engine.providerId }, container);
    throw idTaken(volumeName(container.id));
  }

  async #renew({ containerId, swarmId, id }: InstanceContainer, spec: InstanceSpec, ctx: OperationContext) {
    const mark = markOf(spec);
    if (!(await this.#files.holds(containerId, layout.home, ctx))) {
      const own = uncancelled(ctx);
      await this.#containers.remove(containerId, own);
      await this.#builder.removeIdleNetworks(swarmId, own);
      throw homeMissing(id, this.#engine.providerId);
    }
    const hasToken = await this.#files.holds(containerId, layout.token, ctx);
    const before = await this.#files.readVariables({ id, containerId }, ctx);
    const variables = instanceVariables(mark.config, spec.secrets, before);
    const launcherText = await readFile(this.#launcherFile, 'utf8');
    await this.#files.write(containerId, renewedFiles(mark, variables, launcherText, hasToken), ctx);
  }
}
