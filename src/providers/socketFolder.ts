import { mkdtemp } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { messageOf, providerRefused } from '../model/errors.ts';

/** What of a machine decides where its sockets may lie. */
export interface SocketPlaces {
  readonly platform: NodeJS.Platform;
  /** Where temporary files lie. */
  readonly temporary: string;
  /** `XDG_RUNTIME_DIR`. */
  readonly runtime?: string | undefined;
}

/** Pure: how many bytes the path of a socket may have; the systems count a zero at its end, too. */
const longest = (platform: NodeJS.Platform) => (platform === 'linux' || platform === 'win32' ? 107 : 103);

/** Pure: how many bytes the path of a folder may have in which a socket is to lie whose name has so many. */
export const longestFolder = (platform: NodeJS.Platform, name: number) => longest(platform) - name - '/'.length;

/** Pure: the folders in which a socket can lie whose name has so many bytes, the best one first. */
export function socketPlaces({ platform, temporary, runtime = '' }: SocketPlaces, name: number): string[] {
  const others = platform === 'win32' ? [] : [runtime, '/tmp', '/var/tmp'];
  const isAbsolute = platform === 'win32' ? path.win32.isAbsolute : path.posix.isAbsolute;
  const fitting = [temporary, ...others].filter(
    place => isAbsolute(place) && Buffer.byteLength(place) <= longestFolder(platform, name),
  );
  return [...new Set(fitting)];
}

const prefix = 'rsw-';
/** What `mkdtemp` adds. */
const random = 6;

/**
 * A new folder for sockets whose names have at most so many bytes. It lies where temporary files do, unless paths there
 * are longer than those of sockets may be.
 */
export async function makeSocketFolder(name: number): Promise<string> {
  const temporary = os.tmpdir();
  const added = prefix.length + random + '/'.length + name;
  const places = socketPlaces({ platform: process.platform, temporary, runtime: process.env.XDG_RUNTIME_DIR }, added);
  let problem = `its path has ${Buffer.byteLength(temporary)} bytes, and ${longestFolder(process.platform, added)} are the most that the path of a socket leaves`;
  for (const place of places) {
    try {
      return await mkdtemp(path.join(place, prefix));
    } catch (error) {
      problem = messageOf(error);
    }
  }
  throw providerRefused(
    'no-socket-folder',
    `There is no folder for the sockets of ssh on this machine (${temporary}: ${problem}).`,
    'Set TMPDIR to a short path that can be written, such as /tmp, and start VS Code anew.',
  );
}
