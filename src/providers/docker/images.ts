import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Dockerode from 'dockerode';
import { SwarmError } from '../../model/errors.ts';
import { type OperationContext, quietContext } from '../../model/operationContext.ts';
import { AccountFiles, withUser } from './accounts.ts';
import { holds, withCheckContainer } from './checkContainer.ts';
import { node, runtimeMount, serverMain } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';
import { linesIn, streamOf } from './frames.ts';
import { type EngineImage, ensureImage, isEngineId } from './pull.ts';
import { RuntimeVolume } from './runtimeVolume.ts';
import { imageUnfit, tryServer } from './unfitImage.ts';

/** An image that is on the engine and was seen to run the editor server's node. */
export interface UsableImage {
  /** By the digest that its registry has: what is shown of an instance tells what it is made of, wherever a tag leads. */
  readonly image: string;
  readonly shell: string;
  /** Its own variables, as `NAME=value`. */
  readonly env: readonly string[];
  /** Its accounts, and in them the one of whoever works in an instance. */
  readonly accounts: AccountFiles;
  /** The volume with the editor server, for an image without one. */
  readonly runtimeVolume?: string;
}

interface ImageFacts {
  readonly hasServer: boolean;
  readonly shell: string;
  readonly accounts: AccountFiles;
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
    const found = await ensureImage(this.#engine, reference, ctx, renew);
    const { id, pinned, env } = found;
    // Of what has none the name is more readable; the engine tells which image that was.
    const image = isEngineId(pinned) ? reference : pinned;
    let facts = this.#facts.get(id);
    // A finding, good or bad, holds for good: an image never changes under its id. What could not be found out is forgotten.
    if (!facts) {
      ctx.report(`Checking the image ${reference}`);
      facts = this.#examine(found, reference, ctx);
      this.#facts.set(id, facts);
      facts.catch(error => {
        if (!(error instanceof SwarmError && error.code === 'image-unfit')) this.#facts.delete(id);
      });
    }
    const { hasServer, shell, accounts } = await facts;
    const usable = { image, shell, env, accounts };
    return hasServer ? usable : { ...usable, runtimeVolume: await this.#runtime.ensure(ctx) };
  }

  async #examine(found: EngineImage, image: string, ctx: OperationContext): Promise<ImageFacts> {
    const look = { Image: found.id, Entrypoint: [node], Cmd: ['-e', tryServer] };
    const inside = await withCheckContainer(this.#engine, look, async container => {
      const shell = (await holds(this.#engine, container, '/bin/bash')) ? '/bin/bash' : '/bin/sh';
      const hasServer = await holds(this.#engine, container, serverMain);
      return { shell, hasServer, accounts: hasServer ? await this.#try(container, found, image) : undefined };
    });
    const { shell, hasServer } = inside;
    let { accounts } = inside;
    if (!accounts) {
      const runtimeVolume = await this.#runtime.ensure(ctx);
      const injected = { ...look, HostConfig: { Mounts: [runtimeMount(runtimeVolume)] } };
      accounts = await withCheckContainer(this.#engine, injected, container => this.#try(container, found, image));
    }
    return { shell, hasServer, accounts: withUser(accounts, shell) };
  }

  /** Answers with the accounts that the image has; rejects with `image-unfit`. */
  async #try(container: Dockerode.Container, found: EngineImage, image: string): Promise<AccountFiles> {
    const ask = <T>(work: (signal: AbortSignal) => Promise<T>) =>
      this.#engine.call(`Trying the image ${image}`, quietContext, (_, signal) => work(signal), 30_000);
    let output = '';
    let exitCode: number | undefined;
    try {
      await ask(abortSignal => container.start({ abortSignal }));
      const { StatusCode } = await ask(abortSignal => container.wait({ abortSignal }));
      const log = await ask(abortSignal => container.logs({ stdout: true, stderr: true, follow: false, abortSignal }));
      if (StatusCode === 0) return AccountFiles.parse(JSON.parse(await text(streamOf(Readable.from([log]), 'stdout'))));
      exitCode = StatusCode;
      output = (await linesIn(log)).join('\n');
    } catch (error) {
      // The engine's own words when it could not even begin; a lost or hanging engine says nothing about the image.
      if (engineStatus(error) === undefined) throw error;
      output = error instanceof Error ? error.message : '';
    }
    const musl =
      (await holds(this.#engine, container, '/lib/ld-musl-x86_64.so.1')) ||
      (await holds(this.#engine, container, '/lib/ld-musl-aarch64.so.1'));
    const { Arch } = await this.#engine.call('Asking for the version', quietContext, docker => docker.version());
    throw imageUnfit(image, { output, exitCode, musl, imageFor: found.architecture, engineOn: Arch ?? '' });
  }
}
