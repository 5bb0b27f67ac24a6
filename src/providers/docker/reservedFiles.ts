import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { reservedFileUnreadable, SwarmError } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceMark, InstanceVariables } from '../instanceMark.ts';
import { reservedFile } from '../reservedFile.ts';
import { type ArchiveEntry, archiveOf, fileInArchive } from './archive.ts';
import { holds } from './checkContainer.ts';
import { launcher, layout } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus, isVolumeGone } from './engineErrors.ts';
import type { InstanceContainer } from './instanceContainer.ts';

/** An instance and the container in which its files are seen. */
type Place = Pick<InstanceContainer, 'id' | 'containerId'>;

/** The files beside a home, through the engine's archive calls, which work whatever state the container is in. */
export class ReservedFiles {
  readonly #engine: DockerEngine;

  constructor(engine: DockerEngine) {
    this.#engine = engine;
  }

  /** Undefined when there is no such file. Rejects with `reserved-file-unreadable` when its volume has no files left. */
  async read({ id, containerId }: Place, file: string, ctx: OperationContext): Promise<string | undefined> {
    try {
      return await this.#engine.call(`Reading ${file}`, ctx, async (docker, abortSignal) => {
        const source = await docker.getContainer(containerId).getArchive({ path: file, abortSignal });
        return fileInArchive(source as Readable, abortSignal);
      });
    } catch (error) {
      if (engineStatus(error) === 404) return undefined;
      if (isVolumeGone(error)) throw reservedFileUnreadable(id, file, 'the files of its volume are gone');
      throw error;
    }
  }

  /** Whether the volume has files: an engine lists it also when they are gone. */
  async areThere(place: Place, ctx: OperationContext): Promise<boolean> {
    try {
      await this.read(place, layout.record, ctx);
      return true;
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'reserved-file-unreadable') return false;
      throw error;
    }
  }

  /** Undefined when there is none, as before the first start. Rejects with `reserved-file-unreadable`. */
  async readMark(place: Place, ctx: OperationContext): Promise<InstanceMark | undefined> {
    return reservedFile.mark(place.id, await this.read(place, layout.record, ctx));
  }

  /** None when there is no such file. Rejects with `reserved-file-unreadable`. */
  async readVariables(place: Place, ctx: OperationContext): Promise<InstanceVariables> {
    return reservedFile.variables(place.id, await this.read(place, layout.environment, ctx)) ?? {};
  }

  /** Rejects with `reserved-file-unreadable`. */
  async readToken(place: Place, ctx: OperationContext): Promise<string> {
    return reservedFile.token(place.id, await this.read(place, layout.token, ctx));
  }

  /** Whether there is something at `path`, in whatever state the container is. */
  holds(containerId: string, path: string, ctx: OperationContext): Promise<boolean> {
    return this.#engine.call(`Looking for ${path}`, ctx, docker =>
      holds(this.#engine, docker.getContainer(containerId), path),
    );
  }

  /** Names are relative to the instance's root. What exists is replaced. */
  async write(containerId: string, entries: readonly ArchiveEntry[], ctx: OperationContext): Promise<void> {
    const archive = await archiveOf(entries);
    await this.#engine.call('Writing the files of the instance', ctx, (docker, abortSignal) =>
      docker.getContainer(containerId).putArchive(archive, { path: layout.root, abortSignal }),
    );
  }
}

const entryOf = (file: string, text: string, mode = 0o600): ArchiveEntry => ({
  name: file.slice(layout.root.length + 1),
  mode,
  text,
});

/** What starts everything in an instance; an earlier version may have left another one. */
export const launcherFile = (text: string): ArchiveEntry => entryOf(launcher, text, 0o644);

/** What tells whose an instance is. */
export const recordFile = (mark: InstanceMark): ArchiveEntry => entryOf(layout.record, JSON.stringify(mark));

/** What is written beside a home whenever the instance's config changes. */
export const recordFiles = (mark: InstanceMark, variables: Readonly<Record<string, string>>): ArchiveEntry[] => [
  entryOf(layout.environment, JSON.stringify(variables)),
  recordFile(mark),
];

/** What is written beside a home for a container that is made anew: the token, unless it is there, and all the rest. */
export const renewedFiles = (
  mark: InstanceMark,
  variables: Readonly<Record<string, string>>,
  launcherText: string,
  hasToken: boolean,
): ArchiveEntry[] => [
  { name: 'reserved', mode: 0o700 },
  ...(hasToken ? [] : [entryOf(layout.token, randomBytes(24).toString('base64url'))]),
  launcherFile(launcherText),
  // The record comes last: where it is, all the others are.
  ...recordFiles(mark, variables),
];

/** What lies in an instance's volume before its first start: an empty home, and the reserved folder beside it. */
export const firstFiles = (
  mark: InstanceMark,
  variables: Readonly<Record<string, string>>,
  launcherText: string,
): ArchiveEntry[] => [
  { name: 'home', mode: 0o755 },
  { name: 'home/workspace', mode: 0o755 },
  ...renewedFiles(mark, variables, launcherText, false),
];
