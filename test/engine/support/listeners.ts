import { globSync, readFileSync, readlinkSync } from 'node:fs';

const listening = '0A';

/** How many TCP ports this process listens on, as the kernel tells. */
export function listeners(): number {
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(file => readFileSync(file, 'utf8').split('\n').slice(1));
  const fields = rows.map(row => row.trim().split(/\s+/));
  const inodes = new Set(fields.flatMap(([, , , state, , , , , , inode]) => (state === listening && inode) || []));
  const ours = new Set(globSync('/proc/self/fd/*').flatMap(file => /^socket:\[(\d+)\]$/.exec(linkOf(file))?.[1] ?? []));
  return [...inodes].filter(inode => ours.has(inode)).length;
}

/** How many of this process's children have the word in their command line. */
export function children(word: string): number {
  const own = globSync('/proc/[0-9]*/stat').filter(file => {
    const parent = contentOf(file).split(') ').at(-1)?.split(' ')[1];
    return parent === String(process.pid);
  });
  return own.filter(file => contentOf(file.replace(/stat$/, 'cmdline')).split('\0').includes(word)).length;
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // It was closed meanwhile.
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
