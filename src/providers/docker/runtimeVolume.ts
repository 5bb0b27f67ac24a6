import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { providerRefused, timedOut } from '../../model/errors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import { archiveOf } from './archive.ts';
import { holds, withCheckContainer } from './checkContainer.ts';
import { serverMain, serverRoot } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { label } from './instanceContainer.ts';
import { ensureImage } from './pull.ts';
import { makeVolume, removeVolume, volumeLabels } from './volumes.ts';

/** Lies in a volume that was filled to the end; an engine that died while it copied leaves one without it. */
const complete = '.remote-swarm-complete';
const patience = 180_000;

/**
 * The editor server of the runtime image in a volume, shared by all instances whose image brings none, and mounted
 * read-only. The engine itself fills it: a fresh volume takes over what the image has at the place it is mounted on.
 */
export class RuntimeVolume {
  readonly #engine: DockerEngine;
  readonly #image: string;
  readonly #filling = new Map<string, Promise<void>>();

  constructor(engine: DockerEngine, image: string) {
    this.#engine = engine;
    this.#image = image;
  }

  /** The name of the filled volume. */
  async ensure(ctx: OperationContext): Promise<string> {
    // A person has named it in the settings, or nobody has.
    const { id } = await ensureImage(this.#engine, this.#image, { ...ctx, pullsAsPerson: true });
    const name = `remote-swarm-runtime-${id.replace(/^sha256:/, '').slice(0, 12)}`;
    if (this.#filling.has(name) && !(await volumeLabels(this.#engine, name, ctx))) this.#filling.delete(name);
    let filling = this.#filling.get(name);
    if (!filling) {
      ctx.report('Preparing the editor server for images without one');
      // Shared by all who wait for it, so that no one caller can cancel it.
      filling = this.#fill(name, id);
      this.#filling.set(name, filling);
      filling.catch(() => this.#filling.delete(name));
    }
    await filling;
    ctx.signal.throwIfAborted();
    return name;
  }

  async #fill(name: string, imageId: string): Promise<void> {
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      const mine = randomBytes(8).toString('hex');
      // The label tells whether we made it, or somebody else did.
      const labels = await makeVolume(this.#engine, name, { [label.runtime]: mine }, quietContext);
      const maker = labels[label.runtime];
      if (maker === undefined) throw nameTaken(name);
      const spec: Dockerode.ContainerCreateOptions = {
        Image: imageId,
        Entrypoint: ['/'],
        HostConfig: { Mounts: [{ Type: 'volume', Source: name, Target: serverRoot }] },
      };
      const filled = await withCheckContainer(this.#engine, spec, container => this.#seal(container, maker === mine));
      if (filled) return;
      // Somebody else is filling it, and then it can't be removed yet; or it was cut off, and must be made anew.
      await removeVolume(this.#engine, name, quietContext).catch(error => {
        if (engineStatus(error) !== 409) throw error;
      });
      await sleep(500);
    }
    throw timedOut('Preparing the editor server', patience);
  }

  async #seal(container: Dockerode.Container, fresh: boolean): Promise<boolean> {
    if (await holds(this.#engine, container, `${serverRoot}/${complete}`)) return true;
    if (!fresh) return false;
    if (!(await holds(this.#engine, container, serverMain))) {
      throw providerRefused(
        'runtime-image-unfit',
        `The runtime image ${this.#image} has no editor server at ${serverMain}.`,
        'Set "runtimeImage" to a code-server image, or leave it out.',
      );
    }
    const mark = await archiveOf([{ name: complete, mode: 0o644, text: '' }]);
    await this.#engine.call('Writing to the runtime volume', quietContext, (_, abortSignal) =>
      container.putArchive(mark, { path: serverRoot, abortSignal }),
    );
    return true;
  }
}

const nameTaken = (volume: string) =>
  providerRefused(
    'volume-taken',
    `The Docker engine has a volume "${volume}" that is not of Remote Swarm.`,
    'Rename or remove that volume, then try again.',
  );
