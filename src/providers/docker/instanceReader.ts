import { InstanceConfig, type VSCodeInstance } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceMark } from '../instanceMark.ts';
import type { InstanceContainer } from './instanceContainer.ts';
import type { ReservedFiles } from './reservedFiles.ts';

/** Tells what an instance is: from its container's row and labels, and from the record that lies beside its home. */
export class InstanceReader {
  readonly #providerId: string;
  readonly #files: ReservedFiles;
  /** By container id; so that a listing reads only what it has not seen. A get always reads. */
  readonly #marks = new Map<string, InstanceMark>();

  constructor(providerId: string, files: ReservedFiles) {
    this.#providerId = providerId;
    this.#files = files;
  }

  /** As it is now. */
  async read(container: InstanceContainer, ctx: OperationContext): Promise<VSCodeInstance> {
    const mark = await this.#files.readMark(container.containerId, ctx);
    if (mark) this.#marks.set(container.containerId, mark);
    else this.#marks.delete(container.containerId);
    return this.describe(container, mark);
  }

  /** As it is now, with records that were read once. */
  async readAll(containers: readonly InstanceContainer[], ctx: OperationContext): Promise<VSCodeInstance[]> {
    const present = new Set(containers.map(({ containerId }) => containerId));
    for (const containerId of this.#marks.keys()) if (!present.has(containerId)) this.#marks.delete(containerId);
    return Promise.all(
      containers.map(container => {
        const mark = this.#marks.get(container.containerId);
        return mark ? this.describe(container, mark) : this.read(container, ctx);
      }),
    );
  }

  /** The instance in this container whose record is `mark`; asks nobody. */
  describe(container: InstanceContainer, mark: InstanceMark | undefined): VSCodeInstance {
    // Labels can't be changed by anybody, so they win over the record.
    const { id, swarmId, epoch, createdAt, role, status, detail, port } = container;
    return {
      id,
      swarmId,
      epoch,
      createdAt,
      owner: mark?.identity.owner ?? { user: 'unknown', machine: 'unknown' },
      providerId: this.#providerId,
      role,
      config: mark?.config ?? InstanceConfig.parse({ name: id }),
      ...(mark ? { status, ...(detail !== undefined && { detail }) } : { status: 'failed', detail: 'only half made' }),
      ...(port !== undefined && { port }),
    };
  }
}
