import pLimit from 'p-limit';
import { SwarmError } from '../../model/errors.ts';
import { InstanceConfig, type VSCodeInstance } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceObservation } from '../../model/provider.ts';
import type { InstanceMark } from '../instanceMark.ts';
import type { Containers } from './containers.ts';
import { containerName, type InstanceContainer } from './instanceContainer.ts';
import type { ReservedFiles } from './reservedFiles.ts';

/** Records that are read at the same time. */
const readAtOnce = 8;

/** Tells what an instance is: from its container's row and labels, and from the record that lies beside its home. */
export class InstanceReader {
  readonly #providerId: string;
  readonly #containers: Pick<Containers, 'causeOf'>;
  readonly #files: ReservedFiles;
  /** By container id; so that a listing reads only what it has not seen. A get always reads. */
  readonly #marks = new Map<string, InstanceMark>();

  constructor(providerId: string, containers: Pick<Containers, 'causeOf'>, files: ReservedFiles) {
    this.#providerId = providerId;
    this.#containers = containers;
    this.#files = files;
  }

  /**
   * As it is now, and why it does not run where the engine can tell. One whose record cannot be read is told by its
   * labels, and says so: it can still be stopped or deleted.
   */
  async read(container: InstanceContainer, ctx: OperationContext): Promise<VSCodeInstance> {
    const [instance, cause] = await Promise.all([this.#told(container, ctx), this.#containers.causeOf(container, ctx)]);
    return { ...instance, ...(cause !== undefined && { cause }) };
  }

  /** Without a cause; rejects with `reserved-file-unreadable`. For whoever writes the record anew from what is in it. */
  async readWhole(container: InstanceContainer, ctx: OperationContext): Promise<VSCodeInstance> {
    this.#marks.delete(container.containerId);
    const mark = await this.#files.readMark(container, ctx);
    if (mark) this.#marks.set(container.containerId, mark);
    return this.describe(container, mark);
  }

  /** As it was observed, with its record, which is all that is asked for; undefined when that is no longer there. */
  async readSeen(seen: InstanceObservation, ctx: OperationContext): Promise<VSCodeInstance | undefined> {
    const mark = await this.#files.readMark({ id: seen.id, containerId: containerName(seen, seen.role) }, ctx);
    return mark && this.describe(seen, mark);
  }

  /** As it is now, with records that were read once. */
  async readAll(containers: readonly InstanceContainer[], ctx: OperationContext): Promise<VSCodeInstance[]> {
    const present = new Set(containers.map(({ containerId }) => containerId));
    for (const containerId of this.#marks.keys()) if (!present.has(containerId)) this.#marks.delete(containerId);
    return pLimit(readAtOnce).map(containers, async container => {
      const mark = this.#marks.get(container.containerId);
      return mark && isOf(mark, container) ? this.describe(container, mark) : this.#told(container, ctx);
    });
  }

  async #told(container: InstanceContainer, ctx: OperationContext): Promise<VSCodeInstance> {
    try {
      return await this.readWhole(container, ctx);
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== 'reserved-file-unreadable') throw error;
      const { status } = container;
      return { ...this.describe(container, undefined), status, detail: error.message };
    }
  }

  /** The instance in this container whose record is `mark`; asks nobody. */
  describe(
    container: InstanceObservation & Partial<InstanceContainer>,
    mark: InstanceMark | undefined,
  ): VSCodeInstance {
    // Name and labels can't be changed from inside, so they win over the record.
    const { id, swarmId, epoch, generation, createdAt, role, status, detail, port, pinnedImage } = container;
    const { owner, adoptedAt } = mark && isOf(mark, container) ? mark.identity : nobodyKnown;
    return {
      id,
      swarmId,
      epoch,
      ...(generation !== undefined && { generation }),
      createdAt,
      owner,
      ...(adoptedAt !== undefined && { adoptedAt }),
      providerId: this.#providerId,
      role,
      config: mark?.config ?? InstanceConfig.parse({ name: id }),
      ...(mark || status === 'unknown'
        ? { status, ...(detail !== undefined && { detail }) }
        : { status: 'failed', detail: 'only half made' }),
      ...(port !== undefined && { port }),
      ...(pinnedImage !== undefined && { pinnedImage }),
    };
  }
}

const nobodyKnown = { owner: { user: 'unknown', machine: 'unknown' }, adoptedAt: undefined };

/** Whether the record tells of who owns it now. */
const isOf = ({ identity }: InstanceMark, { swarmId, epoch }: InstanceObservation): boolean =>
  identity.swarmId === swarmId && identity.epoch === epoch;
