import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import * as path from 'node:path';

/** Pure: what the file of a command may be called. On Windows a program has one of the endings of `PATHEXT`. */
export function commandFiles(name: string, platform: NodeJS.Platform, endings = ''): string[] {
  if (platform !== 'win32') return [name];
  const all = (endings || '.COM;.EXE;.BAT;.CMD')
    .toLowerCase()
    .split(';')
    .filter(ending => ending !== '');
  return all.some(ending => name.toLowerCase().endsWith(ending)) ? [name] : all.map(ending => `${name}${ending}`);
}

/** The first executable file called `name` in the folders of `searchPath`; undefined when there is none. Never rejects. */
export async function findCommand(
  name: string,
  searchPath = process.env.PATH ?? '',
  platform = process.platform,
): Promise<string | undefined> {
  const names = commandFiles(name, platform, process.env.PATHEXT);
  for (const folder of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    for (const each of names) if (await isExecutable(path.join(folder, each))) return path.join(folder, each);
  }
  return undefined;
}

/** Whether `file` is a file that this process may run. Never rejects. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** Whether `file` is a file that this process may read. Never rejects. */
export async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    found => found.isFile(),
    () => false,
  );
}
