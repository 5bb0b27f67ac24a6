import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import Dockerode from 'dockerode';
import { guestLabel, openGuestDoor } from './guestDoor.ts';

/** Somebody's engine, as a file of tests sees it. */
export interface GuestEngine {
  readonly host: string;
  readonly docker: Dockerode;
  /** Removes what was made there, but for images and editor servers: others of the same run have them in use. */
  leave(): Promise<void>;
}

export async function visitEngine(engineSocket: string): Promise<GuestEngine> {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-guest-'));
  const socket = path.join(folder, 'sock');
  const guest = `${process.env.REMOTE_SWARM_TEST_GUEST ?? 'alone'}.${randomBytes(6).toString('hex')}`;
  const door = await openGuestDoor(engineSocket, socket, guest);
  return {
    host: door.host,
    docker: new Dockerode({ socketPath: socket }),
    leave: async () => {
      await door.close();
      const isGuest = (label: string | undefined) => label === guest;
      await removeMade(
        new Dockerode({ socketPath: engineSocket }),
        isGuest,
        name => !name.startsWith('remote-swarm-runtime-'),
      );
      rmSync(folder, { recursive: true });
    },
  };
}

/** Removes all that a run has made on an engine; answers with what could not be removed. */
export async function removeAllMade(docker: Dockerode, run: string): Promise<string[]> {
  const isOfRun = (label: string | undefined) => label?.startsWith(`${run}.`) === true;
  const left = await removeMade(docker, isOfRun, () => true);
  const images = await docker.listImages({ all: false, filters: { label: [guestLabel] } });
  const removed = await Promise.allSettled(
    images
      .filter(({ Labels }) => isOfRun(Labels?.[guestLabel]))
      // By its id alone one with several names stays.
      .map(({ Id }) => docker.getImage(Id).remove({ force: true })),
  );
  return [...left, ...failuresOf(removed)];
}

async function removeMade(
  docker: Dockerode,
  isOurs: (label: string | undefined) => boolean,
  isWanted: (volume: string) => boolean,
): Promise<string[]> {
  const filters = { label: [guestLabel] };
  const ours = <Row extends { Labels?: Record<string, string> | null | undefined }>(rows: readonly Row[] | null) =>
    (rows ?? []).filter(({ Labels }) => isOurs(Labels?.[guestLabel]));
  const containers = ours(await docker.listContainers({ all: true, filters }));
  const left = await Promise.allSettled(
    containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })),
  );
  const { Volumes } = await docker.listVolumes({ filters });
  const volumes = ours(Volumes).filter(({ Name }) => isWanted(Name));
  const networks = ours(await docker.listNetworks({ filters }));
  const others = await Promise.allSettled([
    ...volumes.map(({ Name }) => docker.getVolume(Name).remove()),
    ...networks.map(({ Id }) => docker.getNetwork(Id).remove()),
  ]);
  return failuresOf([...left, ...others]);
}

const failuresOf = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.flatMap(result => (result.status === 'rejected' ? [String(result.reason)] : []));
