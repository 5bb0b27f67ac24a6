import * as path from 'node:path';
import { environmentOf } from '../../../media/instance/launcher.mjs';
import { longestFolder } from '../socketFolder.ts';

/**
 * What an instance takes over from the process that starts it. Everything else stays out: an instance must not depend
 * on which window started it, nor see that window's tokens.
 */
const inherited =
  /^(PATH|LANG|LANGUAGE|LC_\w+|TZ|USER|LOGNAME|SHELL|TERM|TMPDIR|SSH_AUTH_SOCK|DISPLAY|WAYLAND_DISPLAY|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|(https?|no|all|ftp)_proxy)$/i;

/** The editor's extensions make sockets with such names among temporary files, whose paths may be too long for that. */
const editorSocket = 'vscode-git-0123456789.sock'.length;
const isTaken = (name: string, value: string) =>
  inherited.test(name) &&
  (name !== 'TMPDIR' || Buffer.byteLength(value) <= longestFolder(process.platform, editorSocket));

/** Name and value of the variable by which an instance's processes are found again, wherever they hang. */
export const instanceVariable = 'REMOTE_SWARM_INSTANCE';

/** The variables of an instance's processes; `own` are those that it was given, of which `secret` are taken as they are. */
export function instanceEnvironment(
  outer: NodeJS.ProcessEnv,
  home: string,
  instance: string,
  own: Readonly<Record<string, string>>,
  secret: readonly string[],
): Record<string, string> {
  const taken = Object.entries(outer).flatMap(([name, value]) =>
    value !== undefined && isTaken(name, value) ? [[name, value] as const] : [],
  );
  // Where instances lie may be in a repository of the person, which git would find from a workspace without one.
  const ours = { HOME: home, GIT_CEILING_DIRECTORIES: path.dirname(home), [instanceVariable]: instance };
  return environmentOf({ ...Object.fromEntries(taken), ...ours }, own, secret);
}
