import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { folderTooLarge, invalidInput, providerRefused, SwarmError } from '../model/errors.ts';
import type { AgreedFolder } from '../model/setupConsent.ts';
import { isWithin } from './copyPlan.ts';
import { type FolderLimits, surveyFolder, usualLimits } from './folderSurvey.ts';
import { ownEntries } from './ownEntries.ts';

/** What the system's tar says, with exit code 1, of a file that others wrote or removed meanwhile: the rest is whole. */
const inMotion = /: (file changed as we read it$|File removed before we read it$|File shrank by \d+ bytes)/;

/** What a tar adds for each file, and what a folder may have grown by since it was looked at. */
const headBytes = 4096;
const growth = 1.1;

/**
 * A tar of everything in `folder` but what is of this extension, `places` and more, and what is no file; streamed by the
 * system's `tar`. What of git would lead out of a copy at `workspace` stands in it as its own. Rejects as
 * {@link surveyFolder} does, when tar fails or is not there, and for a folder that no longer lies where it did when it
 * was asked for, or is a part of another repository by now; `note` is told of what was left out, and of files that were in motion.
 */
export async function* packFolder(
  { path: folder, outside }: AgreedFolder,
  workspace: string,
  places: readonly string[],
  signal: AbortSignal,
  note: (problem: string) => void,
  limits: FolderLimits = usualLimits,
): AsyncIterable<Uint8Array> {
  const survey = await surveyFolder(folder, places, signal, limits);
  if (survey.path !== folder)
    throw invalidInput('The source', [`source.path: ${folder} leads to ${survey.path} by now`]);
  const other = survey.outside.find(place => !outside.some(agreed => isWithin(agreed, place)));
  if (other !== undefined)
    throw invalidInput('The source', [
      `source.path: ${folder} is a part of the repository ${other} by now, whose copy was not agreed to. Nothing was copied. Create the instance anew, or put back what was changed in its .git`,
    ]);
  for (const [what, names] of [
    ['sockets, pipes and devices', survey.special],
    ['the storage of this extension', survey.ours],
  ] as const) {
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    if (names.length > 0) note(`Not copied were ${what}: ${names.slice(0, 5).join(', ')}${more}`.slice(0, 500));
  }
  for (const problem of survey.own.notes) note(problem.slice(0, 700));
  const left = [...survey.special, ...survey.ours, ...survey.own.leftOut];
  let bytes = 0;
  async function* all() {
    yield* ownEntries(survey.own, workspace, signal);
    yield* tarOf(folder, left, renamings(survey.own.renamed, workspace), signal, note);
  }
  try {
    for await (const chunk of all()) {
      bytes += chunk.length;
      if (bytes > growth * (limits.bytes + survey.files * headBytes))
        throw folderTooLarge(folder, { bytes, files: survey.files, special: 0 }, limits);
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SwarmError) throw error;
    throw providerRefused(
      'folder-unreadable',
      `The folder ${folder} cannot be read: ${(error as Error).message}.`,
      'Choose a folder that this user may read; its files are copied by the system’s tar.',
      error,
    );
  }
}

/**
 * Pure: what makes tar leave these out, which lie where their names say, and nothing of such a name elsewhere. BSD's would
 * begin anew at each folder.
 */
export const exclusions = (names: readonly string[], platform: NodeJS.Platform): string[] =>
  names.map(name => `--exclude=${platform === 'linux' ? '' : '^'}./${name.replace(/[\\*?[\]]/g, '\\$&')}`);

/** What makes tar write other targets of links. GNU's and BSD's take the same expression by different names. */
function renamings(renamed: ReadonlyMap<string, string>, workspace: string): string[] {
  return [...renamed].flatMap(([from, to]) => {
    const pattern = from.replace(/[\\.[\]*^$]/g, '\\$&');
    const target = path.posix.join(workspace, to).replace(/[\\&]/g, '\\$&');
    const expression = `s\x01^${pattern}\\(/.*\\)\\{0,1\\}$\x01${target}\\1\x01RH`;
    return process.platform === 'linux' ? [`--transform=${expression}`] : ['-s', expression.slice(1)];
  });
}

/** What the system's tar makes of the folder without what is left out. */
async function* tarOf(
  folder: string,
  left: readonly string[],
  options: readonly string[],
  signal: AbortSignal,
  note: (problem: string) => void,
): AsyncIterable<Uint8Array> {
  const excludes = exclusions(left, process.platform);
  signal.throwIfAborted();
  const tar = spawn('tar', ['-C', folder, ...excludes, ...options, '-c', '-f', '-', '.'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The tar of macOS would put a second file beside each that has attributes of a Mac.
    env: { ...process.env, LC_ALL: 'C', TAR_OPTIONS: '', COPYFILE_DISABLE: '1' },
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
  } finally {
    tar.kill();
  }
}
