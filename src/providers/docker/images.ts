import type Dockerode from 'dockerode';
import { providerRefused, SwarmError } from '../../model/errors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import { holds, withCheckContainer } from './checkContainer.ts';
import { node, runtimeMount, serverMain } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { linesIn } from './frames.ts';
import { ensureImage, isEngineId } from './pull.ts';
import { RuntimeVolume } from './runtimeVolume.ts';

/** An image that is on the engine and was seen to run the editor server's node. */
export interface UsableImage {
  /** By the digest that its registry has: what is shown of an instance tells what it is made of, wherever a tag leads. */
  readonly image: string;
  readonly shell: string;
  /** The volume with the editor server, for an image without one. */
  readonly runtimeVolume?: string;
}

interface ImageFacts {
  readonly hasServer: boolean;
  readonly shell: string;
}

/** Gets images, and finds out once per image whether an instance can live on it. */
export class Images {
  readonly #engine: DockerEngine;
  readonly #runtime: RuntimeVolume;
  readonly #facts = new Map<string, Promise<ImageFacts>>();

  constructor(engine: DockerEngine, runtimeImage: string) {
    this.#engine = engine;
    this.#runtime = new RuntimeVolume(engine, runtimeImage);
  }

  /**
   * Pulls what is missing, and with `renew` what its registry has now. Rejects with the reason when the image has no
   * glibc that runs the editor server.
   */
  async prepare(reference: string, ctx: OperationContext, renew: boolean): Promise<UsableImage> {
    const { id, pinned } = await ensureImage(this.#engine, reference, ctx, renew);
    // Of what has none the name is more readable; the engine tells which image that was.
    const image = isEngineId(pinned) ? reference : pinned;
    let facts = this.#facts.get(id);
    // A finding, good or bad, holds for good: an image never changes under its id. What could not be found out is forgotten.
    if (!facts) {
      ctx.report(`Checking the image ${reference}`);
      facts = this.#examine(id, reference, ctx);
      this.#facts.set(id, facts);
      facts.catch(error => {
        if (!(error instanceof SwarmError && error.code === 'image-unfit')) this.#facts.delete(id);
      });
    }
    const { hasServer, shell } = await facts;
    return hasServer ? { image, shell } : { image, shell, runtimeVolume: await this.#runtime.ensure(ctx) };
  }

  async #examine(id: string, image: string, ctx: OperationContext): Promise<ImageFacts> {
    const look = { Image: id, Entrypoint: [node], Cmd: ['--version'] };
    const inside = await withCheckContainer(this.#engine, look, async container => {
      const shell = (await holds(this.#engine, container, '/bin/bash')) ? '/bin/bash' : '/bin/sh';
      const hasServer = await holds(this.#engine, container, serverMain);
      if (hasServer) await this.#tryNode(container, image);
      return { shell, hasServer };
    });
    if (inside.hasServer) return inside;
    const runtimeVolume = await this.#runtime.ensure(ctx);
    const injected = { ...look, HostConfig: { Mounts: [runtimeMount(runtimeVolume)] } };
    await withCheckContainer(this.#engine, injected, container => this.#tryNode(container, image));
    return inside;
  }

  async #tryNode(container: Dockerode.Container, image: string): Promise<void> {
    const ask = <T>(work: (signal: AbortSignal) => Promise<T>) =>
      this.#engine.call(`Trying the image ${image}`, quietContext, (_, signal) => work(signal), 30_000);
    let output = '';
    try {
      await ask(abortSignal => container.start({ abortSignal }));
      const { StatusCode } = await ask(abortSignal => container.wait({ abortSignal }));
      if (StatusCode === 0) return;
      const log = await ask(abortSignal => container.logs({ stdout: true, stderr: true, follow: false, abortSignal }));
      output = (await linesIn(log)).join('\n');
    } catch (error) {
      // The engine's own words when it could not even begin; a lost or hanging engine says nothing about the image.
      if (engineStatus(error) === undefined) throw error;
      output = error instanceof Error ? error.message : '';
    }
    const musl =
      (await holds(this.#engine, container, '/lib/ld-musl-x86_64.so.1')) ||
      (await holds(this.#engine, container, '/lib/ld-musl-aarch64.so.1'));
    throw providerRefused(
      'image-unfit',
      `The image ${image} can't run the editor server: ${whyUnfit(output, musl)}.`,
      'Choose an image of a distribution with glibc 2.28 or later, as Debian 10, Ubuntu 20.04, or Fedora 29. Nothing was made.',
    );
  }
}

/** Pure: what the failed try tells. */
export function whyUnfit(output: string, musl: boolean): string {
  if (musl) return 'it is built on musl (as Alpine is) and not on glibc';
  const version = /version [`']?(GLIBC(?:XX)?_[\d.]+)'? not found/.exec(output)?.[1];
  if (version) return `its C library is too old (${version} is missing)`;
  const library = /error while loading shared libraries: ([^\s:]+)/.exec(output)?.[1];
  if (library) return `it lacks the library ${library}`;
  if (/exec format error/i.test(output)) return 'it is for another processor';
  if (/no such file or directory/i.test(output)) return 'it has no glibc';
  return output.trim().split('\n').at(-1)?.slice(0, 200) || 'its node does not start';
}
