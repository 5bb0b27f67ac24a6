import type { Account } from './accountHost.ts';

/** An account, what it is in a few words, the public report that it comes from, and what *Test Provider* has to say. */
export interface HostCase extends Account {
  readonly input: string;
  readonly report: string;
  readonly right: string;
}

const works = 'can be used';
const bashrc = (text: string) => ({ files: { '.bashrc': `${text}\n` } });
/** What an account is told that runs something else than commands. */
const runsNone = (name: string, why: string, said: string, hint: string) =>
  `${name} lets the user in, but runs no command: ${why} (${said}). ${hint}`;
const otherwise = 'its shell, one of its start files or the ssh server does something else';
const findOut = (name: string) =>
  `Find out what "ssh ${name} echo hello" does in a terminal: nothing may come but "hello". It may be the login shell ("getent passwd USER"), a start file (~/.bashrc, ~/.zshenv, ~/.cshrc), or ForceCommand in sshd_config.`;
const wantsTerminal = 'one of its start files starts a program that wants a terminal';
const onlyInTerminal =
  'Let that file (~/.bashrc, ~/.zshenv, ~/.cshrc, or ~/.config/fish/config.fish) do so only in a terminal: "[ -t 0 ] && exec tmux".';
const unfit = (name: string, why: string, choose: string) =>
  `${name} cannot have instances in .remote-swarm in the home of its user: it ${why}. ${choose}`;
const otherPlace = 'Correct the rights of its home there, or name another directory in "directory" of the provider.';
export const noForward = (name: string) =>
  `The ssh server of ${name} forwards no ports, so no page of an instance can be opened (administratively prohibited: open failed). Whoever runs the host can allow it in sshd_config: "AllowTcpForwarding yes" (or "local"), no "DisableForwarding yes", no "PermitOpen" that leaves out 127.0.0.1; and no "restrict" or "no-port-forwarding" before the key in authorized_keys.`;
const noTerminal = (name: string) =>
  `The ssh server of ${name} gives no terminal, so none can be opened in an instance (PTY allocation request failed). Whoever runs the host can allow it in sshd_config: "PermitTTY yes"; and no "restrict" or "no-pty" before the key in authorized_keys.`;
const refused = (name: string, hint: string, said = `${name}@HOST: Permission denied (publickey)`) =>
  `${name} refused the ssh login: ${said}. ${hint}`;

