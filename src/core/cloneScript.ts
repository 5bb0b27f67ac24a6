import { fillScript, quote } from './setupScripts.ts';

/** The exit code of a clone whose server said nothing for too long. */
export const silent = 74;
/** The exit code of a clone for which the repository's own server wanted a credential, or another one. */
export const wantsCredential = 77;

/** What is cloned, and how. */
export interface Clone {
  readonly url: string;
  readonly ref?: string | undefined;
  /** One line on standard input is the credential. */
  readonly withCredential: boolean;
  /** Seconds without any progress after which it is given up. */
  readonly silence: number;
}

/** Scheme and host of a repository's address, as git tells them to whoever is to give it a credential. */
export const originOf = (url: string): string | undefined => /^https?:\/\/[^/?#@\\]+/.exec(url)?.[0];

/** Whether it is reached with the keys of whoever runs git. */
export const isOverSsh = (url: string): boolean => !/^(https?|git):/.test(url);

/** What git may speak: what the address says, and never less safely. */
function protocolsFor(url: string): string {
  if (isOverSsh(url)) return 'ssh';
  return url.startsWith('http:') ? 'http:https' : (/^\w+/.exec(url)?.[0] ?? '');
}

/**
 * What gives git the credential: to the repository's own scheme and host only, once, and through a pipe, so that it
 * stands in no argument and in no environment. That it was asked for is noted.
 */
const helper = `!f() { [ "$1" = get ] || exit 0; protocol=; host=
while IFS= read -r line; do
case "$line" in protocol=*) protocol=\${line#*=} ;; host=*) host=\${line#*=} ;; esac
done
[ "$protocol://$host" = "$REMOTE_SWARM_ORIGIN" ] || exit 0
: >"$REMOTE_SWARM_PART.wanted"
IFS= read -r password <&3 && printf 'username=x-access-token\\npassword=%s\\n' "$password"; }; f`;

/** Settings of git for this one command. No file has any: neither the image's, nor the home's, nor a template's. */
function settings({ url, withCredential, silence }: Clone): string {
  const all = {
    'core.hooksPath': '/dev/null',
    'core.fsmonitor': 'false',
    'submodule.recurse': 'false',
    'credential.helper': helper,
    'credential.useHttpPath': 'false',
    // Who was sent elsewhere has nothing to show there.
    'http.followRedirects': withCredential ? 'false' : 'initial',
    // A proxy reads all but https.
    ...(withCredential && !url.startsWith('https:') && { 'http.proxy': '' }),
    'http.lowSpeedLimit': '1',
    // The watchdog comes first; this is for what it could not end.
    'http.lowSpeedTime': String(silence + 10),
  };
  return Object.entries(all)
    .map(([name, value]) => `-c ${quote(`${name}=${value}`)}`)
    .join(' ');
}

/** Ends git with all that it started when neither its messages nor its files grow. */
const watchdog = (silence: number) => `
children_of() { cat "/proc/$1/task/$1/children" 2>/dev/null || pgrep -P "$1" 2>/dev/null; }
end_tree() { for child in $(children_of "$1"); do end_tree "$child"; done; kill -9 "$1" 2>/dev/null; }
watch() {
  said=; quiet=0
  while sleep 1; do
    now=$(wc -c <"$part.log")
    if [ "$now" != "$said" ]; then said=$now; quiet=0; continue; fi
    quiet=$((quiet + 1))
    if [ "$quiet" -eq 1 ]; then written=$(du -sk "$part"); fi
    [ "$quiet" -ge ${silence} ] || continue
    if [ "$(du -sk "$part")" != "$written" ]; then quiet=0; continue; fi
    : >"$part.silent"; end_tree "$1"; exit
  done
}`;

/** Clones beside the workspace. For {@link inCleanEnvironment}. */
export function cloneScript(workspace: string, part: string, clone: Clone): string {
  const { url, ref, silence } = clone;
  const git = `git ${settings(clone)}`;
  const unknown = quote(`error: the repository has no branch, tag or commit "${ref}"`);
  const checkout = `${git} -C "$part" checkout --quiet ${quote(ref ?? '')} -- || { rm -rf "$part"; echo ${unknown} >&2; exit 1; }`;
  return fillScript(
    workspace,
    part,
    `exec 3<&0 </dev/null
command -v git >/dev/null || { echo 'error: git is not installed in this instance' >&2; exit 127; }
export HOME=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1
export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS= GIT_ALLOW_PROTOCOL=${protocolsFor(url)}
export GIT_SSH_COMMAND='ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4'
export REMOTE_SWARM_ORIGIN=${quote(originOf(url) ?? '')} REMOTE_SWARM_PART="$part"
${watchdog(silence)}
: >"$part.log"
${git} clone --progress -- ${quote(url)} "$part" >/dev/null 2>"$part.log" &
git=$!
watch "$git" >/dev/null 2>&1 3<&- &
dog=$!
wait "$git"; code=$?
kill "$dog" 2>/dev/null
if [ "$code" -ne 0 ]; then
  tr '\\r' '\\n' <"$part.log" | sed '/[0-9]% (/d; /^Cloning into /d' | tail -n 20 >&2
  if [ -e "$part.silent" ]; then code=${silent}; elif [ -e "$part.wanted" ]; then code=${wantsCredential}; else code=1; fi
fi
rm -rf "$part".*
[ "$code" -eq 0 ] || { rm -rf "$part"; exit "$code"; }
${ref === undefined ? '' : checkout}`,
  );
}
