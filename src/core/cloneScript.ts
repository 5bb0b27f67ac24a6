import { fillScript, quote } from './setupScripts.ts';

/** The exit code of a clone whose server said nothing for too long. */
export const silent = 74;
/** The exit code of a clone for which the repository's own server wanted a credential, or another one. */
export const wantsCredential = 77;
/** The same, of a clone that is there but for submodules or large files. Done again with a credential, it is gone on with. */
export const wantsCredentialForMore = 78;

/** What is cloned, and how. */
export interface Clone {
  readonly url: string;
  readonly ref?: string | undefined;
  /** How many commits of the history. */
  readonly depth?: number | undefined;
  /** What is fetched when it is needed, as git's `--filter` takes it. */
  readonly filter?: string | undefined;
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
  const origin = originOf(url);
  const host = origin && new URL(origin).hostname;
  const all = [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['submodule.recurse', 'false'],
    ['credential.helper', helper],
    ['credential.useHttpPath', 'false'],
    // Who was sent elsewhere has nothing to show there.
    ['http.followRedirects', 'initial'],
    ...(withCredential ? [[`http.${origin}/.followRedirects`, 'false']] : []),
    // A proxy reads all but https.
    ...(withCredential && !url.startsWith('https:') ? [['http.proxy', '']] : []),
    ['http.lowSpeedLimit', '1'],
    // The watchdog comes first; this is for what it could not end.
    ['http.lowSpeedTime', String(silence + 10)],
    // Submodules of the same host that are named by ssh are reached as the repository itself is.
    ...(origin ? [`git@${host}:`, `ssh://git@${host}/`].map(base => [`url.${origin}/.insteadOf`, base]) : []),
  ];
  return all.map(([name, value]) => `-c ${quote(`${name}=${value}`)}`).join(' ');
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

/**
 * Runs git with these settings under the watchdog. The credential comes through a pipe as often as it is asked for: each
 * submodule and large file may.
 */
const runGit = (clone: Clone) => `
feed() { while printf '%s\\n' "$password"; do :; done 2>/dev/null; }
run_git() {
  : >"$part.log"; rm -f "$part.wanted" "$part.silent"
  ( if [ -n "$password" ]; then feed; else :; fi | { exec 3<&0 </dev/null; git ${settings(clone)} "$@" >"$part.out" 2>"$part.log"; } ) &
  git=$!
  watch "$git" >/dev/null 2>&1 &
  dog=$!
  wait "$git"; code=$?
  kill "$dog" 2>/dev/null
  return "$code"
}
said() { tr '\\r' '\\n' <"$part.log" | sed '/[0-9]% (/d; /^Cloning into /d; /^Submodule .* registered for path /d' | tail -n 20; }
why() {
  if [ -e "$part.silent" ]; then echo silent; elif [ -e "$part.wanted" ]; then echo wanted; else said | tr '\\n\\t' '\\037 '; fi
}
tell() { printf '%s\\t' "$@" | tr '\\n' ' ' >>"$part.told"; echo >>"$part.told"; }
`;

/** Checks out what was asked for, whatever git calls it; without that, what there is. */
function checkoutSteps({ ref, depth }: Clone): string {
  const shallow = depth === undefined ? '' : `--depth ${depth} `;
  // A shallow clone follows one branch only, and git takes no other for a branch.
  const follow = depth === undefined ? '' : 'plain remote set-branches --add origin "$1" && ';
  const branchFrom = `branch_from() {
  run_git -C "$part" fetch --quiet ${shallow}origin "+refs/heads/$1:refs/remotes/origin/$1" || return 1
  ${follow}run_git -C "$part" checkout --quiet "$1" --
}`;
  if (ref === undefined)
    return `${branchFrom}
if ! plain rev-parse --verify --quiet HEAD >/dev/null && run_git -C "$part" ls-remote --heads origin; then
  branches=$(sed -n 's|^[0-9a-f]*\trefs/heads/||p' "$part.out")
  missing=$(plain symbolic-ref --short HEAD)
  case "$branches" in
    '') ;;
    *"
"*) tell default "$missing" "$branches" ;;
    *) branch_from "$branches" && tell only "$missing" "$branches" || tell default "$missing" "$branches" ;;
  esac
fi
`;
  const branch = ref.replace(/^refs\/heads\//, '');
  /** What a server is asked for; revisions that git computes are not. */
  const isName = !/[\^~:?*[\\]|\.\.|@\{/.test(ref);
  const checkout = (what: string) => `run_git -C "$part" checkout --quiet ${quote(what)} --`;
  const tries = [
    checkout(branch),
    ...(isName
      ? [
          `branch_from ${quote(branch)}`,
          `{ run_git -C "$part" fetch --quiet ${shallow}origin ${quote(ref)} && ${checkout('FETCH_HEAD')}; }`,
        ]
      : []),
  ];
  return `${branchFrom}
${tries.join(' ||\n')} || tell ref ${quote(ref)} "$(why)" "$(plain symbolic-ref --short HEAD)"`;
}

/** Fills submodules and large files. What can't be is told; the rest is done, and all of it stays. */
const moreSteps = `
submodules() { (
  set -f; IFS='
'
  for path in $(git -C "$1" -c core.quotePath=false ls-files -s | sed -n 's/^160000 [0-9a-f]* 0\t//p'); do
    IFS=' '
    if run_git -C "$1" submodule --quiet update --init --checkout -- "$path"; then
      large_files "$1/$path" "$2$path"
      submodules "$1/$path" "$2$path/"
    else
      [ ! -e "$part.wanted" ] || : >"$part.more"
      tell submodule "$2$path" "$(why)"
    fi
  done
) }
pointers() { git -C "$1" grep -I -l -e '^version https://git-lfs.github.com/spec/v1' 2>/dev/null | grep -c .; }
large_files() {
  git -C "$1" grep -q -e 'filter=lfs' -- ':(glob)**/.gitattributes' 2>/dev/null || return 0
  count=$(pointers "$1")
  [ "$count" -gt 0 ] || return 0
  if ! command -v git-lfs >/dev/null; then tell absent "$count" "$2"; return 0; fi
  git -C "$1" lfs install --local >/dev/null 2>&1
  run_git -C "$1" lfs pull; reason=$(why)
  count=$(pointers "$1")
  [ "$count" -gt 0 ] || return 0
  [ "$reason" != wanted ] || : >"$part.more"
  tell large "$count" "$2" "$reason"
}
large_files "$part" ''
submodules "$part" ''
`;

/**
 * Clones beside the workspace. What the clone lacks comes on standard output, for `toldOf` of `cloneTold.ts`. For
 * {@link inCleanEnvironment}.
 */
export function cloneScript(workspace: string, part: string, clone: Clone): string {
  const { url, depth, filter, silence, withCredential } = clone;
  const options = [
    ...(depth === undefined ? [] : [`--depth ${depth}`]),
    ...(filter === undefined ? [] : [`--filter=${quote(filter)}`]),
  ].join(' ');
  return fillScript(
    workspace,
    part,
    `password=
${withCredential ? 'IFS= read -r password' : ''}
exec </dev/null
command -v git >/dev/null || { echo 'error: git is not installed in this instance' >&2; exit 127; }
export HOME=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1
export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS= GIT_ALLOW_PROTOCOL=${protocolsFor(url)}
export GIT_SSH_COMMAND=${isOverSsh(url) ? quote('ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4') : 'false'}
export REMOTE_SWARM_ORIGIN=${quote(originOf(url) ?? '')} REMOTE_SWARM_PART="$part"
plain() { git -C "$part" "$@" 2>/dev/null; }
${watchdog(silence)}${runGit(clone)}
finish() {
  more=; [ ! -e "$part.more" ] || more=1
  cat "$part.told" 2>/dev/null
  rm -rf "$part".*
  [ "$1" -eq 0 ] || { rm -rf "$part"; exit "$1"; }
  [ -z "$more" ] || exit ${wantsCredentialForMore}
}
if [ ! -e "$part" ]; then
  run_git clone --progress ${options} -- ${quote(url)} "$part" || {
    said >&2
    if [ -e "$part.silent" ]; then code=${silent}; elif [ -e "$part.wanted" ]; then code=${wantsCredential}; else code=1; fi
    finish "$code"
  }
${checkoutSteps(clone)}
fi
${moreSteps}
finish 0`,
  );
}
