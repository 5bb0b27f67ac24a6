import type { InstanceConfig, InstanceIdentity, VSCodeInstance } from '../../model/instance.ts';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import type { ArchiveEntry } from './archive.ts';
import type { Containers } from './containers.ts';
import type { UsableImage } from './images.ts';
import type { InstanceBuilder } from './instanceBuilder.ts';
import { containerName, type InstanceContainer, replacedName } from './instanceContainer.ts';
import type { InstanceReader } from './instanceReader.ts';
import type { ReservedFiles } from './reservedFiles.ts';
import type { ServerStarter } from './serverStarter.ts';

/** What the other container is made of, and what lay beside the home before. */
interface Replacement {
  readonly identity: InstanceIdentity;
  readonly config: InstanceConfig;
  readonly image: UsableImage;
  readonly files: ArchiveEntry[];
  readonly before: ArchiveEntry[];
}

/**
 * Another container on the same home. The old one is stopped and kept under another name until the other has started,
 * and comes back when that fails; killed at any point, one of the two stands for the instance.
 */
export class InstanceReplacer {
  readonly #containers: Containers;
  readonly #files: ReservedFiles;
  readonly #builder: InstanceBuilder;
  readonly #starter: ServerStarter;
  readonly #reader: InstanceReader;

  constructor(
    containers: Containers,
    files: ReservedFiles,
    builder: InstanceBuilder,
    starter: ServerStarter,
    reader: InstanceReader,
  ) {
    this.#containers = containers;
    this.#files = files;
    this.#builder = builder;
    this.#starter = starter;
    this.#reader = reader;
  }

  async replace(old: InstanceContainer, to: Replacement, ctx: OperationContext): Promise<VSCodeInstance> {
    const wasRunning = old.status === 'running';
    ctx.report('Making the container anew on the same home');
    await this.#containers.removeOthers(old, ctx);
    await this.#containers.stop(old, false, ctx);
    try {
      await this.#containers.rename(old, replacedName(old), ctx);
      await this.#builder.makeContainer(to.identity, to.config, to.image, ctx);
      const container = await this.#containers.existing(old.id, ctx);
      await this.#files.write(container.containerId, to.files, ctx);
      if (wasRunning) await this.#starter.start(container, ctx);
      await this.#containers.removeOthers(container, ctx);
      return await this.#reader.read(await this.#containers.existing(old.id, ctx), ctx);
    } catch (error) {
      await this.#undo(old, to, wasRunning, uncancelled(ctx)).catch(() => {});
      throw error;
    }
  }

  async #undo(old: InstanceContainer, to: Replacement, wasRunning: boolean, ctx: OperationContext): Promise<void> {
    await this.#containers.removeOthers(old, ctx);
    await this.#files.write(old.containerId, to.before, ctx);
    await this.#containers.rename({ ...old, name: replacedName(old) }, containerName(old, old.role), ctx);
    const [container] = await this.#containers.of(old.id, ctx);
    if (wasRunning && container) await this.#starter.start(container, ctx);
  }
}
