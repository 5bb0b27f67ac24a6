/** The exit code of a script that found a workspace which it did not fill, and left it as it was. */
export const occupied = 73;

/** One word of a POSIX shell, whatever is in it. */
export const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

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
refuse_occupied() { [ -z "$(ls -A .)" ] || { rm -rf "$part"; exit ${occupied}; }; }
`;

const variables = (workspace: string, part: string) =>
  `workspace=${quote(workspace)}; part="$HOME/.remote-swarm-setup/part-${part}"`;

/** Fills a folder of its own beside the workspace; the workspace stays as it is. What an earlier try left is removed. */
const fillScript = (workspace: string, part: string, fill: string) => `${variables(workspace, part)}
${takeTurn}
if [ -e "$base/done" ] || [ -e "$full" ]; then exit 0; fi
refuse_occupied
rm -rf "$base"/part-*
${fill}
`;

/** The credential comes on standard input and is known to git for this one command only. */
export function cloneScript(workspace: string, part: string, url: string, ref: string | undefined): string {
  const helper = `!f() { echo username=x-access-token; echo "password=$REMOTE_SWARM_GIT_CREDENTIAL"; }; f`;
  const unknown = quote(`error: the repository has no branch, tag or commit "${ref}"`);
  const checkout = `git -C "$part" checkout --quiet ${quote(ref ?? '')} -- || { rm -rf "$part"; echo ${unknown} >&2; exit 1; }`;
  return fillScript(
    workspace,
    part,
    `IFS= read -r REMOTE_SWARM_GIT_CREDENTIAL || true; export REMOTE_SWARM_GIT_CREDENTIAL GIT_TERMINAL_PROMPT=0
command -v git >/dev/null || { echo 'error: git is not installed in this instance' >&2; exit 127; }
git -c ${quote(`credential.helper=${helper}`)} clone --quiet -- ${quote(url)} "$part" || { rm -rf "$part"; exit 1; }
${ref === undefined ? '' : checkout}`,
  );
}

/** The tar comes on standard input. That all of it came, only its sender knows: then {@link moveInScript} may follow. */
export const unpackScript = (workspace: string, part: string) =>
  fillScript(
    workspace,
    part,
    'mkdir "$part" && tar -x -f - -C "$part" && chmod u+rwx "$part" || { rm -rf "$part"; exit 1; }',
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
for entry in "$full"/* "$full"/.[!.]* "$full"/..?*; do
  [ -e "$entry" ] || [ -L "$entry" ] || continue
  name="\${entry##*/}"
  if [ -e "./$name" ] || [ -L "./$name" ]; then left="$left $name"; else mv -n "$entry" "./$name" || exit 1; fi
done
[ -z "$left" ] || { echo "error: these were there already, and ours stay in $full:$left" >&2; exit 1; }
: >"$base/done" && rmdir "$full"
`;
