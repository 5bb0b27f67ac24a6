import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import * as path from 'node:path';

/** The first executable file called `name` in the folders of `searchPath`; undefined when there is none. Never rejects. */
export async function findCommand(name: string, searchPath = process.env.PATH ?? ''): Promise<string | undefined> {
  for (const folder of searchPath.split(path.delimiter)) {
    const file = path.join(folder, name);
    if (path.isAbsolute(folder) && (await isExecutable(file))) return file;
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