export const hostCases: readonly HostCase[] = [
  { name: 'plain', input: 'bash', report: 'microsoft/vscode-remote-release#3023', right: works },
  // Login shells
  { name: 'tcsh', input: 'tcsh', report: 'microsoft/vscode-remote-release#19', shell: '/bin/tcsh', right: works },
  { name: 'csh', input: 'csh of BSD', report: 'jeanp413/open-remote-ssh#182', shell: '/bin/bsd-csh', right: works },
  { name: 'fish', input: 'fish', report: 'microsoft/vscode-remote-release#4234', shell: '/usr/bin/fish', right: works },
  { name: 'zsh', input: 'zsh', report: 'NousResearch/hermes-agent#112225', shell: '/bin/zsh', right: works },
  { name: 'dash', input: 'sh', report: 'microsoft/vscode-remote-release#3897', shell: '/bin/sh', right: works },
  {
    ...{ name: 'rbash', input: 'a restricted bash', report: 'tailcallhq/forgecode#2559', shell: '/bin/rbash' },
    right: runsNone(
      'rbash',
      'its login shell is a restricted one, which runs no program by its path',
      'rbash: line 1: exec: restricted',
      'Use another user, or have whoever runs the host give this one a full shell: "usermod -s /bin/bash USER".',
    ),
  },
  {
    ...{ name: 'nologin', input: 'nologin', report: 'nextcloud/nextcloudpi#1732', shell: '/usr/sbin/nologin' },
    right: runsNone(
      'nologin',
      'its login shell refuses logins',
      'This account is currently not available',
      'Use another user, or have whoever runs the host give this one a shell: "usermod -s /bin/bash USER".',
    ),
  },
  {
    ...{ name: 'false', input: '/bin/false', report: 'usnistgov/macos_security#591', shell: '/bin/false' },
    right: runsNone('false', otherwise, 'nothing was said', findOut('false')),
  },
  // Start files
  {
    ...{ name: 'echo', input: 'a .bashrc that prints', report: 'ansible/ansible#2268', right: works },
    ...bashrc('echo "hello from .bashrc"; echo "{\\"result\\":1}"; echo oops >&2'),
  },
  {
    ...{ name: 'cecho', input: 'a .cshrc that prints, with aliases', report: 'microsoft/vscode-remote-release#2583' },
    ...{ shell: '/bin/tcsh', files: { '.cshrc': 'echo welcome\nalias cd "echo no"\nset history=100\n' }, right: works },
  },
  {
    ...{ name: 'setu', input: 'set -eu and stty in .bashrc', report: 'AOSC-Dev/bash-config#29', right: works },
    ...bashrc('stty -ixon 2>&1 || true; set -eu; umask 077; TMOUT=1; cd /; export CDPATH=/tmp:/'),
  },
  {
    ...{ name: 'cdpath', input: 'CDPATH and exported functions', report: 'rust-lang/rust-installer#31', right: works },
    ...bashrc(
      'export CDPATH=.:/; cd() { echo no; }; mkdir() { echo no; }; export -f cd mkdir; export ENV=/no BASH_ENV=/no',
    ),
  },
  {
    ...{ name: 'nodeopts', input: 'NODE_OPTIONS in .bashrc', report: 'devcontainers/cli#351', right: works },
    ...bashrc('export NODE_OPTIONS="--require /no/such.js" NODE_PATH=/no'),
  },
  {
    ...{
      name: 'preload',
      input: 'LD_PRELOAD in .bashrc',
      report: 'microsoft/vscode-remote-release#4596',
      right: works,
    },
    ...bashrc('export LD_PRELOAD=/no/lib.so'),
  },
  {
    ...{ name: 'conda', input: 'an LD_LIBRARY_PATH of conda', right: works },
    ...{ report: 'microsoft/vscode-remote-release#9467' },
    files: { '.bashrc': 'export LD_LIBRARY_PATH=$HOME/lib\n', 'lib/libstdc++.so.6': 'none' },
  },
  {
    ...{
      name: 'locale',
      input: 'a LANG that is not there',
      report: 'microsoft/vscode-remote-release#2027',
      right: works,
    },
    ...bashrc('export LANG=xx_XX.UTF-8 LC_ALL=xx_XX.UTF-8 TZ=Asia/Kathmandu PROMPT_COMMAND="echo prompt"'),
  },
  {
    ...{ name: 'execzsh', input: 'exec zsh in .bashrc', report: 'microsoft/vscode-remote-release#4090' },
    ...{ ...bashrc('exec zsh'), right: runsNone('execzsh', otherwise, 'nothing was said', findOut('execzsh')) },
  },
  {
    ...{ name: 'tmux', input: 'exec tmux in .bashrc', report: 'microsoft/vscode-remote-release#1818' },
    ...bashrc('exec tmux'),
    right: runsNone('tmux', wantsTerminal, 'open terminal failed: not a terminal', onlyInTerminal),
  },
  {
    ...{ name: 'exits', input: 'a .bashrc that exits', report: 'jeanp413/open-remote-ssh#221' },
    ...bashrc('echo "Not for you."; exit 3'),
    right: runsNone('exits', otherwise, 'Not for you', findOut('exits')),
  },
  {
    ...{ name: 'limited', input: 'ulimit -v in .bashrc', report: 'microsoft/vscode-remote-release#11027' },
    ...bashrc('ulimit -v 1048576'),
    right: unfit(
      'limited',
      'lets a process have 1024 MB of address space, and an editor server needs 2048 MB',
      'Raise that limit: "ulimit -v unlimited" in a start file, or /etc/security/limits.conf.',
    ),
  },
  // The person's own configuration of ssh
  {
    ...{ name: 'remote', input: 'RemoteCommand and RequestTTY', report: 'microsoft/vscode-remote-release#481' },
    ...{ client: 'RemoteCommand tmux new -A -s main\nRequestTTY force', right: works },
  },
  {
    ...{ name: 'forward', input: 'forwards of ports that are in use', report: 'herdrdev/herdr#4350', right: works },
    client: 'LocalForward 22 localhost:1\nRemoteForward 22 localhost:1\nDynamicForward 22\nExitOnForwardFailure yes',
  },
  {
    ...{ name: 'mux', input: 'ControlMaster auto', report: 'docker/compose#11677', right: works },
    client: 'ControlMaster auto\nControlPath KEYS/%r@%h\nControlPersist 1',
  },
  {
    ...{ name: 'loud', input: 'LogLevel DEBUG3, VisualHostKey', report: 'microsoft/vscode-remote-release#665' },
    ...{ client: 'LogLevel DEBUG3\nVisualHostKey yes', right: works },
  },
  {
    ...{ name: 'local', input: 'LocalCommand', report: 'lablup/bssh#45', right: works },
    client: 'PermitLocalCommand yes\nLocalCommand echo connected; sleep 5',
  },
  {
    ...{ name: 'background', input: 'SessionType none, in the background', report: 'blinksh/blink#1462', right: works },
    client: 'SessionType none\nStdinNull yes\nForkAfterAuthentication yes',
  },
  {
    ...{ name: 'unknown', input: 'an option of another system', report: 'microsoft/vscode-remote-release#3314' },
    ...{ client: 'UseKeychain yes', right: works },
  },
  // Keys
  {
    ...{ name: 'newkey', input: 'a host key that is not known', report: 'basecamp/kamal#427' },
    client: 'UserKnownHostsFile KEYS/unknown',
    right: 'The host key of newkey is not known. Run "ssh newkey" once in a terminal, compare the key, and try again.',
  },
  {
    ...{
      name: 'changed',
      input: 'another host key than the known one',
      report: 'microsoft/vscode-remote-release#3416',
    },
    client: 'UserKnownHostsFile KEYS/changed',
    right:
      'The host key of changed is not the one that is known: it was set up anew, or something else answers in its place. Ask whoever runs the host. If the new key is its own, run "ssh-keygen -R changed", then "ssh changed" in a terminal.',
  },
  {
    ...{ name: 'open', input: 'a key that others may read', report: 'mikopbx/Core#1092' },
    client: 'IdentityFile KEYS/open',
    right:
      'ssh does not use the key KEYS/open for open, since other users of this machine may read it. Run "chmod 600 KEYS/open" in a terminal, and try again.',
  },
  {
    ...{ name: 'locked', input: 'a key with a passphrase, and no agent', report: 'github/backup-utils#82' },
    client: 'IdentityFile KEYS/locked',
    right: refused(
      'locked',
      'Check the user, and add the key to your ssh agent ("ssh-add"); neither a password nor a key\'s passphrase can be asked for here.',
    ),
  },
  // The ssh server
  {
    ...{ name: 'notcp', input: 'AllowTcpForwarding no', report: 'microsoft/vscode-remote-release#7506' },
    ...{ sshd: 'AllowTcpForwarding no', right: noForward('notcp') },
  },
  {
    ...{ name: 'noforward', input: 'DisableForwarding yes', report: 'microsoft/vscode-remote-release#398' },
    ...{ sshd: 'DisableForwarding yes', right: noForward('noforward') },
  },
  {
    ...{ name: 'permitopen', input: 'PermitOpen for one port', report: 'mscdex/ssh2#946' },
    ...{ sshd: 'PermitOpen localhost:8080', right: noForward('permitopen') },
  },
  {
    ...{ name: 'nopty', input: 'PermitTTY no', report: 'Eugeny/tabby#2002' },
    ...{ sshd: 'PermitTTY no', right: noTerminal('nopty') },
  },
  {
    ...{ name: 'restrict', input: 'a key with "restrict"', report: 'oetiker/znapzend#588' },
    ...{ key: 'restrict,pty', right: noForward('restrict') },
  },
  {
    ...{ name: 'sessions', input: 'MaxSessions 1', report: 'opensciencegrid/docs#854' },
    ...{ sshd: 'MaxSessions 1', right: works },
  },
  {
    ...{ name: 'forced', input: 'ForceCommand', report: 'hierynomus/sshj#863' },
    sshd: 'ForceCommand echo Only for backups.',
    right: runsNone('forced', otherwise, 'Only for backups', findOut('forced')),
  },
  {
    ...{ name: 'sftp', input: 'ForceCommand internal-sftp', report: 'drakkan/sftpgo#810' },
    sshd: 'ForceCommand internal-sftp',
    right: runsNone(
      'sftp',
      'the ssh server lets it only transfer files',
      'This service allows sftp connections only',
      'Use another user, or have whoever runs the host take "ForceCommand internal-sftp" away for this one in sshd_config.',
    ),
  },
  {
    ...{ name: 'banner', input: 'a Banner that speaks of permission', report: 'microsoft/vscode-remote-release#3699' },
    ...{ sshd: 'Banner /etc/pam.d/sshd\nAcceptEnv *\nClientAliveInterval 1', right: works },
  },
  // Accounts
  {
    ...{ name: 'expired', input: 'a password that has expired', report: 'pingcap/tidb#37836', expired: true },
    right: runsNone(
      'expired',
      'its password has expired',
      'WARNING: Your password has expired. Password change required but no TTY available',
      'Run "ssh expired" in a terminal and set a new one.',
    ),
  },
  {
    ...{ name: 'homeless', input: 'no home', report: 'microsoft/vscode-remote-release#3649', home: 'missing' },
    right: unfit(
      'homeless',
      "does not let its user write there (mkdir: cannot create directory '/home/homeless': Permission denied)",
      otherPlace,
    ),
  },
  {
    ...{
      name: 'foreign',
      input: 'a home of somebody else',
      report: 'microsoft/vscode-remote-release#2095',
      home: 'foreign',
    },
    right: unfit(
      'foreign',
      "does not let its user write there (mkdir: cannot create directory '/home/foreign/.remote-swarm': Permission denied)",
      otherPlace,
    ),
  },
  {
    ...{
      name: 'readonly',
      input: 'a read-only home',
      report: 'microsoft/vscode-remote-release#1789',
      home: 'read-only',
    },
    right: unfit(
      'readonly',
      "has a read-only disk there (mkdir: cannot create directory '/home/readonly/.remote-swarm': Read-only file system)",
      otherPlace,
    ),
  },
  {
    ...{ name: 'noexec', input: 'a home without exec', report: 'microsoft/vscode-remote-release#39', home: 'noexec' },
    right: unfit(
      'noexec',
      'runs no program from that directory (Permission denied)',
      'The disk may be mounted with "noexec". Name a directory on another one in "directory" of the provider.',
    ),
  },
  {
    ...{
      name: 'full',
      input: 'a home that is nearly full',
      report: 'microsoft/vscode-remote-release#5649',
      home: 'full',
    },
    right: unfit(
      'full',
      'has 8 MB left on the disk of that directory, and the editor server takes 64 MB',
      'Free some disk space there, or name a directory on another disk in "directory" of the provider.',
    ),
  },
  {
    ...{ name: 'oldglibc', input: 'glibc of CentOS 7', report: 'microsoft/vscode-remote-release#9471' },
    files: { '.bashrc': 'PATH=$HOME/bin:$PATH\n', 'bin/getconf': '#!/bin/sh\necho glibc 2.17\n' },
    right: unfit(
      'oldglibc',
      'has glibc 2.17, and the editor server needs 2.28',
      'Update it to Debian 10, Ubuntu 20.04 or RHEL 8 or later, or use a Docker provider on it.',
    ),
  },
  {
    ...{ name: 'arm32', input: 'a processor without an editor server', report: 'microsoft/vscode-remote-release#1211' },
    files: {
      '.bashrc': 'PATH=$HOME/bin:$PATH\n',
      'bin/uname': '#!/bin/sh\n[ "$1" = -m ] && echo armv7l || echo Linux\n',
    },
    right: unfit(
      'arm32',
      'runs Linux on armv7l, for which there is no editor server',
      'Choose a host with Linux or macOS on x86-64 or arm64.',
    ),
  },
];
