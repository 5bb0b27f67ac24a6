import * as z from 'zod';
import { layout, user } from './containerSpec.ts';

/** What an image has below `/etc` of accounts; empty where it has no such file. */
export const AccountFiles = z.object({ passwd: z.string(), group: z.string() });
export type AccountFiles = Readonly<z.infer<typeof AccountFiles>>;

const linesOf = (text: string) => text.split('\n').filter(line => line !== '');

/**
 * Pure: the image's accounts, and in them the user of everything in a container. What an image calls that user stays,
 * but its home is the instance's: ssh and others ask for that, and not for `HOME`.
 */
export function withUser({ passwd, group }: AccountFiles, shell: string): AccountFiles {
  const [users, groups] = [linesOf(passwd), linesOf(group)];
  const isOf = (id: number) => (line: string) => line.split(':')[2] === String(id);
  const freeName = (lines: readonly string[], wanted: string) => {
    const taken = new Set(lines.map(line => line.split(':')[0]));
    return taken.has(wanted) ? `${wanted}-${user.uid}` : wanted;
  };
  const at = users.findIndex(isOf(user.uid));
  const [name = '', password = 'x', , gid = String(user.gid), about = ''] = users[at]?.split(':') ?? [];
  const called = name === '' ? freeName(users, 'coder') : name;
  const account = [called, password, user.uid, gid, about, layout.home, shell].join(':');
  const others = users.filter((_, index) => index !== at);
  const named = groups.some(isOf(user.gid)) ? groups : [...groups, `${freeName(groups, called)}:x:${user.gid}:`];
  return { passwd: `${[...others, account].join('\n')}\n`, group: `${named.join('\n')}\n` };
}
