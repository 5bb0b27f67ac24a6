/** The exit code of a script that found a workspace which it did not fill, and left it as it was. */
export const occupied = 73;

/** One word of a POSIX shell, whatever is in it. */
export const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** What a set-up takes over of the instance's variables, whoever chose them: the way out of its network. */
const ways = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy', 'NO_PROXY'];
/** And those that say which programs, keys and certificates are to be trusted. */
const trusted = ['PATH', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH'];
const usualPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs `script` with few variables, and none that could make its programs do something else. The variables `chosen` for
 * the instance, by name, may come from an agent: of them nothing is trusted. The marks by which a provider finds again
 * what it has started are kept.
 */
export function inCleanEnvironment(script: string, chosen: readonly string[]): string {
  const kept = [...ways, ...trusted.filter(name => !chosen.includes(name))];
  return `${kept.includes('PATH') ? '' : `${usualPath}; export PATH`}
set --
for name in $(env | sed -n 's/^\\(REMOTE_SWARM_[A-Z_]*\\)=.*/\\1/p') ${kept.join(' ')}; do
  eval "[ -z \\"\\\${$name+set}\\" ] || set -- \\"\\$@\\" \\"$name=\\$$name\\""
done
exec env -i ${usualPath} HOME="$HOME" LC_ALL=C "$@" sh -c ${quote(script)}
`;
}

/**
 * Takes the only turn in this home. A script whose window is gone may still run: it is waited for, by its process id and
 * its command line, since ids are used again. The lock is a link that leads nowhere, so that it is made with its
 * holder's id in it or not at all.
 */
const takeTurn = `
base="$HOME/.remote-swarm-setup"; full="$base/full"
mkdir -p "$base" "$workspace" && cd "$workspace" || exit 1
lives() {
  [ -n "$1" ] && [ "$1" != "$$" ] || return 1
  case "$( { tr -d '\\000' <"/proc/$1/cmdline" || ps -ww -o command= -p "$1"; } 2>/dev/null)" in
    *.remote-swarm-setup*) ;;
    *) return 1 ;;
  esac
}
waited=0
until ln -s "$$" "$base/lock" 2>/dev/null; do
  [ "$waited" -lt 900 ] || { echo "error: an earlier first set-up still runs, or $base cannot be written" >&2; exit 1; }
  waited=$((waited + 1))
  if lives "$(readlink "$base/lock")"; then sleep 1; else rm -f "$base/lock"; fi
done
leave() { rm -f "$base/lock"; rmdir "$base" 2>/dev/null; }
trap leave EXIT
# Also what forbids that to its owner, as Go's modules do.
remove() { chmod -R u+rwx "$@" 2>/dev/null; rm -rf "$@"; }
refuse_occupied() { [ -z "$(ls -A .)" ] || { remove "$part"; exit ${occupied}; }; }
`;

const variables = (workspace: string, part: string) =>
  `workspace=${quote(workspace)}; part="$HOME/.remote-swarm-setup/part-${part}"`;

/** Fills a folder of its own beside the workspace; the workspace stays as it is. What an earlier try left is removed. */
export const fillScript = (workspace: string, part: string, fill: string) => `${variables(workspace, part)}
${takeTurn}
if [ -e "$base/done" ] || [ -e "$full" ]; then exit 0; fi
refuse_occupied
for old in "$base"/part-*; do [ "$old" = "$part" ] || remove "$old"; done
${fill}
`;

/** The tar comes on standard input. That all of it came, only its sender knows: then {@link moveInScript} may follow. */
export const unpackScript = (workspace: string, part: string) =>
  fillScript(
    workspace,
    part,
    'mkdir "$part" && tar -x -f - -C "$part" && chmod u+rwx "$part" || { remove "$part"; exit 1; }',
  );

/**
 * Moves what was filled into the workspace, if that is empty. One rename decides: from then on `full` says that it is we
 * who fill the workspace, and a script that is cut off is gone on with; after the last move `done` says that all is in.
 * Nothing that lies in the workspace is ever written over.
 */
export const moveInScript = (workspace: string, part: string) => `${variables(workspace, part)}
${takeTurn}
if [ -e "$base/done" ]; then exit 0; fi
if [ ! -e "$full" ]; then
  [ -d "$part" ] || { echo 'error: what was to be moved into the workspace is gone' >&2; exit 1; }
  refuse_occupied
  mv "$part" "$full" || exit 1
fi
left=
# A folder that its owner may not write to cannot be moved. Which ones were opened for that lies on the disk before they are.
move() {
  if [ -d "$1" ] && [ ! -L "$1" ] && [ ! -w "$1" ]; then
    mkdir -p "$base/closed/$2" && chmod u+w "$1" || return 1
  fi
  mv -n "$1" "./$2"
}
close_again() {
  for entry in "$base/closed"/* "$base/closed"/.[!.]* "$base/closed"/..?*; do
    [ -e "$entry" ] || continue
    chmod u-w "./\${entry##*/}" && rmdir "$entry" || return 1
  done
  [ ! -e "$base/closed" ] || rmdir "$base/closed"
}
for entry in "$full"/* "$full"/.[!.]* "$full"/..?*; do
  [ -e "$entry" ] || [ -L "$entry" ] || continue
  name="\${entry##*/}"
  if [ -e "./$name" ] || [ -L "./$name" ]; then left="$left $name"; else move "$entry" "$name" || exit 1; fi
done
close_again || exit 1
[ -z "$left" ] || { echo "error: these were there already, and ours stay in $full:$left" >&2; exit 1; }
: >"$base/done" && rmdir "$full"
`;
