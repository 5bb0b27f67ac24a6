import { spawn } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import * as path from 'node:path';
import { invalidInput, providerRefused } from '../model/errors.ts';

/** What the system's tar says, with exit code 1, of a file that others wrote or removed meanwhile: the rest is whole. */
const inMotion = /: (file changed as we read it|File removed before we read it|File shrank by \d+ bytes.*)$/;

/**
 * A tar of everything in `folder` but `leftOut`, absolute paths, streamed by the system's `tar`. Rejects when tar fails or
 * is not there, and for a folder that lies in what is left out itself; `note` is told of files that were in motion.
 */
export async function* packFolder(
  folder: string,
  leftOut: readonly string[],
  signal: AbortSignal,
  note: (problem: string) => void,
): AsyncIterable<Uint8Array> {
  const excludes = (await insideOf(folder, leftOut)).map(name => `--exclude=./${name.replace(/[\\*?[\]]/g, '\\$&')}`);
  signal.throwIfAborted();
  const tar = spawn('tar', ['-C', folder, ...excludes, '-c', '-f', '-', '.'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    signal,
  });
  let complaint = '';
  tar.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-10_000);
  });
  const ended = new Promise<number>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', code => resolve(code ?? 1));
  });
  ended.catch(() => {});
  try {
    for await (const chunk of tar.stdout) yield chunk as Uint8Array;
    const code = await ended;
    const lines = complaint.split('\n').filter(line => line !== '');
    if (code === 1 && lines.some(line => inMotion.test(line))) {
      note(`${folder} was copied while files in it changed: ${lines.slice(0, 3).join(' ')}`.slice(0, 500));
    } else if (code !== 0) throw new Error(lines.slice(-3).join(' ').slice(-500) || `exit code ${code}`);
  } catch (error) {
    signal.throwIfAborted();
    throw providerRefused(
      'folder-unreadable',
      `The folder ${folder} cannot be read: ${(error as Error).message}.`,
      'Choose a folder that this user may read; its files are copied by the system’s tar.',
      error,
    );
  } finally {
    tar.kill();
  }
}

/** Those of `places` that lie below `folder`, relative to it. Throws `invalidInput` when one of them is the folder. */
async function insideOf(folder: string, places: readonly string[]): Promise<string[]> {
  const real = (file: string) => realpath(file).catch(() => path.resolve(file));
  const root = await real(folder);
  const names = await Promise.all(places.map(async place => path.relative(root, await real(place))));
  if (names.includes('')) throw invalidInput('The folder', [`${folder} is the storage of this extension`]);
  return names.filter(name => !path.isAbsolute(name) && name.split(path.sep)[0] !== '..');
}
